"""The paper's baseline: random choice among the most frequent tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.models.policy import LOG_ZERO, to_numpy
from cantilena.tokenizers import check_tokens


@dataclass(frozen=True)
class TopTokens:
    """A uniform distribution over the k most frequent tokens.

    Args:
        vocabulary_size: number of tokens.
        tokens: the most frequent ones.

    Examples:
        >>> TopTokens.fit([np.array([3, 3, 1, 1, 2])], vocabulary_size=5, k=2).tokens
        (1, 3)
    """

    vocabulary_size: int
    tokens: tuple[int, ...]

    @classmethod
    def fit(cls, sequences: Sequence[NDArray[np.integer]], vocabulary_size: int, k: int = 10) -> TopTokens:
        """Count tokens; of equally frequent ones the lower is preferred.

        Raises:
            CorpusError: there is no token.
            UsageError: k is below 1, or a token is not in the vocabulary.
        """
        if k < 1:
            raise UsageError(f"k must be at least 1, got {k}", "give the number of tokens to choose from")
        tokens = check_tokens(np.concatenate([np.zeros(0, dtype=np.int64), *sequences]), vocabulary_size, 1)
        if not len(tokens):
            raise CorpusError("there is no token to count", "give a corpus with melodies in its training part")
        counts = np.bincount(tokens, minlength=vocabulary_size)
        order = np.argsort(-counts, kind="stable")[:k]
        return cls(vocabulary_size, tuple(int(token) for token in sorted(order) if counts[token]))

    def start(self, melodies: int) -> tuple[NDArray[np.float64], int]:
        """`(melodies, vocabulary)` log p; the state is the number of melodies."""
        return np.tile(self._log_p(), (melodies, 1)), melodies

    def step(self, tokens: Any, state: int) -> tuple[NDArray[np.float64], int]:  # noqa: ANN401
        """As `start`."""
        return self.start(state)

    def log_probs(self, tokens: Any) -> NDArray[np.float64]:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` log p."""
        return np.tile(self._log_p(), (*to_numpy(tokens).shape, 1))

    def _log_p(self) -> NDArray[np.float64]:
        log_p = np.full(self.vocabulary_size, LOG_ZERO)
        log_p[list(self.tokens)] = -np.log(len(self.tokens))
        return log_p
