"""Differences between the rates of two systems, each with the p-value of a permutation test.

Whole pieces are dealt out anew (`permutations`), since melodies of one piece are not independent, and a difference is told
where hardly any deal has one as large:

    p = (1 + number of deals with |t*| >= |t|) / (1 + number of deals)

(B. Phipson and G. K. Smyth, Permutation P-values Should Never Be Zero, Statistical Applications in Genetics and
Molecular Biology 9, 2010.) What is compared is the difference d of two rates over its standard error,

    t = d / sqrt(v1 + v2),   v = n / (n - 1) sum (a - r b)^2 / (sum b)^2

for the n pieces of a side, of which each has a of b, and its rate r = sum a / sum b (W. G. Cochran, Sampling
Techniques, 3rd edition, 1977, section 6.4). Were d itself compared, the test would ask whether the systems are alike in
everything: a system that varies less than people would be told apart where its rate is the same, and thirty pieces of
thirty excerpts each would never be told from a thousand single melodies. With t it asks for the rate, exactly where
the systems are one and nearly where only their rates are (E. Chung and J. P. Romano, Exact and Asymptotically Robust
Permutation Tests, Annals of Statistics 41, 2013).

What two systems made, dealt out anew at random: the draws of a permutation test.

If two systems were one, it would not matter which of them a piece is from. So the pieces of both are dealt to two
sides, as many to each as it has.

Holm's correction: many numbers are tested, and chance alone makes one in twenty of them look different.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.intervals import by_piece
from cantilena.metrics.rules import RuleCounts

PERMUTATIONS = 1999
"""Random deals: enough that seventy tests can hold after correction, (1 / 2000) x 70 < .05."""

FEWEST_WAYS = 40
"""With fewer ways to deal, no two-sided p-value is below .05."""

_CELLS = 1_000_000  # dealt at once: 8 MB


def random_permutations(
    pieces: int, ours: int, permutations: int, rng: np.random.Generator
) -> Iterator[NDArray[np.bool_]]:
    """Which pieces fall to the first side in each deal, `(some permutations, pieces)`, a part of the deals at a time.

    Args:
        pieces: how many both sides have together.
        ours: how many of them the first side gets.
        deals: how many times.
        rng: deals.

    Example:
        >>> [dealt.sum(axis=1).tolist() for dealt in random_permutations(5, 2, 3, np.random.default_rng(1))]
        [[2, 2, 2]]
    """
    at_once = max(_CELLS // pieces, 1)
    for begin in range(0, permutations, at_once):
        some = min(at_once, permutations - begin)
        chosen = np.argpartition(rng.random((some, pieces)), ours - 1, axis=1)[:, :ours]
        dealt = np.zeros((some, pieces), np.bool_)
        np.put_along_axis(dealt, chosen, values=True, axis=1)
        yield dealt


def too_few(pieces: int, ours: int) -> str:
    """Why so many pieces cannot be tested; "" where they can.

    Args:
        pieces: how many both sides have together.
        ours: how many of them the first side has.

    Example:
        >>> too_few(6, 3), too_few(60, 30)
        ('6 pieces can be dealt in 20 ways only', '')
    """
    if ours in (0, pieces):
        return "one of the two has no melody"
    ways = math.comb(pieces, ours)
    return f"{pieces} pieces can be dealt in {ways} ways only" if ways < FEWEST_WAYS else ""


UNDEFINED = "one of the two is undefined"
"""Why a number that a system does not have is not tested."""

_ONE_PIECE = "one of the two has it in one piece only"

_AS_LARGE = 1 - 1e-9
"""The last bits of a sum depend on its order: what is equal but for them is as large."""

Sums = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """How two systems differ in one number.

    Args:
        first: the system that the other is held beside.
        second: the other.
        metric: the number.
        value: the second's less the first's; None where one of them is undefined.
        p: how often chance alone differs as much; None where it was not or could not be tested.
        adjusted: p after Holm's correction for all numbers of the pair.
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
        numbers = {name: _digits(getattr(self, name)) for name in ("value", "p", "adjusted")}
        told = {"first": self.first, "second": self.second, "metric": self.metric, **numbers}
        return told | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True)
class Side:
    """One of two systems that are compared.

    Args:
        name: of the system.
        counts: what was counted in each of its melodies.
        pieces: `(melodies,)`: the piece of each, as any labels; None where each is its own.
    """

    name: str
    counts: RuleCounts
    pieces: NDArray[np.generic] | None = None


