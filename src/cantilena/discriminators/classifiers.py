"""What every listener is: something that learns from examples and then says how generated others sound.

The listener that weighs musical features: logistic regression.

The listener that knows phrases: boosted trees on n-grams and features.

The listener that counts only length, range and notes: a control, which must not be enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from cantilena.discriminators.comparison import Examples
from cantilena.discriminators.features import Vocabulary, trivial_features
from cantilena.errors import UsageError


class Scorer(Protocol):
    """A listener that has learned."""

    def score(self, examples: Examples) -> NDArray[np.float64]:
        """How generated each melody sounds, `(melodies,)`: 0 human, 1 generated."""


class Family(Protocol):
    """A kind of classifier. One that rewards, one that stops a run and one that judges are different members."""

    def fit(self, examples: Examples, generated: NDArray[np.bool_], rng: np.random.Generator) -> Scorer:
        """Learn to tell generated melodies from others.

        Args:
            examples: as many of each kind, all of one length.
            generated: `(melodies,)`: which are generated.
            rng: where all its randomness comes from.
        """


def family(name: str, device: str = "auto") -> Family:
    """The kind of classifier of that name: one in `options.FAMILIES`, or the control `trivial`.

    Args:
        name: of the kind.
        device: where a network learns.

    Raises:
        UsageError: there is none.

    Example:
        >>> type(family("logistic")).__name__
        'Logistic'
    """
    match name:
        case "logistic":
            return Logistic()
        case "boosting":
            return Boosting()
        case "gru":
            from cantilena.discriminators.recurrent import Recurrent

            return Recurrent(device=device)
        case "trivial":
            return Trivial()
    raise UsageError(f"there is no classifier '{name}'", "choose logistic, boosting, gru or trivial")


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
