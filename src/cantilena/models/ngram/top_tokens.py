"""The paper's baseline: random choice among the most frequent tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.models.policy import NEVER, numpy_of


@dataclass(frozen=True)
class TopTokens:
    """Each of the k most frequent tokens with the same chance, whatever came before.

    Args:
        vocabulary_size: how many tokens there are.
        tokens: the most frequent ones.

    Example:
        >>> TopTokens.fit([np.array([3, 3, 1, 1, 2])], vocabulary_size=5, k=2).tokens
        (1, 3)
    """

    vocabulary_size: int
    tokens: tuple[int, ...]

    @classmethod
    def fit(cls, sequences: Sequence[NDArray[np.integer]], vocabulary_size: int, k: int = 10) -> TopTokens:
        """Count tokens; of two that are equally frequent the lower comes first.

        Raises:
            CorpusError: nothing to count.
            UsageError: no token asked for, or tokens outside the vocabulary.
        """
        if k < 1:
            raise UsageError(f"the {k} most frequent tokens", "give 1 or more")
        heard = np.concatenate([np.zeros(0, dtype=np.int64), *sequences]).astype(np.int64)
        if not len(heard):
            raise CorpusError("there is no token to count", "give a corpus with melodies in its training part")
        counts = np.bincount(heard, minlength=vocabulary_size)
        if len(counts) > vocabulary_size:
            raise UsageError(f"a token {len(counts) - 1}", f"the vocabulary has 0..{vocabulary_size - 1}")
        order = np.argsort(-counts, kind="stable")[:k]
        return cls(vocabulary_size, tuple(int(token) for token in sorted(order) if counts[token]))

    def start(self, melodies: int) -> tuple[NDArray[np.float64], int]:
        """`(melodies, vocabulary)` log p of the first token; the state is the number of melodies."""
        return np.tile(self._log_p(), (melodies, 1)), melodies

    def step(self, tokens: Any, state: int) -> tuple[NDArray[np.float64], int]:  # noqa: ANN401
        """The same again."""
        return self.start(state)

    def log_probs(self, tokens: Any) -> NDArray[np.float64]:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` log p."""
        return np.tile(self._log_p(), (*numpy_of(tokens).shape, 1))

    def _log_p(self) -> NDArray[np.float64]:
        log_p = np.full(self.vocabulary_size, NEVER)
        log_p[list(self.tokens)] = -np.log(len(self.tokens))
        return log_p
