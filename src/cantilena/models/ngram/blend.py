"""Linear interpolation of a network and an n-gram (Jelinek and Mercer 1980, Pattern Recognition in Practice).

    p(v) = (1 - share) p_network(v) + share p_ngram(v)

Tokens that the network excludes, such as notes of the wrong part or beyond a given length, stay excluded: p_ngram is
normalised over the others.

The share is fitted on held-out pieces by expectation maximisation: the responsibility of the n-gram at a step is share
p_ngram / p of the token there, and the new share is the mean responsibility.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.models.ngram.model import NGram
from cantilena.models.policy import LOG_ZERO, log_softmax, to_numpy
from cantilena.models.protocol import Bars, SequenceModel, Sequences, log_probs_with_bars, start_with_bars

Floats = NDArray[np.floating]

_ROUNDS = 50

_EXCLUDED = LOG_ZERO / 2
"""Tokens of a lower log p are those that a network excludes: no score that it learned is as low."""


@dataclass(frozen=True, eq=False)
class Blend:
    """A mixture of two models as a sequence model, in numpy.

    Args:
        network: any sequence model.
        ngram: of the same vocabulary.
        share: of the n-gram, 0 to 1.

    Raises:
        UsageError: the vocabularies differ, or the share is invalid.

    Examples:
        >>> from cantilena.models import TopTokens
        >>> ngram = NGram.fit([np.array([0, 0, 0])], vocabulary_size=2)
        >>> uniform = TopTokens(vocabulary_size=2, tokens=(0, 1))
        >>> log_p, _ = Blend(uniform, ngram, share=0.0).start(melodies=1)
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
            raise UsageError(f"the share of the n-gram is {self.share:g}", "give a number from 0 to 1")

    @classmethod
    def fit(cls, network: SequenceModel, ngram: NGram, pieces: Sequences) -> Blend:
        """Blend two models with the share that maximises the likelihood of pieces that neither has learned.

        Raises:
            CorpusError: there is no piece.
        """
        if not len(pieces):
            raise CorpusError("there is no piece to tune a blend on", "give a corpus with melodies in its valid part")
        found = [_token_probabilities(network, ngram, pieces, piece) for piece in range(len(pieces))]
        by_network, by_ngram = np.concatenate(found, axis=1)
        share = 0.5
        for _ in range(_ROUNDS):
            weighted = share * by_ngram
            share = float(np.mean(weighted / (weighted + (1.0 - share) * by_network)))
        return cls(network, ngram, share)

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens."""
        return self.ngram.vocabulary_size

    @property
    def uses_bars(self) -> bool:
        """Whether it reads bars."""
        return bool(getattr(self.network, "uses_bars", False))

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Floats, Any]:
        """`(melodies, vocabulary)` log p of the first token, and the state; bars default to 4/4 in sixteenths."""
        by_network, network_state = start_with_bars(self.network, melodies, bars)
        by_ngram, ngram_state = self.ngram.start(melodies)
        return self._mix(by_network, by_ngram), (network_state, ngram_state)

    def step(self, tokens: Any, state: Any) -> tuple[Floats, Any]:  # noqa: ANN401
        """`(melodies, vocabulary)` log p of the next token after `(melodies,)` tokens, and the new state."""
        by_network, network_state = self.network.step(tokens, state[0])
        by_ngram, ngram_state = self.ngram.step(tokens, state[1])
        return self._mix(by_network, by_ngram), (network_state, ngram_state)

    def log_probs(self, tokens: Any, *, bars: Bars | None = None) -> Floats:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` log p of each step given the tokens before it."""
        return self._mix(log_probs_with_bars(self.network, tokens, bars), self.ngram.log_probs(tokens))

    def _mix(self, by_network: Any, by_ngram: Floats) -> Floats:  # noqa: ANN401
        with np.errstate(divide="ignore"):  # the share may be 0 or 1
            shares = np.log([1.0 - self.share, self.share])
        by_network = to_numpy(by_network)
        log_p: Floats = np.logaddexp(shares[0] + by_network, shares[1] + _allowed(by_network, by_ngram))
        return log_p


def _allowed(by_network: Floats, by_ngram: Floats) -> Floats:
    """Log p of the n-gram, normalised over the tokens that the network does not exclude."""
    excluded = by_network < _EXCLUDED
    if not excluded.any():
        return by_ngram
    masked = np.where(excluded, LOG_ZERO, by_ngram)
    allowed: Floats = np.where(excluded, LOG_ZERO, log_softmax(masked))
    return allowed


def _token_probabilities(network: SequenceModel, ngram: NGram, pieces: Sequences, piece: int) -> Floats:
    """`(2, steps)`: the probability of each token of a piece by the network and by the n-gram."""
    tokens = pieces.tokens[piece][None, :]
    bars = pieces.bars[np.array([piece])].without_conditions()
    by_network = to_numpy(log_probs_with_bars(network, tokens, bars))
    both = (by_network, _allowed(by_network, ngram.log_probs(tokens)))
    chosen = [np.take_along_axis(log_p, tokens[..., None], axis=-1)[0, :, 0].astype(np.float64) for log_p in both]
    return np.exp(np.stack(chosen))
