"""How well styles are told apart: what a listener answered of melodies, in numbers and how sure those are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.intervals import Interval

_CELLS = 2_000_000  # drawn at once: 16 MB
_LEVEL = 0.95
_NO_MELODY = "there is no melody of it"
_ONE_PIECE = "all are of one piece"


@dataclass(frozen=True)
class StylePredictions:
    """One answer for each melody.

    Args:
        style: `(melodies,)`: which style each is of, 0 .. styles - 1.
        chances: `(melodies, styles)`: how probable each style sounded.
        pieces: `(melodies,)`: the piece of each, 0 and up: melodies of one piece are not independent.

    Example:
        >>> told = StylePredictions(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]), np.arange(3))
        >>> told.confusion.tolist(), told.balanced_accuracy_of_all
        ([[1.0, 0.0], [0.5, 0.5]], 0.75)
    """

    style: NDArray[np.int64]
    chances: NDArray[np.float64]
    pieces: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.style) == len(self.chances) == len(self.pieces):
            raise ValueError(f"{len(self.style)} styles, {len(self.chances)} answers, {len(self.pieces)} pieces")

    @property
    def styles(self) -> int:
        """How many there are."""
        return int(self.chances.shape[1])

    @property
    def melodies(self) -> NDArray[np.int64]:
        """`(styles,)`: how many melodies are of each."""
        counts: NDArray[np.int64] = np.bincount(self.style, minlength=self.styles)
        return counts

    @cached_property
    def answered(self) -> NDArray[np.int64]:
        """`(melodies,)`: the most probable style of each; of equally probable ones the first."""
        answered: NDArray[np.int64] = self.chances.argmax(axis=1)
        return answered

    @property
    def confusion(self) -> NDArray[np.float64]:
        """`(styles, styles)`: of the melodies of each style the share that was taken for each; NaN without melodies."""
        cells = np.bincount(self.style * self.styles + self.answered, minlength=self.styles**2)
        return _over(cells.reshape(self.styles, self.styles), self.melodies[:, None])

    @property
    def balanced_accuracy_of_all(self) -> float:
        """The share that is right of each style, the mean over styles that have melodies; NaN without any."""
        return float(_mean_of_known(np.diag(self.confusion)[None, :])[0])

    def balanced_accuracy(self, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """That mean, with its bootstrap interval: pieces are drawn anew.

        K. H. Brodersen et al., The Balanced Accuracy and Its Posterior Distribution, ICPR 2010: a style with many
        melodies weighs as one with few, and chance is 1 / styles whatever is answered most.

        Args:
            rng: draws pieces.
            resamples: how often.
        """
        drawn = [_mean_of_known(shares) for shares in self._recalls(rng, resamples)]
        return _interval(self.balanced_accuracy_of_all, drawn)

    def recalls(self, rng: np.random.Generator, *, resamples: int = 1000) -> list[Interval]:
        """The share that is right of each style, with its interval, likewise; NaN of a style without melodies.

        Where all melodies of a style are of one piece there are no bounds.
        """
        drawn = np.concatenate(list(self._recalls(rng, resamples)))
        known = [_interval(value, [drawn[:, style]]) for style, value in enumerate(np.diag(self.confusion).tolist())]
        return [
            one if self._pieces_of(style) > 1 else Interval(one.value, math.nan, math.nan)
            for style, one in enumerate(known)
        ]

    def auc(self, rng: np.random.Generator, *, resamples: int = 1000) -> Interval:
        """The macro area under the curve, with its interval, likewise.

        Of each style the chance that a melody of it sounds more like it than a melody of another style does; the mean
        over styles (T. Fawcett, An Introduction to ROC Analysis, Pattern Recognition Letters 27, 2006, section 9).

        Args:
            rng: draws pieces.
            resamples: how often.
        """
        whole = np.ones((1, self._count))
        value = float(_mean_of_known(self._areas(whole))[0])
        return _interval(value, [_mean_of_known(self._areas(weights)) for weights in self._drawn(rng, resamples)])

    def p_value(self, rng: np.random.Generator, *, permutations: int = 999) -> float:
        """How often styles dealt anew among pieces are told as well or better, by balanced accuracy; 1 if undefined.

        What was answered stays as it is. The melodies of a piece keep one style, those that are of several styles in
        one piece are dealt by style.

        Args:
            rng: deals.
            permutations: how often.
        """
        if not len(self.style) or len(np.unique(self.style)) < 2:
            return 1.0
        unit, member = np.unique(self.pieces * self.styles + self.style, return_inverse=True)
        own = unit % self.styles
        said = np.zeros((len(unit), self.styles))
        np.add.at(said, (member, self.answered), 1.0)
        size = said.sum(axis=1)
        as_well, value = 0, self.balanced_accuracy_of_all
        for _ in range(permutations):
            dealt = rng.permutation(own)
            right = np.bincount(dealt, weights=said[np.arange(len(unit)), dealt], minlength=self.styles)
            shares = _over(right, np.bincount(dealt, weights=size, minlength=self.styles))
            as_well += bool(_mean_of_known(shares[None, :])[0] >= value - 1e-12)
        return (1 + as_well) / (1 + permutations)

    def reason(self, style: int) -> str:
        """Why the number of a style, or its bounds, are undefined; "" where they are not."""
        return {0: _NO_MELODY, 1: _ONE_PIECE}.get(self._pieces_of(style), "")

    @cached_property
    def _piece(self) -> NDArray[np.int64]:
        return np.unique(self.pieces, return_inverse=True)[1].astype(np.int64)

    @property
    def _count(self) -> int:
        return int(self._piece.max(initial=-1)) + 1

    def _pieces_of(self, style: int) -> int:
        return len(np.unique(self._piece[self.style == style]))

    def _drawn(self, rng: np.random.Generator, resamples: int) -> Iterator[NDArray[np.float64]]:
        """How often each piece counts, `(some resamples, pieces)`, a part of the resamples at a time."""
        if self._count < 2:
            return
        at_once = max(_CELLS // max(len(self.style), 1), 1)
        for begin in range(0, resamples, at_once):
            some = min(at_once, resamples - begin)
            yield rng.multinomial(self._count, np.full(self._count, 1 / self._count), some).astype(np.float64)

    def _recalls(self, rng: np.random.Generator, resamples: int) -> Iterator[NDArray[np.float64]]:
        """`(some resamples, styles)`, NaN where no melody of a style was drawn."""
        right, size = np.zeros((2, self._count, self.styles))
        np.add.at(size, (self._piece, self.style), 1.0)
        np.add.at(right, (self._piece, self.style), (self.answered == self.style).astype(np.float64))
        yield np.full((0, self.styles), np.nan)
        for weights in self._drawn(rng, resamples):
            yield _over(weights @ right, weights @ size)

    def _areas(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(draws, styles)`: the area of each style, each piece counted as often as `(draws, pieces)` says."""
        areas = np.full((len(weights), self.styles), np.nan)
        for style in range(self.styles if len(self.style) else 0):
            order = np.argsort(self.chances[:, style], kind="stable")
            own = self.style[order] == style
            begins = np.flatnonzero(np.diff(self.chances[order, style], prepend=-np.inf) > 0)  # equal ones together
            drawn = weights[:, self._piece[order]]
            others = np.add.reduceat(np.where(own, 0.0, drawn), begins, axis=1)
            ours = np.add.reduceat(np.where(own, drawn, 0.0), begins, axis=1)
            below = np.cumsum(others, axis=1) - others / 2
            areas[:, style] = _over((ours * below).sum(axis=1), ours.sum(axis=1) * others.sum(axis=1))
        return areas


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(rows,)`: the mean of each row without its NaN; NaN where all are."""
    known = ~np.isnan(values)
    return _over(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1))


def _over(counted: NDArray[Any], out_of: NDArray[Any]) -> NDArray[np.float64]:
    """One number over another, NaN over nothing."""
    shares = np.full(np.broadcast_shapes(counted.shape, out_of.shape), np.nan)
    np.divide(counted, out_of, out=shares, where=np.broadcast_to(out_of, shares.shape) > 0)
    return shares


def _interval(value: float, drawn: list[NDArray[np.float64]]) -> Interval:
    values = np.concatenate([np.zeros(0), *drawn])
    defined = values[~np.isnan(values)]
    if math.isnan(value) or not len(defined):
        return Interval(float(value), math.nan, math.nan)
    low, high = np.quantile(defined, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], method="weibull")
    return Interval(float(value), float(low), float(high))
