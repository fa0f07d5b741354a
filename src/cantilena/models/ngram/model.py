"""The n-gram with an in-piece copy model: what a network must beat to be called good.

Long-term: an interpolated n-gram over the training pieces, smoothed by the number of different followers as Witten and
Bell (1991, IEEE Transactions on Information Theory 37) do, with the caution of `NGramOptions`. In-piece: the same over
the piece so far, resting on the long-term model. The two are mixed by a weight that depends on how long the longest
match is of the piece's end with an earlier part of it, tuned on held-out pieces by expectation maximisation.

What an n-gram is made of.

The n-gram that a network is blended with, as a bundle holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.models.ngram import kernels
from cantilena.models.ngram.counts import LONGEST_MATCH, ContextTree
from cantilena.models.ngram.options import NGramOptions
from cantilena.models.policy import numpy_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_PRIOR_STEPS = 20.0
"""A length of match met less often than this is weighted rather like all others."""


@dataclass(frozen=True, slots=True)
class NGramState:
    """The pieces so far, `(melodies, steps)`, and their matches with their own ends; never changed in place."""

    lines: Ints
    matches: Ints


@dataclass(frozen=True, eq=False)
class NGram:
    """An n-gram as a sequence model.

    Args:
        vocabulary_size: how many tokens there are.
        options: how far it looks back, and how slowly it believes.
        tree: what was counted.
        weights: `(33,)` from 0 to 1: how much to trust the piece itself, by the length of the longest match.

    Example:
        >>> tune = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
        >>> model = NGram.fit([tune], 3, NGramOptions(order=3, caution=0.0))
        >>> float(np.exp(model.log_probs(tune[None, :]))[0, 4, 1].round(2))
        0.94
    """

    vocabulary_size: int
    options: NGramOptions
    tree: ContextTree
    weights: Floats

    @classmethod
    def fit(
        cls, sequences: Sequence[NDArray[np.integer]], vocabulary_size: int, options: NGramOptions | None = None
    ) -> NGram:
        """Count training pieces; the in-piece model has no weight until `tune`.

        Args:
            sequences: `(steps,)` tokens of each piece.
            vocabulary_size: how many tokens there are.
            options: its shape; the defaults where left out.

        Raises:
            CorpusError: nothing to count.
            UsageError: tokens outside the vocabulary.
        """
        options = options or NGramOptions()
        if not any(len(sequence) for sequence in sequences):
            raise CorpusError(
                "there is no piece to count n-grams in", "give a corpus with melodies in its training part"
            )
        _check(sequences, vocabulary_size)
        tree = ContextTree.of(sequences, vocabulary_size, options.order)
        return cls(vocabulary_size, options, tree, np.zeros(LONGEST_MATCH + 1))

    def tune(self, sequences: Sequence[NDArray[np.integer]], rounds: int = 30) -> NGram:
        """The same counts with the in-piece weights that held-out pieces find most likely.

        Args:
            sequences: `(steps,)` tokens of pieces that were not counted.
            rounds: rounds of expectation maximisation.
        """
        _check(sequences, self.vocabulary_size)
        parts = [self._both(np.asarray(sequence, dtype=np.int64)) for sequence in sequences if len(sequence)]
        if not parts:
            raise CorpusError(
                "there is no piece to tune the n-gram on", "give a corpus with melodies in its valid part"
            )
        by_training, by_piece, longest = (np.concatenate(column) for column in zip(*parts, strict=True))
        weights = np.full(LONGEST_MATCH + 1, 0.5)
        kinds = np.bincount(longest, minlength=LONGEST_MATCH + 1)
        for _ in range(rounds):
            copied = weights[longest] * by_piece
            share = copied / (copied + (1.0 - weights[longest]) * by_training)
            everywhere = share.mean()
            sums = np.bincount(longest, share, minlength=LONGEST_MATCH + 1)
            weights = (sums + _PRIOR_STEPS * everywhere) / (kinds + _PRIOR_STEPS)
        return replace(self, weights=weights)

    def plain(self) -> NGram:
        """The same without the in-piece model."""
        return replace(self, weights=np.zeros_like(self.weights))

    def start(self, melodies: int) -> tuple[Floats, NGramState]:
        """`(melodies, vocabulary)` log p of the first token, and the state."""
        nothing = np.zeros((melodies, 0), dtype=np.int64)
        state = NGramState(nothing, nothing)
        return self._predict(state), state

    def step(self, tokens: Any, state: NGramState) -> tuple[Floats, NGramState]:  # noqa: ANN401
        """`(melodies, vocabulary)` log p of the next token after one more of each melody, and the state."""
        column = numpy_of(tokens).astype(np.int64)[:, None]
        _check([column[:, 0]], self.vocabulary_size)
        lines = np.concatenate([state.lines, column], axis=1)
        matches = np.zeros_like(lines)
        if lines.shape[1] > 1:
            matches[:, 1:-1] = state.matches[:, :-1]  # what ended one step earlier is now one longer, or broken
            matches = np.where(lines == column, np.minimum(matches + 1, LONGEST_MATCH), 0)
            matches[:, -1] = 0
        state = NGramState(lines, matches)
        return self._predict(state), state

    def log_probs(self, tokens: Any) -> Floats:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` log p of each step given the tokens before it."""
        lines = np.ascontiguousarray(numpy_of(tokens), dtype=np.int64)
        _check([lines.ravel()], self.vocabulary_size)
        log_p = np.empty((*lines.shape, self.vocabulary_size))
        kernels.predict_all(lines, *self._counted(), self.weights, log_p)
        return log_p

    def _predict(self, state: NGramState) -> Floats:
        log_p = np.empty((len(state.lines), self.vocabulary_size))
        kernels.predict(state.lines, state.matches, *self._counted(), self.weights, log_p)
        return log_p

    def _both(self, line: Ints) -> tuple[Floats, Floats, Ints]:
        return kernels.both(line, *self._counted(), LONGEST_MATCH, self.vocabulary_size)

    def _counted(self) -> tuple[Ints, Ints, Ints, Ints, int, float, float]:
        tree, options = self.tree, self.options
        shape = options.order, options.caution, options.caution_in_piece
        return tree.edges, tree.first, tree.followers, tree.counts, *shape


def _check(sequences: Sequence[NDArray[np.integer]], vocabulary_size: int) -> None:
    for sequence in sequences:
        if len(sequence) and not (int(np.min(sequence)) >= 0 and int(np.max(sequence)) < vocabulary_size):
            raise UsageError(
                f"tokens run from {int(np.min(sequence))} to {int(np.max(sequence))}",
                f"the model's vocabulary has 0..{vocabulary_size - 1}",
            )
