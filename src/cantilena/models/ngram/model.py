"""An n-gram with an in-piece copy model, the baseline that networks should beat.

Long-term: an interpolated n-gram over the training pieces, smoothed by the number of different followers as in Witten
and Bell (1991, IEEE Transactions on Information Theory 37), with the caution of `NGramOptions`. In-piece: the same over
the piece so far, backing off to the long-term model. The weight of the mixture depends on the length of the longest
match of the end of the piece with an earlier part, and is fitted on held-out pieces by expectation maximisation.

Where not every token may follow every other, as of notes (`NotesEncoding`), both count only those that may come next;
others have probability 0. An n-gram is not told how long a melody will be, nor the conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError
from cantilena.models.ngram import kernels
from cantilena.models.ngram.counts import MAX_MATCH, ContextTree
from cantilena.models.ngram.options import NGramOptions
from cantilena.models.policy import to_numpy
from cantilena.tokenizers import check_tokens

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_PRIOR_STEPS = 20.0
"""The weight of a length of match that occurs less often than this is close to the mean weight."""


@dataclass(frozen=True, slots=True)
class NGramState:
    """The pieces so far, `(melodies, steps)`, and their matches with their own ends; immutable."""

    lines: Ints
    matches: Ints


@dataclass(frozen=True, eq=False)
class NGram:
    """An n-gram as a sequence model.

    Args:
        vocabulary_size: number of tokens.
        options: its shape.
        tree: the counts.
        weights: `(33,)` from 0 to 1: the weight of the in-piece model, by the length of the longest match.
        allowed: `(vocabulary + 1, 2)`: the first token that may follow each token and the one after the last, at the
            end those of the first token (`allowed_after`); by default all tokens.

    Examples:
        >>> tune = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
        >>> model = NGram.fit([tune], 3, NGramOptions(order=3, caution=0.0))
        >>> float(np.exp(model.log_probs(tune[None, :]))[0, 4, 1].round(2))
        0.94
    """

    vocabulary_size: int
    options: NGramOptions
    tree: ContextTree
    weights: Floats
    allowed: Ints | None = None

    @classmethod
    def fit(
        cls,
        sequences: Sequence[NDArray[np.integer]],
        vocabulary_size: int,
        options: NGramOptions | None = None,
        allowed: Ints | None = None,
    ) -> NGram:
        """Count training pieces, `(steps,)` tokens each; the in-piece model has no weight until `tune`.

        Args:
            sequences: the pieces.
            vocabulary_size: number of tokens.
            options: its shape.
            allowed: as of `NGram`.

        Raises:
            CorpusError: there is no token.
            UsageError: a token is not in the vocabulary.
        """
        options = options or NGramOptions()
        pieces = [check_tokens(sequence, vocabulary_size, 1) for sequence in sequences]
        if not any(map(len, pieces)):
            raise CorpusError(
                "there is no piece to count n-grams in", "give a corpus with melodies in its training part"
            )
        tree = ContextTree.count(pieces, vocabulary_size, options.order)
        return cls(vocabulary_size, options, tree, np.zeros(MAX_MATCH + 1), allowed)

    def tune(self, sequences: Sequence[NDArray[np.integer]], rounds: int = 30) -> NGram:
        """The same counts with the in-piece weights that maximise the likelihood of held-out pieces.

        Raises:
            CorpusError: there is no token.
            UsageError: a token is not in the vocabulary.
        """
        pieces = [check_tokens(sequence, self.vocabulary_size, 1) for sequence in sequences if len(sequence)]
        if not pieces:
            raise CorpusError(
                "there is no piece to tune the n-gram on", "give a corpus with melodies in its valid part"
            )
        parts = [kernels.step_probabilities(p, *self._counts(), MAX_MATCH, self.vocabulary_size) for p in pieces]
        by_training, by_piece, longest = (np.concatenate(column) for column in zip(*parts, strict=True))
        weights = np.full(MAX_MATCH + 1, 0.5)
        occurrences = np.bincount(longest, minlength=MAX_MATCH + 1)
        for _ in range(rounds):
            copied = weights[longest] * by_piece
            share = copied / (copied + (1.0 - weights[longest]) * by_training)
            mean = share.mean()
            sums = np.bincount(longest, share, minlength=MAX_MATCH + 1)
            weights = (sums + _PRIOR_STEPS * mean) / (occurrences + _PRIOR_STEPS)
        return replace(self, weights=weights)

    def plain(self) -> NGram:
        """The same without the in-piece model."""
        return replace(self, weights=np.zeros_like(self.weights))

    def start(self, melodies: int) -> tuple[Floats, NGramState]:
        """`(melodies, vocabulary)` log p of the first token, and the state."""
        empty = np.zeros((melodies, 0), dtype=np.int64)
        return self._predict(NGramState(empty, empty))

    def step(self, tokens: Any, state: NGramState) -> tuple[Floats, NGramState]:  # noqa: ANN401
        """`(melodies, vocabulary)` log p of the next token after `(melodies,)` tokens, and the new state."""
        column = check_tokens(to_numpy(tokens), self.vocabulary_size, 1)[:, None]
        lines = np.concatenate([state.lines, column], axis=1)
        matches = np.zeros_like(lines)
        if lines.shape[1] > 1:
            matches[:, 1:-1] = state.matches[:, :-1]  # a match that ended one step earlier grows by one, or breaks
            matches = np.where(lines == column, np.minimum(matches + 1, MAX_MATCH), 0)
            matches[:, -1] = 0
        return self._predict(NGramState(lines, matches))

    def log_probs(self, tokens: Any) -> Floats:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` log p of each step given the tokens before it."""
        lines = np.ascontiguousarray(check_tokens(to_numpy(tokens), self.vocabulary_size, 2))
        log_p = np.empty((*lines.shape, self.vocabulary_size))
        kernels.predict_all(lines, *self._counts(), self.weights, log_p)
        return log_p

    def _predict(self, state: NGramState) -> tuple[Floats, NGramState]:
        log_p = np.empty((len(state.lines), self.vocabulary_size))
        kernels.predict(state.lines, state.matches, *self._counts(), self.weights, log_p)
        return log_p, state

    def _counts(self) -> tuple[Ints, Ints, Ints, Ints, Ints, int, float, float]:
        tree, options, allowed = self.tree, self.options, self.allowed
        if allowed is None:
            allowed = np.tile([0, self.vocabulary_size], (self.vocabulary_size + 1, 1))
        shape = options.order, options.caution, options.caution_in_piece
        return tree.edges, tree.first, tree.followers, tree.counts, allowed, *shape
