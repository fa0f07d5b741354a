"""The listener that counts only length, range and notes: a control, which must not be enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from cantilena.discriminators.examples import Examples
from cantilena.discriminators.features import trivial_features

_SEEDS = 2**31


@dataclass(frozen=True)
class Trivial:
    """A few small trees on length, range and the number of notes.

    Args:
        rounds: how many trees.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> heard = Examples(GridEncoding().line(np.array([[14, 1, 14, 1]] * 40 + [[14, 14, 14, 14]] * 40)))
        >>> scorer = Trivial().fit(heard, np.arange(80) >= 40, np.random.default_rng(1))
        >>> bool(np.all((scorer.score(heard) > 0.5) == (np.arange(80) >= 40)))
        True
    """

    rounds: int = 30

    def fit(self, examples: Examples, generated: NDArray[np.bool_], rng: np.random.Generator) -> TrivialScorer:
        """Learn from examples."""
        trees = HistGradientBoostingClassifier(
            max_iter=self.rounds,
            max_leaf_nodes=4,
            min_samples_leaf=10,
            early_stopping=False,
            random_state=int(rng.integers(_SEEDS)),
        )
        trees.fit(trivial_features(examples.line), generated)
        return TrivialScorer(trees)


@dataclass(frozen=True)
class TrivialScorer:
    """Trees that have learned.

    Args:
        trees: what they say of length, range and notes.
    """

    trees: HistGradientBoostingClassifier

    def score(self, examples: Examples) -> NDArray[np.float64]:
        """How generated each melody sounds, `(melodies,)`, 0 to 1."""
        if not len(examples):
            return np.zeros(0)
        chances: NDArray[np.float64] = self.trees.predict_proba(trivial_features(examples.line))[:, 1]
        return chances
