"""A classifier of styles, trained on human melodies.

Unlike the two-sample test it never sees generated melodies in training. Its predictions for generated ones show whether
a model that is conditioned on a style composes in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from cantilena.discriminators.comparison import canonical_rests
from cantilena.discriminators.features import NgramVocabulary, Standardizer, musical_features
from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.rules import Notes
from cantilena.runtime import progress

METRICAL_FEATURES = ("places", "returns", "meter")
"""The sets of musical features that depend on bars."""

UNUSED_FEATURES = ("ends", "phrases", "runs")
"""Sets of musical features that were not part of the measured classifiers of styles."""

FOLDS = 3
"""Folds of cross-validation, by piece."""

REGULARIZATION = (0.001, 0.01, 0.1)
"""The values of C that are tried, the strongest regularisation first. Boosted trees took ten times as long and were no
clear improvement on held-out pieces of the built-in corpus: .748 against .744."""

_MAX_BAR = 24
"""Positions in the bar that are distinguished, as in 3/2; later ones count as the last."""

_NGRAMS = {1: 64, 2: 96, 3: 96, 4: 64}
"""By n, the number of n-grams that are counted."""


@dataclass(frozen=True)
class StyleExamples:
    """Melodies to classify by style, with cached features.

    Args:
        line: melodies of one length.
        steps_per_bar: `(melodies,)`: steps in a bar of each; None to ignore bars, so that the meter reveals nothing.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 1, 18], [14, 1, 1, 1]]))
        >>> with_bars, without = StyleExamples(line, np.array([4, 3])), StyleExamples(line)
        >>> len(with_bars), with_bars.features.shape[1] - without.features.shape[1]
        (2, 38)
    """

    line: Line
    steps_per_bar: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self.line.melodies

    def __getitem__(self, rows: Any) -> StyleExamples:  # noqa: ANN401  (any index of numpy)
        """Some of the melodies, with their cached features."""
        some = StyleExamples(self.line[rows], None if self.steps_per_bar is None else self.steps_per_bar[rows])
        if "features" in self.__dict__:
            some.__dict__["features"] = self.features[rows]
        return some

    @cached_property
    def notes(self) -> Notes:
        """Their notes."""
        return Notes.from_line(self.line)

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """Their musical features, `(melodies, features)`: by the bars of each, or without `METRICAL_FEATURES`."""
        line = canonical_rests(self.line)
        if self.steps_per_bar is None:
            sets = musical_features(line)
            left_out = (*METRICAL_FEATURES, *UNUSED_FEATURES)
            return np.concatenate([sets[name] for name in sets if name not in left_out], axis=1)
        rows_by_bar = [(self.steps_per_bar == bar, int(bar)) for bar in np.unique(self.steps_per_bar)]
        parts = [(rows, _with_equal_bars(musical_features(line[rows], bar))) for rows, bar in rows_by_bar]
        features = np.zeros((len(self), parts[0][1].shape[1] if parts else 0))
        for rows, values in parts:
            features[rows] = values
        return features


def _with_equal_bars(sets: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The features with the same number of positions for every bar."""
    places = sets["places"]
    wide = np.zeros((len(places), _MAX_BAR))
    inside = places[:, : _MAX_BAR - 1]
    wide[:, : inside.shape[1]], wide[:, -1] = inside, places[:, _MAX_BAR - 1 :].sum(axis=1)
    used = {name: values for name, values in sets.items() if name not in UNUSED_FEATURES}
    return np.concatenate(list({**used, "places": wide}.values()), axis=1)


@dataclass(frozen=True)
class StyleLogisticRegression:
    """Logistic regression on standardised musical features, their squares and n-gram counts.

        P(style k) = exp(w_k . x + b_k) / sum_j exp(w_j . x + b_j),  minimising loss + |w|^2 / (2 C)

    Each style has the same weight in the loss, whatever its number of melodies.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> examples = StyleExamples(GridEncoding().line(np.array([[14, 16, 18, 19]] * 8 + [[14, 14, 14, 14]] * 8)))
        >>> fitted = StyleLogisticRegression.fit(examples, np.repeat([0, 1], 8), C=0.01)
        >>> fitted.predict_proba(examples).argmax(axis=1).tolist() == [0] * 8 + [1] * 8
        True
    """

    vocabulary: NgramVocabulary
    standardize: Standardizer
    regression: LogisticRegression

    @classmethod
    def fit(cls, examples: StyleExamples, style: NDArray[np.int64], C: float) -> StyleLogisticRegression:
        """Train on melodies and their styles, `(melodies,)` from 0, with inverse regularisation strength C."""
        vocabulary = NgramVocabulary.fit(examples.notes, _NGRAMS)
        columns = _columns(examples, vocabulary)
        standardize = Standardizer.fit(columns)
        regression = LogisticRegression(C=C, max_iter=5000, class_weight="balanced")
        return cls(vocabulary, standardize, regression.fit(standardize(columns), style))

    def predict_proba(self, examples: StyleExamples) -> NDArray[np.float64]:
        """The probability of each style, `(melodies, styles)`."""
        if not len(examples):
            return np.zeros((0, len(self.regression.classes_)))
        columns = self.standardize(_columns(examples, self.vocabulary))
        probabilities: NDArray[np.float64] = self.regression.predict_proba(columns)
        return probabilities


