"""How sure a number is: 95 % intervals for rates over pieces and for numbers of a set.

Every random draw comes from the generator that is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Line

_CELLS = 1_000_000  # drawn at once: 8 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and the bounds it lies between, NaN where they are undefined.

    Args:
        value: the number itself, of all melodies.
        low: the lower bound.
        high: the upper bound.
    """

    value: float
    low: float
    high: float


def bootstrap_ratio(
    counted: NDArray[np.floating],
    out_of: NDArray[np.floating],
    pieces: NDArray[np.generic] | None,
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """A sum over melodies divided by another, with its bootstrap interval by piece (percentiles).

    Whole pieces are drawn with replacement, so that excerpts of one piece are not taken for independent. Draws whose
    denominator is 0 are left out; with fewer than two pieces there are no bounds.

    Args:
        counted: `(melodies,)` numerators.
        out_of: `(melodies,)` denominators.
        pieces: `(melodies,)` the piece of each melody, as any labels; None where each is its own.
        rng: where the draws come from.
        resamples: how many draws.
        level: how much of the draws lies between the bounds.

    Example:
        >>> hits = np.repeat([0.0, 1.0], 50)
        >>> bootstrap_ratio(hits, np.ones(100), None, np.random.default_rng(1))
        Interval(value=0.5, low=0.4, high=0.59)
    """
    _check_level(level)
    pairs = np.stack([np.asarray(counted, dtype=np.float64), np.asarray(out_of, dtype=np.float64)], axis=1)
    value = _ratios(pairs.sum(axis=0)[None])[0]
    if pieces is not None:
        labels, piece = np.unique(pieces, return_inverse=True)
        by_piece = np.zeros((len(labels), 2))
        np.add.at(by_piece, piece, pairs)
        pairs = by_piece
    size = len(pairs)
    if size < 2:
        return Interval(float(value), math.nan, math.nan)
    sums = np.empty((resamples, 2))
    at_once = max(_CELLS // size, 1)
    for begin in range(0, resamples, at_once):
        draws = rng.integers(0, size, (min(at_once, resamples - begin), size))
        sums[begin : begin + len(draws)] = pairs[draws].sum(axis=1)
    low, high = _bounds(_ratios(sums), level)
    return Interval(float(value), low, high)


def subsample_interval(
    statistic: Callable[[Line], float],
    line: Line,
    rng: np.random.Generator,
    *,
    draws: int = 200,
    level: float = 0.95,
    within: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """A number of a whole set, such as the share of different melodies, with its interval from half sets.

    Drawing melodies twice would itself make duplicates, so halves are drawn without replacement. The deviations of
    sets of m from their mean (not from the whole set's number, which depends on the size of the set) are rescaled to
    those of a set of n by the root

        sqrt(m / n) / sqrt(1 - m / n)

    where the first factor is for the size and the second for the pool: sets drawn without replacement from n melodies
    resemble one another more than sets drawn from the system itself. For exact halves the root is 1 (sqrt(m / n) alone
    covers the truth in some 80 to 85 % of sets, not 95). D. N. Politis, J. P. Romano, M. Wolf, Subsampling, Springer
    1999, chapter 2. A share near 1 has bounds a little too narrow: half a set holds less than half of its duplicates.

    Args:
        statistic: the number of a set of melodies.
        line: the set.
        rng: where the draws come from.
        draws: how many half sets.
        level: how much of the deviations lies between the bounds.
        within: what values the number can have; a share by default.

    Example:
        >>> from cantilena.encoding import GridEncoding
        >>> from cantilena.evaluation import different_melodies
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(0, 12, (100, 2)))
        >>> subsample_interval(different_melodies, line, np.random.default_rng(1)).value
        0.75
    """
    _check_level(level)
    value = float(statistic(line))
    half = line.melodies // 2
    if half < 1 or math.isnan(value):
        return Interval(value, math.nan, math.nan)
    halves = np.array([statistic(_half(line, half, rng)) for _ in range(draws)], dtype=np.float64)
    defined = halves[~np.isnan(halves)]
    if not len(defined):
        return Interval(value, math.nan, math.nan)
    share = half / line.melodies
    root = math.sqrt(share) / math.sqrt(1 - share)
    low, high = _bounds(np.clip(value - root * (defined - defined.mean()), *within), level)
    return Interval(value, low, high)


def _half(line: Line, half: int, rng: np.random.Generator) -> Line:
    rows = np.sort(rng.choice(line.melodies, size=half, replace=False))
    return line[rows]


def _ratios(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(draws, 2)` sums as ratios, NaN over 0."""
    ratios = np.full(len(sums), np.nan)
    np.divide(sums[:, 0], sums[:, 1], out=ratios, where=sums[:, 1] > 0)
    return ratios


def _bounds(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if not len(defined) or not np.isfinite(defined).all():
        return math.nan, math.nan
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise UsageError(f"a level of {level}", "give a share between 0 and 1, such as 0.95")
