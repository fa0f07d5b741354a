"""Permutation tests of the difference between the rates of two systems, corrected for many tests.

The pieces of both systems are assigned at random to two sides of the same sizes, whole, since melodies of one piece are
not independent:

    p = (1 + number of permutations with |t*| >= |t|) / (1 + number of permutations)

(B. Phipson and G. K. Smyth, Permutation P-values Should Never Be Zero, Statistical Applications in Genetics and
Molecular Biology 9, 2010.) The statistic is the difference d of two rates over its standard error,

    t = d / sqrt(v1 + v2),   v = n / (n - 1) sum (a - r b)^2 / (sum b)^2

for the n pieces of a side, of which each has a of b, and its rate r = sum a / sum b (W. G. Cochran, Sampling
Techniques, 3rd edition, 1977, section 6.4). A test of d itself would ask whether the systems are the same in every
respect: a system that varies less than the reference would differ significantly at an equal rate, and thirty pieces of
thirty excerpts each never from a thousand single melodies. A test of t asks for the rate, exactly if the systems are
the same and asymptotically if only their rates are (E. Chung and J. P. Romano, Exact and Asymptotically Robust
Permutation Tests, Annals of Statistics 41, 2013).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.intervals import by_piece, random_subsets
from cantilena.metrics.rules import RuleCounts

PERMUTATIONS = 1999
"""Random permutations: enough that seventy tests can be significant after correction, (1 / 2000) x 70 < .05."""

FEWEST_WAYS = 40
"""With fewer distinct permutations, no two-sided p-value is below .05."""

UNDEFINED = "one of the two is undefined"
"""Why a value that a system does not have is not tested."""

_ONE_PIECE = "one of the two has it in one piece only"

_CELLS = 1_000_000  # cells in memory at once: 8 MB

_AS_LARGE = 1 - 1e-9
"""Tolerance for the rounding of sums in another order."""

Sums = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """The difference of two systems in one metric.

    Args:
        first: the first system.
        second: the second system.
        metric: the metric.
        value: the second's value minus the first's; None where one of them is undefined.
        p: the p-value; None where it was not or could not be tested.
        adjusted: p after Holm's correction for all metrics of the pair.
        reason: why there is no p.
    """

    first: str
    second: str
    metric: str
    value: float | None
    p: float | None = None
    adjusted: float | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON values, numbers to six digits."""
        numbers = ((name, getattr(self, name)) for name in ("value", "p", "adjusted"))
        digits = {name: None if number is None else round(number, 6) for name, number in numbers}
        record = {"first": self.first, "second": self.second, "metric": self.metric, **digits}
        return record | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True)
class Side:
    """One of two systems that are compared.

    Args:
        name: of the system.
        counts: of its melodies.
        pieces: `(melodies,)`: the piece of each, as any labels; None where each is its own.
    """

    name: str
    counts: RuleCounts
    pieces: NDArray[np.generic] | None = None


def rate_differences(
    first: Side, second: Side, rng: np.random.Generator, *, permutations: int = PERMUTATIONS
) -> list[Difference]:
    """Test every rate that both systems have: the sum of numerators over the sum of denominators.

    All metrics share the permutations: their sums are one matrix product, `(permutations, pieces) @ (pieces, metrics)`.
    Labels of pieces count within a side only. A piece of which both systems have melodies is permuted as two: the test
    is then conservative, since the two parts differ less than two pieces do. Permutations in which a side has nothing
    to count are left out.

    Examples:
        >>> low, high = (RuleCounts.from_pairs({"x": (np.full(30, k), np.full(30, 10))}) for k in (1, 4))
        >>> [round(one.p, 4) for one in rate_differences(Side("a", low), Side("b", high), np.random.default_rng(1))]
        [0.0005]
    """
    names = [name for name in first.counts.names if name in second.counts.counted]
    if not names:
        return []
    sides = [_by_piece(side, names) for side in (first, second)]
    above, below = (np.concatenate([side[which] for side in sides]) for which in (0, 1))
    ours, pieces = len(sides[0][0]), len(above)
    values = _rates(sides[1][0].sum(0), sides[1][1].sum(0)) - _rates(sides[0][0].sum(0), sides[0][1].sum(0))
    reason = untestable_reason(pieces, ours)
    p_values = np.full(len(names), np.nan) if reason else _p_values(above, below, ours, rng, permutations)
    differences = []
    for name, value, p in zip(names, values.tolist(), p_values.tolist(), strict=True):
        if math.isfinite(p):
            differences.append(Difference(first.name, second.name, name, value, p))
        else:
            known = math.isfinite(value)
            why = reason or (_ONE_PIECE if known else UNDEFINED)
            differences.append(Difference(first.name, second.name, name, value if known else None, reason=why))
    return differences


