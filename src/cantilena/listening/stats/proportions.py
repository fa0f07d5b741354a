"""Proportions, their intervals and sample sizes, and signal detection: d', the criterion and the area under the ROC.

Calling a human clip human is a hit, calling a generated clip human is a false alarm. With their rates H and F,

    d' = z(H) - z(F),  c = -(z(H) + z(F)) / 2,

where z is the inverse of the normal distribution function. d' is 0 if the two cannot be distinguished; c is above 0 for
a listener with a bias to answer "computer". Rates of 0 and 1 have no z, so every rate is computed with half a trial
added on either side (M. J. Hautus, Corrections for extreme proportions and their biasing effects on estimated values of
d', Behavior Research Methods 27, 1995). N. A. Macmillan and C. D. Creelman, Detection Theory: A User's Guide, Erlbaum
2005, chapters 1 and 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from cantilena.errors import UsageError
from cantilena.listening.trials import CONFIDENCE_LEVELS
from cantilena.metrics import Interval

Array = NDArray[np.float64]


def wilson(successes: float, trials: float, *, level: float = 0.95, df: float = math.inf) -> Interval:
    """Compute Wilson's score interval of a proportion.

    (p + z^2/2n ± z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n): E. B. Wilson, Probable inference, the law of succession,
    and statistical inference, Journal of the American Statistical Association 22, 1927.

    The numbers need not be whole: for an estimated effective number of trials, give its degrees of freedom `df`, with
    which z becomes a quantile of Student's t.

    Raises:
        UsageError: there are no trials, or more successes than trials.

    Examples:
        >>> interval = wilson(4, 10)
        >>> [round(bound, 3) for bound in (interval.value, interval.low, interval.high)]
        [0.4, 0.168, 0.687]
    """
    if not 0 <= successes <= trials or trials <= 0:
        raise UsageError(
            f"{successes:g} of {trials:g} is not a proportion", "give one or more trials, and at most as many successes"
        )
    upper, p = (1 + level) / 2, successes / trials
    z = float(ndtri(upper) if math.isinf(df) else stdtrit(df, upper))
    middle = p + z * z / (2 * trials)
    half = z * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    below = 1 + z * z / trials
    low, high = (middle - half) / below, (middle + half) / below
    return Interval(p, min(max(low, 0.0), p), max(min(high, 1.0), p))  # rounding must not move a bound past 0, 1 or p


def design_effect(said_human: NDArray[np.bool_], listener: NDArray[np.int64], clip: NDArray[np.int64]) -> float:
    """Compute by how much shared listeners and clips increase the variance of a proportion; at least 1.

    The two-way clustered variance of the mean, V(listeners) + V(clips) - V(trials), over that of independent trials:
    A. C. Cameron, J. B. Gelbach and D. L. Miller, Robust inference with multiway clustering, Journal of Business and
    Economic Statistics 29, 2011. Each part carries the factor G/(G - 1) of its G clusters.

    Examples:
        >>> said_human = np.repeat([True, False], 10)  # two listeners who always give the same answer
        >>> round(design_effect(said_human, np.repeat([0, 1], 10), np.arange(20)), 1)
        19.0
    """
    n = len(said_human)
    residuals = said_human - said_human.mean()
    variance = float(residuals @ residuals) / n
    if n < 2 or variance == 0:
        return 1.0

    def clustered(group: NDArray[np.int64]) -> float:
        sums = np.bincount(group, weights=residuals)
        groups = len(np.unique(group))
        return float(sums @ sums) / n * groups / max(groups - 1, 1)

    independent = variance * n / (n - 1)
    total = clustered(listener) + clustered(clip) - independent
    return max(total / independent, 1.0)


def sample_size_one_proportion(share: float, *, chance: float = 0.5, alpha: float = 0.05, power: float = 0.8) -> int:
    """Number of independent trials to distinguish a proportion from chance, two-sided, with continuity correction.

    n = (z_a sqrt(c(1-c)) + z_b sqrt(p(1-p)))^2 / (p-c)^2, then n/4 (1 + sqrt(1 + 2/(n|p-c|)))^2: J. L. Fleiss,
    B. Levin and M. C. Paik, Statistical Methods for Rates and Proportions, Wiley 2003, section 2.5.

    Examples:
        >>> sample_size_one_proportion(0.65)
        92
    """
    difference = abs(share - chance)
    if difference < 1e-6 or not 0 < share < 1:
        raise UsageError(f"a share of {share:g} does not differ from {chance:g}", "give another share, between 0 and 1")
    z_alpha, z_power = float(ndtri(1 - alpha / 2)), float(ndtri(power))
    root = z_alpha * math.sqrt(chance * (1 - chance)) + z_power * math.sqrt(share * (1 - share))
    uncorrected = (root / difference) ** 2
    return math.ceil(uncorrected / 4 * (1 + math.sqrt(1 + 2 / (uncorrected * difference))) ** 2)


def sample_size_two_proportions(one: float, other: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Number of independent trials, of both arms together, to distinguish two proportions, two-sided, corrected.

    For each arm n = (z_a sqrt(2 m(1-m)) + z_b sqrt(p(1-p) + q(1-q)))^2 / (p-q)^2 with m their mean, then
    n/4 (1 + sqrt(1 + 4/(n|p-q|)))^2: Fleiss, Levin and Paik 2003, section 4.2.

    Examples:
        >>> sample_size_two_proportions(0.2, 0.4)
        182
    """
    difference, mean = abs(one - other), (one + other) / 2
    if difference < 1e-6 or not (0 < one < 1 and 0 < other < 1):
        raise UsageError(f"shares of {one:g} and {other:g} do not differ", "give two shares between 0 and 1")
    z_alpha, z_power = float(ndtri(1 - alpha / 2)), float(ndtri(power))
    root = z_alpha * math.sqrt(2 * mean * (1 - mean)) + z_power * math.sqrt(one * (1 - one) + other * (1 - other))
    uncorrected = (root / difference) ** 2
    return 2 * math.ceil(uncorrected / 4 * (1 + math.sqrt(1 + 4 / (uncorrected * difference))) ** 2)


