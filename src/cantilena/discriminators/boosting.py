"""The listener that knows phrases: boosted trees on n-grams and features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from cantilena.discriminators.examples import Examples
from cantilena.discriminators.vocabulary import Vocabulary

_SEEDS = 2**31


@dataclass(frozen=True)
class Boosting:
    """Gradient boosting of small trees on counts of the most used n-grams, and on musical features.

    J. H. Friedman, Greedy Function Approximation: A Gradient Boosting Machine, Annals of Statistics 29, 2001; trees on
    histograms as in LightGBM (G. Ke et al., NeurIPS 2017).

    Args:
        words: by n, how many n-grams are counted.
        rounds: how many trees.
        rate: how much each tree adds.
        leaves: of each tree at most.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> heard = Examples(GridEncoding().line(np.array([[14, 16, 18, 19]] * 40 + [[14, 14, 14, 14]] * 40)))
        >>> scorer = Boosting().fit(heard, np.arange(80) >= 40, np.random.default_rng(1))
        >>> bool(np.all((scorer.score(heard) > 0.5) == (np.arange(80) >= 40)))
        True
    """

    words: Mapping[int, int] = field(default_factory=lambda: {1: 64, 2: 96, 3: 96, 4: 64})
    rounds: int = 120
    rate: float = 0.08
    leaves: int = 8

    def fit(self, examples: Examples, generated: NDArray[np.bool_], rng: np.random.Generator) -> BoostingScorer:
        """Learn from examples."""
        vocabulary = Vocabulary.of(examples.notes, dict(self.words))
        trees = HistGradientBoostingClassifier(
            max_iter=self.rounds,
            learning_rate=self.rate,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=10,
            l2_regularization=1.0,
            max_features=0.3,
            early_stopping=False,
            random_state=int(rng.integers(_SEEDS)),
        )
        trees.fit(_columns(examples, vocabulary), generated)
        return BoostingScorer(vocabulary, trees)


@dataclass(frozen=True)
class BoostingScorer:
    """Trees that have learned.

    Args:
        vocabulary: the n-grams that they count.
        trees: what they say of the counts.
    """

    vocabulary: Vocabulary
    trees: HistGradientBoostingClassifier

    def score(self, examples: Examples) -> NDArray[np.float64]:
        """How generated each melody sounds, `(melodies,)`, 0 to 1."""
        if not len(examples):
            return np.zeros(0)
        chances: NDArray[np.float64] = self.trees.predict_proba(_columns(examples, self.vocabulary))[:, 1]
        return chances


def _columns(examples: Examples, vocabulary: Vocabulary) -> NDArray[np.float32]:
    return np.concatenate([vocabulary.counts(examples.notes), examples.features.astype(np.float32)], axis=1)
