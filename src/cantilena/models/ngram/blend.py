"""A network and an n-gram together: each knows what the other forgets.

A network knows what is likely where it was never heard; an n-gram remembers word for word what the training pieces say.
The two are mixed by one share (linear interpolation; Jelinek and Mercer 1980, Pattern Recognition in Practice),

    p(v) = (1 - share) p_network(v) + share p_ngram(v),

which expectation maximisation finds on held-out pieces: the share of step t that the n-gram earned is
share p_ngram / p(said at t), and the new share is the mean of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.models.ngram.model import NGram
from cantilena.models.policy import numpy_of
from cantilena.models.protocol import Bars, SequenceModel, Sequences, log_probs_in_bars, start_in_bars

Floats = NDArray[np.floating]

_ROUNDS = 50


@dataclass(frozen=True, eq=False)
class Blend:
    """A mixture of two models as a sequence model; it computes in numpy.

    Args:
        network: any sequence model, a network as a rule.
        ngram: counts of the same tokens.
        share: of the n-gram, 0 to 1.

    Raises:
        UsageError: models of different vocabularies, or no share.

    Example:
        >>> from cantilena.models import TopTokens
        >>> ngram = NGram.fit([np.array([0, 0, 0])], vocabulary_size=2)
        >>> even = TopTokens(vocabulary_size=2, tokens=(0, 1))
        >>> log_p, _ = Blend(even, ngram, share=0.0).start(melodies=1)
        >>> np.exp(log_p).tolist()
        [[0.5, 0.5]]
    """

    network: SequenceModel
    ngram: NGram
    share: float

    def __post_init__(self) -> None:
        if self.network.vocabulary_size != self.ngram.vocabulary_size:
            raise UsageError(
                f"a network of {self.network.vocabulary_size} tokens and an n-gram of {self.ngram.vocabulary_size}",
                "blend models of the same encoding",
            )
        if not 0.0 <= self.share <= 1.0:
            raise UsageError(f"an n-gram's share of {self.share:g}", "give a number from 0 to 1")

    @classmethod
    def tuned(cls, network: SequenceModel, ngram: NGram, pieces: Sequences) -> Blend:
        """Mix two models by the share that held-out pieces find most likely.

        Args:
            network: as for `Blend`; in evaluation mode.
            ngram: as for `Blend`.
            pieces: that neither has learned.

        Raises:
            CorpusError: there is no piece.
        """
        if not len(pieces):
            raise CorpusError("there is no piece to tune a blend on", "give a corpus with melodies in its valid part")
        by_network, by_ngram = (
            np.concatenate([_said(model, pieces, piece) for piece in range(len(pieces))]) for model in (network, ngram)
        )
        share = 0.5
        for _ in range(_ROUNDS):
            counted = share * by_ngram
            share = float(np.mean(counted / (counted + (1.0 - share) * by_network)))
        return cls(network, ngram, share)

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are."""
        return self.ngram.vocabulary_size

    @property
    def uses_bars(self) -> bool:
        """Whether it cares where in its bar a step lies."""
        return bool(getattr(self.network, "uses_bars", False))

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Floats, Any]:
        """`(melodies, vocabulary)` log p of the first token, and the state. Bars default to 4/4 in sixteenths."""
        by_network, network_state = start_in_bars(self.network, melodies, bars)
        by_ngram, ngram_state = self.ngram.start(melodies)
        return self._mixed(by_network, by_ngram), (network_state, ngram_state)

    def step(self, tokens: Any, state: Any) -> tuple[Floats, Any]:  # noqa: ANN401
        """`(melodies, vocabulary)` log p of the next token after one more of each melody, and the state."""
        by_network, network_state = self.network.step(tokens, state[0])
        by_ngram, ngram_state = self.ngram.step(tokens, state[1])
        return self._mixed(by_network, by_ngram), (network_state, ngram_state)

    def log_probs(self, tokens: Any, *, bars: Bars | None = None) -> Floats:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` log p of each step given the tokens before it."""
        return self._mixed(log_probs_in_bars(self.network, tokens, bars), self.ngram.log_probs(tokens))

    def _mixed(self, by_network: Any, by_ngram: Floats) -> Floats:  # noqa: ANN401
        with np.errstate(divide="ignore"):  # a share of 0 or 1 leaves one of them out
            shares = np.log([1.0 - self.share, self.share])
        log_p: Floats = np.logaddexp(shares[0] + numpy_of(by_network), shares[1] + by_ngram)
        return log_p


def _said(model: SequenceModel, pieces: Sequences, piece: int) -> Floats:
    """`(steps,)`: the probability of each token of a piece."""
    tokens = pieces.tokens[piece][None, :]
    log_p = numpy_of(log_probs_in_bars(model, tokens, pieces.bars[np.array([piece])].untold()))
    said: Floats = np.exp(np.take_along_axis(log_p, tokens[..., None], axis=-1)[0, :, 0].astype(np.float64))
    return said
