"""Signal detection: how well human clips are told from an arm's, apart from how readily anything is called human.

Calling a human clip human is a hit, calling an arm's clip human is a false alarm; with rates H and F,

    d' = z(H) - z(F),  c = -(z(H) + z(F)) / 2,

z the inverse of the normal distribution. d' is 0 where the two cannot be told apart; c is above 0 for a listener who
says "computer" too readily. Rates of 0 and 1 have no z: half a trial is added on either side of every rate (M. J.
Hautus, Corrections for extreme proportions and their biasing effects on estimated values of d', Behavior Research
Methods 27, 1995). N. A. Macmillan and C. D. Creelman, Detection Theory: A User's Guide, Erlbaum 2005, chapters 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cantilena.listening.trials import CONFIDENCES

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