def rate_differences(
    first: Side, second: Side, rng: np.random.Generator, *, permutations: int = PERMUTATIONS
) -> list[Difference]:
    """Test every rate that both systems have: the sum of what was counted over the sum of what it is out of.

    All metrics share the deals: their sums are one product of matrices, `(deals, pieces) @ (pieces, metrics)`. Labels
    of pieces count within a side alone. A piece that both systems have melodies of is dealt as two: the test then tells
    too little rather than too much, since what both have of a piece differs less than what two pieces have. Deals in
    which one side has nothing to count are left out.

    Args:
        first: the system that the other is held beside.
        second: the other.
        rng: deals.
        deals: how many times.

    Example:
        >>> low, high = (RuleCounts.from_pairs({"x": (np.full(30, k), np.full(30, 10))}) for k in (1, 4))
        >>> [round(one.p, 4) for one in rate_differences(Side("a", low), Side("b", high), np.random.default_rng(1))]
        [0.0005]
    """
    names = [name for name in first.counts.names if name in second.counts.counted]
    if not names:
        return []
    sides = [_counted(side, names) for side in (first, second)]
    above, below = (np.concatenate([side[which] for side in sides]) for which in (0, 1))
    ours, pieces = len(sides[0][0]), len(above)
    values = _over(sides[1][0].sum(0), sides[1][1].sum(0)) - _over(sides[0][0].sum(0), sides[0][1].sum(0))
    reason = too_few(pieces, ours)
    chances = np.full(len(names), np.nan) if reason else _chances(above, below, ours, rng, permutations)
    found = []
    for name, value, p in zip(names, values.tolist(), chances.tolist(), strict=True):
        if math.isfinite(p):
            found.append(Difference(first.name, second.name, name, value, p))
        else:
            known = math.isfinite(value)
            why = reason or (_ONE_PIECE if known else UNDEFINED)
            found.append(Difference(first.name, second.name, name, value if known else None, reason=why))
    return found


def _chances(above: Sums, below: Sums, ours: int, rng: np.random.Generator, permutations: int) -> Sums:
    """`(metrics,)`: the p-value of each; NaN where the difference of the systems themselves has no standard error.

    Args:
        above: `(pieces, metrics)`: what was counted in each piece of both systems, the first's first.
        below: `(pieces, metrics)`: what it is out of.
        ours: how many pieces the first has.
        rng: deals.
        deals: how many times.
    """
    left = above - below * _over(above.sum(0), below.sum(0))  # what a piece has beyond the rate of all
    columns = [left, below, left * left, left * below, below * below, (below > 0).astype(np.float64)]
    stacked = np.concatenate(columns, axis=1)
    total = stacked.sum(axis=0)
    as_dealt = (np.arange(len(above)) < ours).astype(np.float64)[None]
    found = _distance(as_dealt @ stacked, total)[0]
    as_large, defined = np.zeros(above.shape[1]), np.zeros(above.shape[1])
    for dealt in random_permutations(len(above), ours, permutations, rng):
        distance = _distance(dealt.astype(np.float64) @ stacked, total)
        as_large += (distance >= found * _AS_LARGE).sum(axis=0)
        defined += (~np.isnan(distance)).sum(axis=0)
    return np.where(np.isnan(found), np.nan, (1 + as_large) / (1 + defined))


def _distance(sums: Sums, total: Sums) -> Sums:
    """`(permutations, metrics)`: |t| of each deal; infinite where neither side varies, NaN where one cannot be judged.

    Args:
        sums: `(permutations, 6 metrics)`: the sums of a first side's columns, as `_chances` stacks them.
        total: `(6 metrics,)`: those of both.
    """
    squares = np.split(total, 6)[2]
    rates, variances = [], []
    for side in (sums, total - sums):
        left, below, left_left, left_below, below_below, pieces = np.split(side, 6, axis=1)
        rate = _over(left, below)
        spread = left_left - 2 * rate * left_below + rate * rate * below_below
        spread = np.where(spread > 1e-12 * squares, spread, 0.0)  # nothing but rounding is nothing
        rates.append(rate)
        variances.append(_over(pieces, pieces - 1) * _over(spread, below * below))
    d, error = np.abs(rates[1] - rates[0]), np.sqrt(variances[0] + variances[1])
    t = np.where(d > 1e-9, np.inf, 0.0)
    np.divide(d, error, out=t, where=error > 0)
    return np.where(np.isnan(d) | np.isnan(error), np.nan, t)


def _counted(side: Side, names: Sequence[str]) -> tuple[Sums, Sums]:
    """`(pieces, metrics)`: what was counted in each piece, and out of what."""
    parts = (side.counts.counted, side.counts.out_of)
    above, below = (np.stack([part[name] for name in names], axis=1).astype(np.float64) for part in parts)
    return (above, below) if side.pieces is None else (by_piece(above, side.pieces), by_piece(below, side.pieces))


def _over(above: Sums, below: Sums) -> Sums:
    """Sums as rates, NaN over 0 or less."""
    rate = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=rate, where=below > 0.5e-9)
    return rate


def _digits(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The same with Holm's correction: all of them together are one family.

    Args:
        differences: those that are told together, such as all numbers of a pair of systems.

    Example:
        >>> some = [Difference("a", "b", "x", 1.0, p) for p in (0.01, 0.04, None)]
        >>> [one.adjusted for one in corrected(some)]
        [0.02, 0.04, None]
    """
    adjusted = holm([one.p for one in differences])
    return [replace(one, adjusted=p) for one, p in zip(differences, adjusted, strict=True)]


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values; those that are None stay so, and do not count.

    S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979: of m
    p-values in ascending order, the k-th becomes the largest of (m - j + 1) p_j for j = 1..k, 1 at most. To reject what
    is not above .05 then errs anywhere in the family with a probability of .05 at most, however the tests depend.

    Args:
        p: of each test, 0 to 1; None where there was none.

    Example:
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
