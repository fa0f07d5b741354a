"""Shares and how sure they are: Wilson's interval, what trials in common cost, how many trials a claim needs.

Signal detection: how well human clips are told from an arm's, apart from how readily anything is called human.

Calling a human clip human is a hit, calling an arm's clip human is a false alarm; with rates H and F,

    d' = z(H) - z(F),  c = -(z(H) + z(F)) / 2,

z the inverse of the normal distribution. d' is 0 where the two cannot be told apart; c is above 0 for a listener who
says "computer" too readily. Rates of 0 and 1 have no z: half a trial is added on either side of every rate (M. J.
Hautus, Corrections for extreme proportions and their biasing effects on estimated values of d', Behavior Research
Methods 27, 1995). N. A. Macmillan and C. D. Creelman, Detection Theory: A User's Guide, Erlbaum 2005, chapters 1 and 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from cantilena.errors import UsageError
from cantilena.listening.trials import CONFIDENCES
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


_ROOT_TWO_PI = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True)
class Detection:
    """Sensitivity and bias of each arm beside people's clips, for one or for many counts at once.

    Args:
        shares: `(..., arms)` share called human.
        d_prime: `(..., arms)` d' of people's clips from the arm's; 0 for people's own.
        criterion: `(..., arms)` c.
        area: `(..., arms)` area under the ROC of the ratings: how often a human clip is rated more human than one of
            the arm's, ties counted half; .5 for people's own.
    """

    shares: NDArray[np.float64]
    d_prime: NDArray[np.float64]
    criterion: NDArray[np.float64]
    area: NDArray[np.float64]


def detect(counts: NDArray[np.float64]) -> Detection:
    """Detection from how often each rating was given to each arm.

    Args:
        counts: `(..., arms, 8)` of each rating, "computer, certain" to "human, certain"; people's arm first.

    Example:
        >>> counts = np.zeros((2, 8))
        >>> counts[0, [1, 6]], counts[1, [1, 6]] = (20, 80), (70, 30)
        >>> found = detect(counts)
        >>> round(float(found.d_prime[1]), 2), round(float(found.criterion[1]), 2), round(float(found.area[1]), 2)
        (1.35, -0.16, 0.75)
    """
    total = counts.sum(axis=-1)
    human = counts[..., CONFIDENCES:].sum(axis=-1)
    z = ndtri((human + 0.5) / (total + 1))
    hit = z[..., :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = human / total
        given = counts / total[..., None]
    people = given[..., :1, :]
    below = np.cumsum(given, axis=-1) - given
    area = (people * (below + given / 2)).sum(axis=-1)
    return Detection(shares, hit - z, -(hit + z) / 2, area)


def independent_errors(counts: NDArray[np.float64]) -> Detection:
    """Standard errors of the same numbers if all trials were independent: the least that any can be.

    Of a rate p its half-corrected variance p(1-p)/n; of z that over phi(z)^2 (V. Gourevitch and E. Galanter, A
    significance test for one parameter isosensitivity functions, Psychometrika 32, 1967); of d' the sum of both, of c a
    quarter of it; of the area A(1-A) over both arms' trials. They are above 0 also where everybody answered alike.

    Args:
        counts: `(arms, 8)` as in `detect`.

    Example:
        >>> errors = independent_errors(np.array([[0.0] * 7 + [50], [50] + [0.0] * 7]))
        >>> bool(0.01 < errors.shares[1] < 0.02), bool(0.4 < errors.d_prime[1] < 0.8)
        (True, True)
    """
    total = counts.sum(axis=-1)
    rate = (counts[..., CONFIDENCES:].sum(axis=-1) + 0.5) / (total + 1)
    variance = rate * (1 - rate) / total
    of_z = variance / (np.exp(-0.5 * ndtri(rate) ** 2) / _ROOT_TWO_PI) ** 2
    together = of_z + of_z[:1]
    trials = total + total[:1]
    area = np.clip(detect(counts).area, 1 / trials, 1 - 1 / trials)
    return Detection(np.sqrt(variance), np.sqrt(together), np.sqrt(together) / 2, np.sqrt(area * (1 - area) / trials))