def sample_size_equivalence(margin: float, *, share: float = 0.5, alpha: float = 0.05, power: float = 0.8) -> int:
    """Number of independent trials to show by two one-sided tests that a proportion lies within a margin of `share`.

    n = (z_a + z_{b/2})^2 p(1-p) / margin^2, where z_{b/2} cuts off half of what power leaves: D. J. Schuirmann, A
    comparison of the two one-sided tests procedure and the power approach, Journal of Pharmacokinetics and
    Biopharmaceutics 15, 1987. `alpha` is the level of each test; `power` is for a proportion that equals `share`.

    Examples:
        >>> sample_size_equivalence(0.10)
        215
    """
    if not 0 < margin < 0.5:
        raise UsageError(f"a margin of {margin:g} is out of range", "give a difference between 0 and 0.5, such as 0.1")
    z = float(ndtri(1 - alpha)) + float(ndtri(1 - (1 - power) / 2))
    return math.ceil(z * z * share * (1 - share) / margin**2)


@dataclass(frozen=True)
class SignalDetection:
    """Sensitivity and bias of each arm compared with human clips, for one set of counts or for many.

    Args:
        shares: `(..., arms)` share called human.
        d_prime: `(..., arms)` d' of human clips and the arm's; 0 for the arm `human`.
        criterion: `(..., arms)` c.
        auc: `(..., arms)` area under the ROC of the ratings: how often a human clip is rated more human than a clip of
            the arm, ties counted half; .5 for the arm `human`.
    """

    shares: Array
    d_prime: Array
    criterion: Array
    auc: Array


def signal_detection(counts: Array) -> SignalDetection:
    """Compute sensitivity and bias from the counts of ratings.

    Args:
        counts: `(..., arms, 8)` of each rating, "computer, certain" to "human, certain"; the arm `human` first.

    Examples:
        >>> counts = np.zeros((2, 8))
        >>> counts[0, [1, 6]], counts[1, [1, 6]] = (20, 80), (70, 30)
        >>> result = signal_detection(counts)
        >>> round(float(result.d_prime[1]), 2), round(float(result.criterion[1]), 2), round(float(result.auc[1]), 2)
        (1.35, -0.16, 0.75)
    """
    total = counts.sum(axis=-1)
    human = counts[..., CONFIDENCE_LEVELS:].sum(axis=-1)
    z = ndtri((human + 0.5) / (total + 1))
    z_hit = z[..., :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = human / total
        rates = counts / total[..., None]
    below = np.cumsum(rates, axis=-1) - rates
    auc = (rates[..., :1, :] * (below + rates / 2)).sum(axis=-1)
    return SignalDetection(shares, z_hit - z, -(z_hit + z) / 2, auc)


def independent_errors(counts: Array) -> SignalDetection:
    """Compute the standard errors of the same values for independent trials: a lower bound of the real ones.

    The variance of a rate p is p(1-p)/n, with half a trial added on either side; that of z is p(1-p)/n / phi(z)^2
    (V. Gourevitch and E. Galanter, A significance test for one parameter isosensitivity functions, Psychometrika 32,
    1967); of d', the sum of both; of c, a quarter of that; of the area A, A(1-A) over the trials of both arms. All are
    above 0 even if every answer is the same.

    Examples:
        >>> errors = independent_errors(np.array([[0.0] * 7 + [50], [50] + [0.0] * 7]))
        >>> bool(0.01 < errors.shares[1] < 0.02), bool(0.4 < errors.d_prime[1] < 0.8)
        (True, True)
    """
    total = counts.sum(axis=-1)
    rate = (counts[..., CONFIDENCE_LEVELS:].sum(axis=-1) + 0.5) / (total + 1)
    variance = rate * (1 - rate) / total
    variance_of_z = variance / (np.exp(-0.5 * ndtri(rate) ** 2) / float(np.sqrt(2 * np.pi))) ** 2
    of_both = variance_of_z + variance_of_z[:1]
    trials = total + total[:1]
    auc = np.clip(signal_detection(counts).auc, 1 / trials, 1 - 1 / trials)
    return SignalDetection(np.sqrt(variance), np.sqrt(of_both), np.sqrt(of_both) / 2, np.sqrt(auc * (1 - auc) / trials))
