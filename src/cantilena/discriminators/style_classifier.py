"""The listener to styles: a classifier that learns from people's melodies which style a melody is of.

It is not the listener of `listener.py`, which tells people's melodies from generated ones: this one never hears a
generated melody while it learns. What it then tells of generated ones says whether a model that is told a style
composes in it, as far as it can be heard by something that knows people's melodies only.

What the listener to styles hears: melodies of one length with their bars, or with no bars at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from cantilena.discriminators.comparison import as_heard
from cantilena.discriminators.features import Vocabulary, musical_features
from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.rules import Notes
from cantilena.runtime import progress

OF_BARS = ("places", "returns", "meter")
"""The musical features that ask where bars begin."""

_LONGEST_BAR = 24
"""Steps of a bar whose places are told apart, as in 3/2; what lies beyond counts as the last."""


@dataclass(frozen=True)
class StyleExamples:
    """Melodies whose styles are to be told.

    Args:
        line: all of one length.
        steps_per_bar: `(melodies,)`: the bars of each; None where bars shall not be heard, so that a meter gives
            nothing away.

    Example:
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

    def __getitem__(self, rows: Any) -> StyleExamples:  # noqa: ANN401  (whatever numpy takes as an index)
        """Some of the melodies; what was heard in them is not heard anew."""
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
        """Their musical features, `(melodies, numbers)`: each melody by its own bars, or without `OF_BARS`."""
        heard = as_heard(self.line)
        if self.steps_per_bar is None:
            return _joined({name: some for name, some in musical_features(heard).items() if name not in OF_BARS})
        bars, which = np.unique(self.steps_per_bar, return_inverse=True)
        parts = [(which == number, heard[which == number], int(bar)) for number, bar in enumerate(bars)]
        found = [(rows, _joined(_equally_wide(musical_features(some, bar)))) for rows, some, bar in parts]
        features = np.zeros((len(self), found[0][1].shape[1] if found else 0))
        for rows, some in found:
            features[rows] = some
        return features