def _columns(examples: StyleExamples, vocabulary: NgramVocabulary) -> NDArray[np.float64]:
    counts = np.log1p(vocabulary.counts(examples.notes).astype(np.float64))
    return np.concatenate([examples.features, examples.features**2, counts], axis=1)


@dataclass(frozen=True)
class StyleClassifier:
    """A trained classifier of styles.

    Args:
        setting: the chosen setting in words.
        model: trained with it on all melodies.
        out_of_fold: `(melodies, styles)`: the prediction for each training melody by a model that was trained without
            the pieces of its fold.
        tried: by setting, the accuracy of the out-of-fold predictions, averaged over styles.
    """

    setting: str
    model: StyleLogisticRegression
    out_of_fold: NDArray[np.float64]
    tried: dict[str, float]

    @classmethod
    def fit(
        cls,
        examples: StyleExamples,
        style: NDArray[np.int64],
        pieces: NDArray[np.generic],
        rng: np.random.Generator,
        regularization: Sequence[float] = REGULARIZATION,
        *,
        quiet: bool = False,
    ) -> StyleClassifier:
        """Choose the regularisation by cross-validation, then train on all melodies.

        Args:
            examples: human melodies.
            style: `(melodies,)`: the style of each, 0 .. styles - 1.
            pieces: `(melodies,)`: the piece of each, as any labels; melodies of one piece are never split.
            rng: draws the folds.
            regularization: values of C; of equally good ones the first is taken.
            quiet: show no progress.

        Raises:
            UsageError: there are fewer than two styles, or a style has fewer pieces than there are folds.

        Examples:
            >>> from cantilena.tokenizers import GridEncoding
            >>> tokens = np.array([[14, 16, 18, 19]] * 30 + [[14, 14, 14, 14]] * 30)
            >>> examples, style = StyleExamples(GridEncoding().line(tokens)), np.repeat([0, 1], 30)
            >>> fitted = StyleClassifier.fit(examples, style, np.arange(60), np.random.default_rng(1), quiet=True)
            >>> fitted.setting, (fitted.out_of_fold.argmax(axis=1) == style).mean()
            ('logistic regression, C = 0.001', np.float64(1.0))
        """
        styles = int(style.max(initial=-1)) + 1
        fold = folds_by_piece(style, pieces, rng)
        if styles < 2 or any(len(np.unique(fold[style == one])) < FOLDS for one in range(styles)):
            raise UsageError(
                "there are too few styles or pieces", f"give at least two styles with at least {FOLDS} pieces each"
            )
        examples.features  # noqa: B018  (computes them once for all folds)
        names = {C: f"logistic regression, C = {C:g}" for C in regularization}
        predicted = {name: np.zeros((len(examples), styles)) for name in names.values()}
        with progress("Learning styles", total=len(names) * FOLDS + 1, unit="classifiers", quiet=quiet) as bar:
            for C, name in names.items():
                for number in range(FOLDS):
                    train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
                    model = StyleLogisticRegression.fit(examples[train], style[train], C)
                    predicted[name][test] = model.predict_proba(examples[test])
                    bar.advance(1, name)
            tried = {name: _balanced_accuracy(made, style) for name, made in predicted.items()}
            best = max(names, key=lambda C: tried[names[C]])
            model = StyleLogisticRegression.fit(examples, style, best)
            bar.advance(1, names[best])
        return cls(names[best], model, predicted[names[best]], tried)

    def predict_proba(self, examples: StyleExamples) -> NDArray[np.float64]:
        """The probability of each style, `(melodies, styles)`."""
        return self.model.predict_proba(examples)


def folds_by_piece(
    style: NDArray[np.int64], pieces: NDArray[np.generic], rng: np.random.Generator
) -> NDArray[np.int64]:
    """The fold of each melody, `(melodies,)`: whole pieces, with the pieces of each style spread evenly.

    A piece with several styles counts for that of its first melody.

    Examples:
        >>> folds = folds_by_piece(np.repeat([0, 1], 6), np.repeat(np.arange(6), 2), np.random.default_rng(1))
        >>> [sorted(folds[:6].tolist()), sorted(folds[6:].tolist())], bool((folds[::2] == folds[1::2]).all())
        ([[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]], True)
    """
    labels, first, piece = np.unique(np.asarray(pieces), return_index=True, return_inverse=True)
    fold = np.zeros(len(labels), dtype=np.int64)
    for one in np.unique(style):
        own = rng.permutation(np.flatnonzero(style[first] == one))
        fold[own] = np.arange(len(own)) % FOLDS
    return fold[piece]


def _balanced_accuracy(probabilities: NDArray[np.float64], style: NDArray[np.int64]) -> float:
    correct = probabilities.argmax(axis=1) == style
    return float(np.mean([correct[style == one].mean() for one in np.unique(style)]))