def random_permutations(
    pieces: int, ours: int, permutations: int, rng: np.random.Generator
) -> Iterator[NDArray[np.bool_]]:
    """Draw which pieces are on the first side, `ours` of all: `(permutations, pieces)`, in parts that fit the memory.

    Examples:
        >>> [first.sum(axis=1).tolist() for first in random_permutations(5, 2, 3, np.random.default_rng(1))]
        [[2, 2, 2]]
    """
    at_once = max(_CELLS // pieces, 1)
    for begin in range(0, permutations, at_once):
        yield random_subsets(pieces, ours, min(at_once, permutations - begin), rng)


def untestable_reason(pieces: int, ours: int) -> str:
    """Why so many pieces of both sides, `ours` of the first, are too few for a test; "" where they are enough.

    Examples:
        >>> untestable_reason(6, 3), untestable_reason(60, 30)
        ('6 pieces can be dealt in 20 ways only', '')
    """
    if ours in (0, pieces):
        return "one of the two has no melody"
    ways = math.comb(pieces, ours)
    return f"{pieces} pieces can be dealt in {ways} ways only" if ways < FEWEST_WAYS else ""


def _p_values(above: Sums, below: Sums, ours: int, rng: np.random.Generator, permutations: int) -> Sums:
    """`(metrics,)`: the p-value of each; NaN where the observed difference has no standard error.

    Args:
        above: `(pieces, metrics)`: the numerators of each piece of both systems, the first's first.
        below: `(pieces, metrics)`: the denominators.
        ours: the number of pieces of the first system.
        rng: draws the permutations.
        permutations: their number.
    """
    left = above - below * _rates(above.sum(0), below.sum(0))  # residuals from the pooled rate
    columns = [left, below, left * left, left * below, below * below, (below > 0).astype(np.float64)]
    stacked = np.concatenate(columns, axis=1)
    total = stacked.sum(axis=0)
    identity = (np.arange(len(above)) < ours).astype(np.float64)[None]
    observed = _abs_t(identity @ stacked, total)[0]
    as_large, defined = np.zeros(above.shape[1]), np.zeros(above.shape[1])
    for first in random_permutations(len(above), ours, permutations, rng):
        t = _abs_t(first.astype(np.float64) @ stacked, total)
        as_large += (t >= observed * _AS_LARGE).sum(axis=0)
        defined += (~np.isnan(t)).sum(axis=0)
    return np.where(np.isnan(observed), np.nan, (1 + as_large) / (1 + defined))


def _abs_t(sums: Sums, total: Sums) -> Sums:
    """`(permutations, metrics)`: |t| of each; infinite where neither side varies, NaN where a side has no rate.

    Args:
        sums: `(permutations, 6 metrics)`: the column sums of a first side, as `_p_values` stacks them.
        total: `(6 metrics,)`: those of both.
    """
    squares = np.split(total, 6)[2]
    rates, variances = [], []
    for side in (sums, total - sums):
        left, below, left_left, left_below, below_below, pieces = np.split(side, 6, axis=1)
        rate = _rates(left, below)
        spread = left_left - 2 * rate * left_below + rate * rate * below_below
        spread = np.where(spread > 1e-12 * squares, spread, 0.0)  # rounding error counts as 0
        rates.append(rate)
        variances.append(_rates(pieces, pieces - 1) * _rates(spread, below * below))
    d, error = np.abs(rates[1] - rates[0]), np.sqrt(variances[0] + variances[1])
    t = np.where(d > 1e-9, np.inf, 0.0)
    np.divide(d, error, out=t, where=error > 0)
    return np.where(np.isnan(d) | np.isnan(error), np.nan, t)


def _by_piece(side: Side, names: Sequence[str]) -> tuple[Sums, Sums]:
    """`(pieces, metrics)`: numerators and denominators of each piece."""
    parts = (side.counts.counted, side.counts.out_of)
    above, below = (np.stack([part[name] for name in names], axis=1).astype(np.float64) for part in parts)
    return (above, below) if side.pieces is None else (by_piece(above, side.pieces), by_piece(below, side.pieces))


def _rates(above: Sums, below: Sums) -> Sums:
    """Divide with broadcasting; NaN where the denominator is 0 up to rounding."""
    rate = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=rate, where=below > 0.5e-9)
    return rate


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The same with Holm's correction, as one family, such as all metrics of a pair of systems.

    Examples:
        >>> some = [Difference("a", "b", "x", 1.0, p) for p in (0.01, 0.04, None)]
        >>> [one.adjusted for one in corrected(some)]
        [0.02, 0.04, None]
    """
    adjusted = holm([one.p for one in differences])
    return [replace(one, adjusted=p) for one, p in zip(differences, adjusted, strict=True)]


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values by Holm's method; None stays None and does not count.

    S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979: of m
    p-values in ascending order, the k-th becomes the maximum of (m - j + 1) p_j over j = 1..k, at most 1. Rejecting
    what is at most .05 keeps the family-wise error rate at .05 under any dependence.

    Examples:
        >>> holm([0.03, 0.01, None, 0.04])
        [0.06, 0.03, None, 0.06]
    """
    tested = sorted((value, place) for place, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    highest = 0.0
    for rank, (value, place) in enumerate(tested):
        highest = max(highest, min((len(tested) - rank) * value, 1.0))
        adjusted[place] = highest
    return adjusted