def _equally_wide(features: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """The same with as many places in every bar."""
    places = features["places"]
    first, beyond = places[:, : _LONGEST_BAR - 1], places[:, _LONGEST_BAR - 1 :]
    wide = np.zeros((len(places), _LONGEST_BAR))
    wide[:, : first.shape[1]], wide[:, -1] = first, beyond.sum(axis=1)
    return {**features, "places": wide}


def _joined(features: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(list(features.values()), axis=1)


FOLDS = 3
"""Parts of people's melodies, by piece, by which settings are chosen: each is judged by what learned from the rest."""

_WIDEST = 5.0
"""Standard deviations at which a number is cut: one melody unlike all others shall not decide."""

_WORDS = {1: 64, 2: 96, 3: 96, 4: 64}
"""By n, how many n-grams are counted."""


class StyleScorer(Protocol):
    """What has learned styles."""

    def chances(self, examples: StyleExamples) -> NDArray[np.float64]:
        """How probable each style is, `(melodies, styles)`; each row adds up to 1."""


class StyleSetting(Protocol):
    """A kind of classifier with its settings."""

    @property
    def name(self) -> str:
        """In words."""

    def fit(self, examples: StyleExamples, style: NDArray[np.int64], rng: np.random.Generator) -> StyleScorer:
        """Learn from melodies and their styles, `(melodies,)` from 0, each of which has a melody at least."""


@dataclass(frozen=True)
class StyleLogistic:
    """Logistic regression on musical features, their squares and counts of n-grams, all standardised.

        P(style k) = exp(w_k . x + b_k) / sum_j exp(w_j . x + b_j),  minimising loss + |w|^2 / (2 C)

    where every style weighs alike in the loss, however many melodies it has.

    Args:
        C: how freely weights grow.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> heard = StyleExamples(GridEncoding().line(np.array([[14, 16, 18, 19]] * 8 + [[14, 14, 14, 14]] * 8)))
        >>> scorer = StyleLogistic().fit(heard, np.repeat([0, 1], 8), np.random.default_rng(1))
        >>> scorer.chances(heard).argmax(axis=1).tolist() == [0] * 8 + [1] * 8
        True
    """

    C: float = 0.01

    @property
    def name(self) -> str:
        """In words."""
        return f"logistic regression, C = {self.C:g}"

    def fit(self, examples: StyleExamples, style: NDArray[np.int64], rng: np.random.Generator) -> StyleScorer:
        """Learn from examples; nothing is drawn."""
        vocabulary = Vocabulary.of(examples.notes, _WORDS)
        numbers = _numbers(examples, vocabulary)
        middle, spread = numbers.mean(axis=0), numbers.std(axis=0)
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
        regression = LogisticRegression(C=self.C, max_iter=5000, class_weight="balanced")
        regression.fit(_standard(numbers, middle, scale), style)
        return _LogisticScorer(vocabulary, middle, scale, regression)


@dataclass(frozen=True)
class _LogisticScorer:
    vocabulary: Vocabulary
    middle: NDArray[np.float64]
    scale: NDArray[np.float64]
    regression: LogisticRegression

    def chances(self, examples: StyleExamples) -> NDArray[np.float64]:
        if not len(examples):
            return np.zeros((0, len(self.regression.classes_)))
        numbers = _standard(_numbers(examples, self.vocabulary), self.middle, self.scale)
        chances: NDArray[np.float64] = self.regression.predict_proba(numbers)
        return chances


SETTINGS: tuple[StyleSetting, ...] = (StyleLogistic(0.001), StyleLogistic(0.01), StyleLogistic(0.1))
"""What is tried, the plainest first. Boosted trees took ten times as long, and on pieces of the built-in corpus
that were held back they were no clear gain: .748 against .744."""


@dataclass(frozen=True)
class StyleListener:
    """A listener that has learned styles.

    Args:
        setting: what was chosen.
        scorer: that setting, having learned from all.
        held_back: `(melodies, styles)`: what the setting answered on each melody that it learned from, while the
            pieces of the melody's own part were held back.
        tried: by setting, the share that was right on parts held back, the mean over styles.
    """

    setting: str
    scorer: StyleScorer
    held_back: NDArray[np.float64]
    tried: dict[str, float]

    @classmethod
    def learn(
        cls,
        examples: StyleExamples,
        style: NDArray[np.int64],
        pieces: NDArray[np.generic],
        rng: np.random.Generator,
        settings: Sequence[StyleSetting] = SETTINGS,
        *,
        quiet: bool = False,
    ) -> StyleListener:
        """Choose among settings by the parts of the melodies that each has not heard, then learn from all.

        Args:
            examples: people's melodies.
            style: `(melodies,)`: the style of each, 0 .. styles - 1.
            pieces: `(melodies,)`: the piece of each, as any labels: melodies of one piece are never split.
            rng: splits, and draws whatever a setting draws.
            settings: those to choose from; of equal ones the first.
            quiet: show no progress.

        Raises:
            UsageError: fewer than two styles, or one that lies in too few pieces to be split.

        Example:
            >>> from cantilena.tokenizers import GridEncoding
            >>> tokens = np.array([[14, 16, 18, 19]] * 30 + [[14, 14, 14, 14]] * 30)
            >>> heard, style = StyleExamples(GridEncoding().line(tokens)), np.repeat([0, 1], 30)
            >>> known = StyleListener.learn(heard, style, np.arange(60), np.random.default_rng(1), quiet=True)
            >>> known.setting, (known.held_back.argmax(axis=1) == style).mean()
            ('logistic regression, C = 0.001', np.float64(1.0))
        """
        styles = int(style.max(initial=-1)) + 1
        fold = parts_by_piece(style, pieces, rng)
        if styles < 2 or any(len(np.unique(fold[style == one])) < FOLDS for one in range(styles)):
            raise UsageError(
                "a listener cannot learn these styles", f"give two styles or more, each of {FOLDS} pieces at least"
            )
        examples.features  # noqa: B018  (heard once for all parts)
        answered: dict[str, NDArray[np.float64]] = {}
        with progress("Learning styles", total=len(settings) * FOLDS + 1, unit="classifiers", quiet=quiet) as bar:
            for setting in settings:
                answers = np.zeros((len(examples), styles))
                for part in range(FOLDS):
                    learned = np.flatnonzero(fold != part)
                    scorer = setting.fit(examples[learned], style[learned], rng)
                    answers[fold == part] = scorer.chances(examples[np.flatnonzero(fold == part)])
                    bar.advance(1, setting.name)
                answered[setting.name] = answers
            tried = {name: _balanced(answers, style) for name, answers in answered.items()}
            best = max(settings, key=lambda setting: tried[setting.name])
            scorer = best.fit(examples, style, rng)
            bar.advance(1, best.name)
        return cls(best.name, scorer, answered[best.name], tried)


def parts_by_piece(
    style: NDArray[np.int64], pieces: NDArray[np.generic], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Which of `FOLDS` parts each melody falls to, `(melodies,)`: whole pieces, the pieces of each style dealt evenly.

    Args:
        style: `(melodies,)`: of each.
        pieces: `(melodies,)`: its piece; one with several styles goes with the first of them.
        rng: deals.

    Example:
        >>> parts = parts_by_piece(np.repeat([0, 1], 6), np.repeat(np.arange(6), 2), np.random.default_rng(1))
        >>> [sorted(parts[:6].tolist()), sorted(parts[6:].tolist())], bool((parts[::2] == parts[1::2]).all())
        ([[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]], True)
    """
    labels, first, piece = np.unique(np.asarray(pieces), return_index=True, return_inverse=True)
    part = np.zeros(len(labels), dtype=np.int64)
    for one in np.unique(style):
        own = rng.permutation(np.flatnonzero(style[first] == one))
        part[own] = np.arange(len(own)) % FOLDS
    return part[piece]


def _balanced(chances: NDArray[np.float64], style: NDArray[np.int64]) -> float:
    right = chances.argmax(axis=1) == style
    return float(np.mean([right[style == one].mean() for one in np.unique(style)]))


def _numbers(examples: StyleExamples, vocabulary: Vocabulary) -> NDArray[np.float64]:
    counts = np.log1p(vocabulary.counts(examples.notes).astype(np.float64))
    return np.concatenate([examples.features, examples.features**2, counts], axis=1)


def _standard(
    numbers: NDArray[np.float64], middle: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.clip((numbers - middle) * scale, -_WIDEST, _WIDEST)
