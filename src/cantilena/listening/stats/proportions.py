"""Shares and how sure they are: Wilson's interval, what trials in common cost, how many trials a claim needs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from cantilena.errors import UsageError
from cantilena.metrics import Interval


def wilson(successes: float, trials: float, *, level: float = 0.95, freedom: float = math.inf) -> Interval:
    """Wilson's score interval of a share.

    (p + z^2/2n ± z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n): E. B. Wilson, Probable inference, the law of succession,
    and statistical inference, Journal of the American Statistical Association 22, 1927.

    Args:
        successes: how often it was so; need not be whole, so that trials can be counted at what they are worth.
        trials: how many trials, above 0.
        level: how much of the time such intervals hold the truth.
        freedom: degrees of freedom of what the trials are worth, where that was estimated: z becomes Student's t.

    Raises:
        UsageError: no trials, or more successes than trials.

    Example:
        >>> interval = wilson(4, 10)
        >>> [round(bound, 3) for bound in (interval.value, interval.low, interval.high)]
        [0.4, 0.168, 0.687]
    """
    if not 0 <= successes <= trials or trials <= 0:
        raise UsageError(f"{successes:g} of {trials:g} is not a share", "count successes among one or more trials")
    upper, p = (1 + level) / 2, successes / trials
    z = float(ndtri(upper) if math.isinf(freedom) else stdtrit(freedom, upper))
    middle = p + z * z / (2 * trials)
    half = z * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    below = 1 + z * z / trials
    low, high = (middle - half) / below, (middle + half) / below
    return Interval(p, min(max(low, 0.0), p), max(min(high, 1.0), p))  # rounding puts no bound past 0 and 1 or p


def design_effect(said: NDArray[np.bool_], listener: NDArray[np.int64], clip: NDArray[np.int64]) -> float:
    """How many times more trials a share needs because trials have listeners and clips in common; 1 at least.

    The variance of the mean clustered both ways, V(listeners) + V(clips) - V(trials), over that of independent trials:
    A. C. Cameron, J. B. Gelbach and D. L. Miller, Robust inference with multiway clustering, Journal of Business and
    Economic Statistics 29, 2011. Each part carries the factor G/(G - 1) of its G clusters.

    Args:
        said: `(trials,)` the answers.
        listener: `(trials,)` whose they are.
        clip: `(trials,)` to what.

    Example:
        >>> said = np.repeat([True, False], 10)  # two listeners who always say the same thing
        >>> round(design_effect(said, np.repeat([0, 1], 10), np.arange(20)), 1)
        19.0
    """
    n = len(said)
    left = said - said.mean()
    alone = float(left @ left) / n
    if n < 2 or alone == 0:
        return 1.0
    within = alone * n / (n - 1)
    total = _between(left, listener) + _between(left, clip) - within
    return max(total / within, 1.0)


def _between(left: NDArray[np.float64], group: NDArray[np.int64]) -> float:
    sums = np.bincount(group, weights=left)
    groups = len(np.unique(group))
    return float(sums @ sums) / len(left) * groups / max(groups - 1, 1)


def trials_to_tell(share: float, *, chance: float = 0.5, alpha: float = 0.05, power: float = 0.8) -> int:
    """Independent trials to tell a share from chance, two-sided, with the correction for continuity.

    n = (z_a sqrt(c(1-c)) + z_b sqrt(p(1-p)))^2 / (p-c)^2, then n/4 (1 + sqrt(1 + 2/(n|p-c|)))^2: J. L. Fleiss,
    B. Levin and M. C. Paik, Statistical Methods for Rates and Proportions, Wiley 2003, section 2.5.

    Args:
        share: the true share, 0 to 1, another than chance.
        chance: what it is to be told from.
        alpha: how often it may be told where it is not so.
        power: how often it shall be told where it is so.

    Example:
        >>> trials_to_tell(0.65)
        92
    """
    away = abs(share - chance)
    if away < 1e-6 or not 0 < share < 1:
        raise UsageError(f"a share of {share:g} cannot be told from {chance:g}", "give another share between 0 and 1")
    z_a, z_b = float(ndtri(1 - alpha / 2)), float(ndtri(power))
    root = z_a * math.sqrt(chance * (1 - chance)) + z_b * math.sqrt(share * (1 - share))
    plain = (root / away) ** 2
    return math.ceil(plain / 4 * (1 + math.sqrt(1 + 2 / (plain * away))) ** 2)


def trials_to_differ(one: float, other: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Independent trials, of both arms together, to tell two shares apart, two-sided, corrected for continuity.

    Of each arm n = (z_a sqrt(2 m(1-m)) + z_b sqrt(p(1-p) + q(1-q)))^2 / (p-q)^2 with m their mean, then
    n/4 (1 + sqrt(1 + 4/(n|p-q|)))^2: Fleiss, Levin and Paik 2003, section 4.2.

    Args:
        one: the true share of the first.
        other: that of the second.
        alpha: how often they may be told apart where they are alike.
        power: how often they shall be told apart.

    Example:
        >>> trials_to_differ(0.2, 0.4)
        182
    """
    away, mean = abs(one - other), (one + other) / 2
    if away < 1e-6 or not (0 < one < 1 and 0 < other < 1):
        raise UsageError(f"shares of {one:g} and {other:g} do not differ", "give two shares between 0 and 1")
    z_a, z_b = float(ndtri(1 - alpha / 2)), float(ndtri(power))
    root = z_a * math.sqrt(2 * mean * (1 - mean)) + z_b * math.sqrt(one * (1 - one) + other * (1 - other))
    plain = (root / away) ** 2
    return 2 * math.ceil(plain / 4 * (1 + math.sqrt(1 + 4 / (plain * away))) ** 2)


def trials_to_equate(margin: float, *, share: float = 0.5, alpha: float = 0.05, power: float = 0.8) -> int:
    """Independent trials to show by two one-sided tests that a share is within a margin of what it is.

    n = (z_a + z_{b/2})^2 p(1-p) / margin^2, where z_{b/2} cuts off half of what power leaves: D. J. Schuirmann, A
    comparison of the two one-sided tests procedure and the power approach, Journal of Pharmacokinetics and
    Biopharmaceutics 15, 1987.

    Args:
        margin: how far from it still counts as equal.
        share: the true share.
        alpha: of each of the two tests.
        power: how often equality shall be shown where it is exact.

    Example:
        >>> trials_to_equate(0.10)
        215
    """
    if not 0 < margin < 0.5:
        raise UsageError(f"a margin of {margin:g}", "give a difference of shares between 0 and 0.5, such as 0.1")
    z = float(ndtri(1 - alpha)) + float(ndtri(1 - (1 - power) / 2))
    return math.ceil(z * z * share * (1 - share) / margin**2)
