"""The listener that weighs musical features: logistic regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from cantilena.discriminators.examples import Examples

_WIDEST = 5.0
"""Standard deviations at which a feature is cut: one melody unlike all others shall not decide."""


@dataclass(frozen=True)
class Logistic:
    """Logistic regression on standardised features and their squares, so that too much and too little can both tell.

        P(generated) = 1 / (1 + exp(-(w . x + v . x^2 + b))),  minimising loss + (|w|^2 + |v|^2) / (2 C)

    Args:
        C: how freely weights grow.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> heard = Examples(GridEncoding().line(np.array([[14, 16, 18, 19]] * 8 + [[14, 14, 14, 14]] * 8)))
        >>> scorer = Logistic().fit(heard, np.arange(16) >= 8, np.random.default_rng(1))
        >>> (scorer.score(heard) > 0.5).tolist() == [False] * 8 + [True] * 8
        True
    """

    C: float = 0.05

    def fit(self, examples: Examples, generated: NDArray[np.bool_], rng: np.random.Generator) -> LogisticScorer:
        """Learn from examples; nothing is drawn."""
        features = examples.features
        middle, spread = features.mean(axis=0), features.std(axis=0)
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
        regression = LogisticRegression(C=self.C, max_iter=5000)
        regression.fit(_widened(features, middle, scale), generated)
        return LogisticScorer(middle, scale, regression)


@dataclass(frozen=True)
class LogisticScorer:
    """A regression that has learned.

    Args:
        middle: `(features,)`: their means.
        scale: `(features,)`: one over their standard deviations, 0 for those that do not vary.
        regression: on features and squares.
    """

    middle: NDArray[np.float64]
    scale: NDArray[np.float64]
    regression: LogisticRegression

    def score(self, examples: Examples) -> NDArray[np.float64]:
        """How generated each melody sounds, `(melodies,)`, 0 to 1."""
        if not len(examples):
            return np.zeros(0)
        wide = _widened(examples.features, self.middle, self.scale)
        chances: NDArray[np.float64] = self.regression.predict_proba(wide)[:, 1]
        return chances


def _widened(
    features: NDArray[np.float64], middle: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    standard = np.clip((features - middle) * scale, -_WIDEST, _WIDEST)
    return np.concatenate([standard, standard**2 - 1.0], axis=1)
