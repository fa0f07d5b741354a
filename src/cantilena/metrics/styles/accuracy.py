"""Accuracy of style classification, with bootstrap intervals by piece and a permutation test."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.intervals import Interval, quantile_bounds, ratios

_CELLS = 2_000_000  # weights in memory at once: 16 MB
_LEVEL = 0.95
_NO_MELODY = "there is no melody of it"
_ONE_PIECE = "all are of one piece"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StylePredictions:
    """A prediction for each melody.

    Args:
        style: `(melodies,)`: the true style of each, 0 .. styles - 1.
        probabilities: `(melodies, styles)`: the predicted probability of each style.
        pieces: `(melodies,)`: the piece of each, 0 and up: melodies of one piece are not independent.

    Examples:
        >>> some = StylePredictions(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]), np.arange(3))
        >>> some.confusion.tolist(), some.balanced_accuracy_of_all
        ([[1.0, 0.0], [0.5, 0.5]], 0.75)
    """

    style: NDArray[np.int64]
    probabilities: Array
    pieces: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.style) == len(self.probabilities) == len(self.pieces):
            raise ValueError(
                f"{len(self.style)} styles, {len(self.probabilities)} predictions, {len(self.pieces)} pieces"
            )

    @property
    def styles(self) -> int:
        """The number of styles."""
        return int(self.probabilities.shape[1])

    @property
    def melodies(self) -> NDArray[np.int64]:
        """`(styles,)`: the number of melodies of each."""
        counts: NDArray[np.int64] = np.bincount(self.style, minlength=self.styles)
        return counts

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """`(melodies,)`: the most probable style of each; of equally probable ones the first."""
        predicted: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def confusion(self) -> Array:
        """`(styles, styles)`: the share of the melodies of each style predicted as each; NaN without melodies."""
        cells = np.bincount(self.style * self.styles + self.predicted, minlength=self.styles**2)
        return ratios(cells.reshape(self.styles, self.styles), self.melodies[:, None])

    @property
    def balanced_accuracy_of_all(self) -> float:
        """The recall of each style, averaged over styles that have melodies; NaN without any."""
        return float(_mean_of_known(np.diag(self.confusion)[None, :])[0])

    def balanced_accuracy(self, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """The balanced accuracy, with its bootstrap interval over pieces.

        K. H. Brodersen et al., The Balanced Accuracy and Its Posterior Distribution, ICPR 2010: all styles have equal
        weight, and chance is 1 / styles whatever the predictions.
        """
        drawn = [_mean_of_known(shares) for shares in self._recalls(rng, resamples)]
        return _interval(self.balanced_accuracy_of_all, drawn)

    def recalls(self, rng: np.random.Generator, *, resamples: int = 1000) -> list[Interval]:
        """The recall of each style with its interval; NaN for a style without melodies, no bounds for one piece."""
        drawn = np.concatenate(list(self._recalls(rng, resamples)))
        known = [_interval(value, [drawn[:, style]]) for style, value in enumerate(np.diag(self.confusion).tolist())]
        return [
            one if self._pieces_of(style) > 1 else Interval(one.value, math.nan, math.nan)
            for style, one in enumerate(known)
        ]

    def auc(self, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """The macro area under the ROC curve, one style against the rest, with its interval.

        T. Fawcett, An Introduction to ROC Analysis, Pattern Recognition Letters 27, 2006, section 9.
        """
        value = float(_mean_of_known(self._areas(np.ones((1, self._count))))[0])
        return _interval(value, [_mean_of_known(self._areas(weights)) for weights in self._drawn(rng, resamples)])

    def p_value(self, rng: np.random.Generator, *, permutations: int = 999) -> float:
        """The p-value of the balanced accuracy when styles are permuted among pieces; 1 if undefined.

        Predictions stay as they are. The melodies of a piece keep one style; pieces with several styles are permuted by
        style.
        """
        if not len(self.style) or len(np.unique(self.style)) < 2:
            return 1.0
        unit, member = np.unique(self.pieces * self.styles + self.style, return_inverse=True)
        own = unit % self.styles
        counts = np.zeros((len(unit), self.styles))
        np.add.at(counts, (member, self.predicted), 1.0)
        size = counts.sum(axis=1)
        as_large, value = 0, self.balanced_accuracy_of_all
        for _ in range(permutations):
            permuted = rng.permutation(own)
            right = np.bincount(permuted, weights=counts[np.arange(len(unit)), permuted], minlength=self.styles)
            shares = ratios(right, np.bincount(permuted, weights=size, minlength=self.styles))
            as_large += bool(_mean_of_known(shares[None, :])[0] >= value - 1e-12)
        return (1 + as_large) / (1 + permutations)

    def reason(self, style: int) -> str:
        """Why the recall of a style, or its bounds, are undefined; "" where they are not."""
        return {0: _NO_MELODY, 1: _ONE_PIECE}.get(self._pieces_of(style), "")

    @cached_property
    def _piece(self) -> NDArray[np.int64]:
        return np.unique(self.pieces, return_inverse=True)[1].astype(np.int64)

    @property
    def _count(self) -> int:
        return int(self._piece.max(initial=-1)) + 1

    def _pieces_of(self, style: int) -> int:
        return len(np.unique(self._piece[self.style == style]))

    def _drawn(self, rng: np.random.Generator, resamples: int) -> Iterator[Array]:
        """The count of each piece in each resample, `(some resamples, pieces)`, in parts that fit the memory."""
        if self._count < 2:
            return
        at_once = max(_CELLS // max(len(self.style), 1), 1)
        for begin in range(0, resamples, at_once):
            some = min(at_once, resamples - begin)
            yield rng.multinomial(self._count, np.full(self._count, 1 / self._count), some).astype(np.float64)

    def _recalls(self, rng: np.random.Generator, resamples: int) -> Iterator[Array]:
        """`(some resamples, styles)`, NaN where no melody of a style was drawn."""
        right, size = np.zeros((2, self._count, self.styles))
        np.add.at(size, (self._piece, self.style), 1.0)
        np.add.at(right, (self._piece, self.style), (self.predicted == self.style).astype(np.float64))
        yield np.full((0, self.styles), np.nan)
        for weights in self._drawn(rng, resamples):
            yield ratios(weights @ right, weights @ size)

    def _areas(self, weights: Array) -> Array:
        """`(draws, styles)`: the area of each style, with pieces weighted by `(draws, pieces)`."""
        areas = np.full((len(weights), self.styles), np.nan)
        for style in range(self.styles if len(self.style) else 0):
            order = np.argsort(self.probabilities[:, style], kind="stable")
            own = self.style[order] == style
            begins = np.flatnonzero(np.diff(self.probabilities[order, style], prepend=-np.inf) > 0)  # groups of ties
            drawn = weights[:, self._piece[order]]
            others = np.add.reduceat(np.where(own, 0.0, drawn), begins, axis=1)
            ours = np.add.reduceat(np.where(own, drawn, 0.0), begins, axis=1)
            below = np.cumsum(others, axis=1) - others / 2
            areas[:, style] = ratios((ours * below).sum(axis=1), ours.sum(axis=1) * others.sum(axis=1))
        return areas


def _mean_of_known(values: Array) -> Array:
    """`(rows,)`: the mean of each row without its NaN; NaN where all are."""
    known = ~np.isnan(values)
    return ratios(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1))


def _interval(value: float, drawn: list[Array]) -> Interval:
    values = np.concatenate([np.zeros(0), *drawn])
    defined = values[~np.isnan(values)]
    if math.isnan(value) or not len(defined):
        return Interval(float(value), math.nan, math.nan)
    return Interval(float(value), *quantile_bounds(defined, _LEVEL))
