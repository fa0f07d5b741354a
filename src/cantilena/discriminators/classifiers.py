"""The classifiers of the two-sample test: logistic regression, boosted trees, and the trivial control."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import ThreadpoolController

from cantilena.discriminators.comparison import Examples
from cantilena.discriminators.features import GROUPS, NgramVocabulary, Standardizer, trivial_features
from cantilena.errors import UsageError

Features = Callable[[Examples], NDArray[Any]]
"""Computes the `(melodies, columns)` input of a classifier."""

Scores = Callable[[Examples], NDArray[np.float64]]
"""A trained classifier: computes the predicted probability that each melody is generated, `(melodies,)`."""

_NGRAMS = {1: 64, 2: 96, 3: 96, 4: 64}
"""By n, the number of n-grams that are counted."""
_C = 0.05
"""Inverse strength of the regularisation of logistic regression."""


class Classifier(Protocol):
    """A classifier that can be trained."""

    def fit(self, examples: Examples, generated: NDArray[np.bool_], rng: np.random.Generator) -> Scores:
        """Train on examples of human and generated melodies.

        Args:
            examples: as many of each kind, all of one length.
            generated: `(melodies,)`: which are generated.
            rng: the only source of randomness.
        """


def make_classifier(name: str, device: str = "auto") -> Classifier:
    """An untrained classifier by name: one of `options.FAMILIES`, or the control `trivial`.

    Raises:
        UsageError: there is no such classifier.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> examples = Examples(GridEncoding().line(np.array([[14, 1, 18, 1]] * 40 + [[14, 14, 14, 14]] * 40)))
        >>> generated = np.arange(80) >= 40
        >>> for name in ("logistic", "boosting", "trivial"):
        ...     scores = make_classifier(name).fit(examples, generated, np.random.default_rng(1))
        ...     assert np.all((scores(examples) > 0.5) == generated)
    """
    match name:
        case "logistic":
            return logistic_regression(tuple(GROUPS))
        case "boosting":
            return FeatureClassifier(_fit_boosting_features, _boosted_trees)
        case "gru":
            from cantilena.discriminators.recurrent import Recurrent

            return Recurrent(device=device)
        case "trivial":
            return FeatureClassifier(lambda _: lambda examples: trivial_features(examples.line), _trivial_trees)
    raise UsageError(f"unknown classifier '{name}'", "choose logistic, boosting, gru or trivial")


def logistic_regression(groups: Sequence[str]) -> Classifier:
    """Logistic regression on the musical features of some groups of `features.GROUPS` and on their squares.

    With the squares, both too small and too large values can be recognised.

        P(generated) = 1 / (1 + exp(-(w . x + v . x^2 + b))),  minimising loss + (|w|^2 + |v|^2) / (2 C)
    """

    def fit_features(examples: Examples) -> Features:
        standardize = Standardizer.fit(examples.columns(groups))

        def features(some: Examples) -> NDArray[np.float64]:
            values = standardize(some.columns(groups))
            return np.concatenate([values, values**2 - 1.0], axis=1)

        return features

    return FeatureClassifier(fit_features, lambda _: LogisticRegression(C=_C, max_iter=5000))


@dataclass(frozen=True)
class FeatureClassifier:
    """A classifier of scikit-learn on features.

    Args:
        fit_features: returns the features, which may depend on the training examples.
        make_estimator: returns the estimator, with the randomness that it draws.
    """

    fit_features: Callable[[Examples], Features]
    make_estimator: Callable[[np.random.Generator], Any]

    def fit(self, examples: Examples, generated: NDArray[np.bool_], rng: np.random.Generator) -> Scores:
        """Train on examples."""
        features, estimator = self.fit_features(examples), self.make_estimator(rng)
        # On several threads, boosting waits for all of them at every node of a tree: with two on two busy cores it was
        # a hundred times slower than with one.
        with _libraries().limit(limits=1):
            estimator.fit(features(examples), generated)

        def scores(some: Examples) -> NDArray[np.float64]:
            with _libraries().limit(limits=1):
                return estimator.predict_proba(features(some))[:, 1] if len(some) else np.zeros(0)

        return scores


@functools.cache
def _libraries() -> ThreadpoolController:
    """The libraries with threads of their own: those that scikit-learn uses were loaded with it.

    Each look at all that a process has loaded takes up to 20 ms.
    """
    return ThreadpoolController()


def _fit_boosting_features(examples: Examples) -> Features:
    """Counts of the most frequent n-grams, and musical features."""
    vocabulary = NgramVocabulary.fit(examples.notes, _NGRAMS)
    return lambda some: np.concatenate([vocabulary.counts(some.notes), some.features.astype(np.float32)], axis=1)


def _boosted_trees(rng: np.random.Generator) -> HistGradientBoostingClassifier:
    """Gradient boosting of small trees.

    J. H. Friedman, Greedy Function Approximation: A Gradient Boosting Machine, Annals of Statistics 29, 2001; trees on
    histograms as in LightGBM (G. Ke et al., NeurIPS 2017).
    """
    return HistGradientBoostingClassifier(
        max_iter=120,
        learning_rate=0.08,
        max_leaf_nodes=8,
        min_samples_leaf=10,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
        random_state=int(rng.integers(2**31)),
    )


def _trivial_trees(rng: np.random.Generator) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=30,
        max_leaf_nodes=4,
        min_samples_leaf=10,
        early_stopping=False,
        random_state=int(rng.integers(2**31)),
    )
