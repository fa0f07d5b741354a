"""How sure a number is: 95 % intervals for rates over pieces and for numbers of a set.

Every random draw comes from the generator that is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
        Interval(value=0.5, low=0.4, high=0.6)
    """
    found = bootstrap_ratios({"": counted}, {"": out_of}, pieces, rng, resamples=resamples, level=level)
    return found[""]


def bootstrap_ratios(
    counted: Mapping[str, NDArray[np.floating]],
    out_of: Mapping[str, NDArray[np.floating]],
    pieces: NDArray[np.generic] | None,
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Many ratios of the same melodies, each as `bootstrap_ratio` has it, from one set of draws.

    How often a piece is drawn is a weight; the sums of all metrics in all draws are then one product of matrices,
    `(resamples, pieces) @ (pieces, metrics)`.

    Args:
        counted: by metric, `(melodies,)` numerators.
        out_of: by metric, `(melodies,)` denominators.
        pieces: `(melodies,)` the piece of each melody, as any labels; None where each is its own.
        rng: where the draws come from.
        resamples: how many draws.
        level: how much of the draws lies between the bounds.

    Example:
        >>> hits, some = np.repeat([0.0, 1.0], 50), np.ones(100)
        >>> found = bootstrap_ratios({"a": hits, "b": 1 - hits}, {"a": some, "b": some}, None, np.random.default_rng(1))
        >>> found["a"].low == 1 - found["b"].high
        True
    """
    _check_level(level)
    names = list(counted)
    if not names:
        return {}
    above, below = (np.stack([np.asarray(side[name], np.float64) for name in names], 1) for side in (counted, out_of))
    if pieces is not None:
        above, below = by_piece(above, pieces), by_piece(below, pieces)
    values, size = _ratios(above.sum(axis=0), below.sum(axis=0)), len(above)
    if size < 2:
        return {name: Interval(float(value), math.nan, math.nan) for name, value in zip(names, values, strict=True)}
    drawn = np.empty((resamples, len(names)))
    at_once = max(_CELLS // size, 1)
    for begin in range(0, resamples, at_once):
        weights = rng.multinomial(size, np.full(size, 1 / size), min(at_once, resamples - begin)).astype(np.float64)
        drawn[begin : begin + len(weights)] = _ratios(weights @ above, weights @ below)
    return {
        name: Interval(float(values[column]), *_bounds(drawn[:, column], level)) for column, name in enumerate(names)
    }


def by_piece(values: NDArray[np.float64], pieces: NDArray[np.generic]) -> NDArray[np.float64]:
    """`(melodies, metrics)` values added up over the melodies of each piece, `(pieces, metrics)`."""
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
    """A number of a whole set, such as the share of different melodies, with its interval from half sets.

    Drawing melodies twice would itself make duplicates, so halves are drawn without replacement. The deviations of
    sets of m from their mean (not from the whole set's number, which depends on the size of the set) are rescaled to
    those of a set of n by the root

        sqrt(m / n) / sqrt(1 - m / n)

    where the first factor is for the size and the second for the pool: sets drawn without replacement from n melodies
    resemble one another more than sets drawn from the system itself. For exact halves the root is 1 (sqrt(m / n) alone
    covers the truth in some 80 to 85 % of sets, not 95). D. N. Politis, J. P. Romano, M. Wolf, Subsampling, Springer
    1999, chapter 2. A share near 1 has bounds a little too narrow, since half a set holds a quarter of the pairs of
    duplicates: of 100 sets of 200 melodies, 82 to 86 held the truth.

    Args:
        statistic: the number of a set of melodies.
        line: the set.
        rng: where the draws come from.
        draws: how many half sets.
        level: how much of the deviations lies between the bounds.
        within: what values the number can have; a share by default.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.metrics import different_melodies
        >>> line = GridEncoding().line(np.random.default_rng(1).integers(0, 12, (100, 2)))
        >>> subsample_interval(different_melodies, line, np.random.default_rng(1)).value
        0.75
    """
    value = float(statistic(line))
    halves = half_sets(line.melodies, rng, 0 if math.isnan(value) else draws)
    return interval_of_halves(
        value, [statistic(line[np.flatnonzero(half)]) for half in halves], line.melodies, level=level, within=within
    )


def half_sets(melodies: int, rng: np.random.Generator, draws: int = 200) -> NDArray[np.bool_]:
    """Random halves of a set, `(draws, melodies)`: which melodies are in each; none of a set of fewer than two.

    Args:
        melodies: how many there are.
        rng: where the draws come from.
        draws: how many halves.
    """
    half = melodies // 2
    if half < 1:
        return np.zeros((0, melodies), np.bool_)
    chosen = np.argpartition(rng.random((draws, melodies)), half - 1, axis=1)[:, :half]
    halves = np.zeros((draws, melodies), np.bool_)
    np.put_along_axis(halves, chosen, values=True, axis=1)
    return halves


def interval_of_halves(
    value: float,
    statistics: Sequence[float] | NDArray[np.float64],
    melodies: int,
    *,
    level: float = 0.95,
    within: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """The interval of a set's number from the numbers of its halves, as `subsample_interval` explains.

    Args:
        value: the number of the whole set.
        statistics: those of halves of it.
        melodies: how many the whole set has.
        level: how much of the deviations lies between the bounds.
        within: what values the number can have.
    """
    _check_level(level)
    numbers = np.asarray(statistics, dtype=np.float64)
    defined = numbers[~np.isnan(numbers)]
    if not len(defined) or math.isnan(value):
        return Interval(value, math.nan, math.nan)
    share = (melodies // 2) / melodies
    root = math.sqrt(share) / math.sqrt(1 - share)
    low, high = _bounds(np.clip(value - root * (defined - defined.mean()), *within), level)
    return Interval(value, min(low, value), max(high, value))  # halves that are all alike may miss the whole a little


def _ratios(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums as ratios, NaN over 0."""
    ratios = np.full(above.shape, np.nan)
    np.divide(above, below, out=ratios, where=below > 0)
    return ratios


def _bounds(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if not len(defined) or not np.isfinite(defined).all():
        return math.nan, math.nan
    # Of N draws the k-th is expected to lie at k / (N + 1): other definitions are too narrow where draws are few.
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2], method="weibull")
    return float(low), float(high)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise UsageError(f"a level of {level}", "give a share between 0 and 1, such as 0.95")
