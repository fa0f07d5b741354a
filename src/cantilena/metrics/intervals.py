"""Confidence intervals: bootstrap by piece for ratios of sums, subsampling for statistics of a set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Line

_CELLS = 1_000_000  # weights in memory at once: 8 MB

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its confidence bounds, NaN where they are undefined."""

    value: float
    low: float
    high: float


def ratios(counted: NDArray[Any], out_of: NDArray[Any]) -> Array:
    """Divide elementwise with broadcasting; NaN where the denominator is 0.

    Examples:
        >>> ratios(np.array([1, 0]), np.array([2, 0])).tolist()
        [0.5, nan]
    """
    values = np.full(np.broadcast_shapes(counted.shape, out_of.shape), np.nan)
    np.divide(counted, out_of, out=values, where=np.broadcast_to(out_of > 0, values.shape))
    return values


def bootstrap_ratio(
    counted: NDArray[np.floating],
    out_of: NDArray[np.floating],
    pieces: NDArray[np.generic] | None,
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """A sum over melodies divided by another, with its percentile bootstrap interval by piece.

    Whole pieces are drawn with replacement, since excerpts of one piece are not independent. Resamples whose
    denominator is 0 are left out; with fewer than two pieces there are no bounds.

    Args:
        counted: `(melodies,)` numerators.
        out_of: `(melodies,)` denominators.
        pieces: `(melodies,)` the piece of each melody, as any labels; None where each is its own.
        rng: draws the resamples.
        resamples: the number of resamples.
        level: the coverage.

    Examples:
        >>> hits = np.repeat([0.0, 1.0], 50)
        >>> bootstrap_ratio(hits, np.ones(100), None, np.random.default_rng(1))
        Interval(value=0.5, low=0.4, high=0.6)
    """
    return bootstrap_ratios({"": counted}, {"": out_of}, pieces, rng, resamples=resamples, level=level)[""]


def bootstrap_ratios(
    counted: Mapping[str, NDArray[np.floating]],
    out_of: Mapping[str, NDArray[np.floating]],
    pieces: NDArray[np.generic] | None,
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Many ratios of the same melodies, by metric, each as in `bootstrap_ratio`, from one set of resamples.

    The count of a piece in a resample is its weight; the sums of all metrics in all resamples are then one matrix
    product, `(resamples, pieces) @ (pieces, metrics)`.

    Examples:
        >>> hits, ones = np.repeat([0.0, 1.0], 50), np.ones(100)
        >>> counted, out_of = {"a": hits, "b": 1 - hits}, {"a": ones, "b": ones}
        >>> intervals = bootstrap_ratios(counted, out_of, None, np.random.default_rng(1))
        >>> intervals["a"].low == 1 - intervals["b"].high
        True
    """
    _check_level(level)
    names = list(counted)
    if not names:
        return {}
    above, below = (np.stack([np.asarray(side[name], np.float64) for name in names], 1) for side in (counted, out_of))
    if pieces is not None:
        above, below = by_piece(above, pieces), by_piece(below, pieces)
    values, size = ratios(above.sum(axis=0), below.sum(axis=0)), len(above)
    if size < 2:
        return {name: Interval(float(value), math.nan, math.nan) for name, value in zip(names, values, strict=True)}
    drawn = np.empty((resamples, len(names)))
    at_once = max(_CELLS // size, 1)
    for begin in range(0, resamples, at_once):
        weights = rng.multinomial(size, np.full(size, 1 / size), min(at_once, resamples - begin)).astype(np.float64)
        drawn[begin : begin + len(weights)] = ratios(weights @ above, weights @ below)
    return {
        name: Interval(float(values[column]), *_bounds(drawn[:, column], level)) for column, name in enumerate(names)
    }


def by_piece(values: Array, pieces: NDArray[np.generic]) -> Array:
    """Sum `(melodies, metrics)` values over the melodies of each piece, `(pieces, metrics)`."""
    labels, piece = np.unique(pieces, return_inverse=True)
    sums = np.zeros((len(labels), values.shape[1]))
    np.add.at(sums, piece, values)
    return sums


def subsample_interval(
    statistic: Callable[[Line], float],
    line: Line,
    rng: np.random.Generator,
    *,
    draws: int = 200,
    level: float = 0.95,
    within: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """A statistic of a whole set, such as the share of different melodies, with its interval from half sets.

    Drawing with replacement would itself create duplicates, so halves are drawn without replacement. The deviations of
    sets of m from their mean (not from the value of the whole set, which depends on its size) are rescaled to those of
    a set of n by the factor

        sqrt(m / n) / sqrt(1 - m / n)

    where the first root is for the size and the second for the finite pool: sets drawn without replacement from n
    melodies resemble one another more than sets drawn from the system itself. For exact halves the factor is 1 (without
    the second root, 80 to 85 % of the intervals cover the truth, not 95). D. N. Politis, J. P. Romano, M. Wolf,
    Subsampling, Springer 1999, chapter 2. For a share near 1 the bounds are slightly too narrow, since half a set has a
    quarter of the pairs of duplicates: of 100 sets of 200 melodies, 82 to 86 covered the truth.

    Bounds are clipped to the range of the statistic (`within`).

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.metrics import different_melodies
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(0, 12, (100, 2)))
        >>> subsample_interval(different_melodies, line, np.random.default_rng(1)).value
        0.75
    """
    value = float(statistic(line))
    halves = half_sets(line.melodies, rng, 0 if math.isnan(value) else draws)
    statistics = [statistic(line[np.flatnonzero(half)]) for half in halves]
    return interval_of_halves(value, statistics, line.melodies, level=level, within=within)


def half_sets(melodies: int, rng: np.random.Generator, draws: int = 200) -> NDArray[np.bool_]:
    """Draw random halves of a set, `(draws, melodies)`: which melodies are in each; none of fewer than two melodies."""
    half = melodies // 2
    if half < 1:
        return np.zeros((0, melodies), np.bool_)
    return random_subsets(melodies, half, draws, rng)


def random_subsets(items: int, size: int, draws: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw random subsets of one size, `(draws, items)`: which items are in each."""
    chosen = np.argpartition(rng.random((draws, items)), size - 1, axis=1)[:, :size]
    subsets = np.zeros((draws, items), np.bool_)
    np.put_along_axis(subsets, chosen, values=True, axis=1)
    return subsets


def interval_of_halves(
    value: float,
    statistics: Sequence[float] | Array,
    melodies: int,
    *,
    level: float = 0.95,
    within: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """The interval of a statistic of a set of so many melodies from its values on half sets (`subsample_interval`)."""
    _check_level(level)
    values = np.asarray(statistics, dtype=np.float64)
    defined = values[~np.isnan(values)]
    if not len(defined) or math.isnan(value):
        return Interval(value, math.nan, math.nan)
    share = (melodies // 2) / melodies
    root = math.sqrt(share) / math.sqrt(1 - share)
    low, high = _bounds(np.clip(value - root * (defined - defined.mean()), *within), level)
    return Interval(value, min(low, value), max(high, value))  # halves that are all equal may miss the whole slightly


def quantile_bounds(values: Array, level: float) -> tuple[float, float]:
    """The central quantiles of values; of N draws, the k-th is expected at k / (N + 1)."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], method="weibull")
    return float(low), float(high)


def _bounds(values: Array, level: float) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if not len(defined) or not np.isfinite(defined).all():
        return math.nan, math.nan
    return quantile_bounds(defined, level)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise UsageError(f"the level is {level}", "give a share between 0 and 1, such as 0.95")
