"""The terms of a probit likelihood and its derivatives, stable far out in the tails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

_LOG_ROOT_TWO_PI = 0.5 * float(np.log(2 * np.pi))


@dataclass(frozen=True)
class ProbitTerms:
    """log P(answer) of each trial and its derivatives by the linear predictor.

    Args:
        value: `(trials,)` log Phi(s eta), s = 1 for yes and -1 for no.
        slope: `(trials,)` the first derivative.
        weight: `(trials,)` minus the second, above 0: the likelihood is log-concave.
        weight_slope: `(trials,)` the derivative of the weight.
    """

    value: NDArray[np.float64]
    slope: NDArray[np.float64]
    weight: NDArray[np.float64]
    weight_slope: NDArray[np.float64]


def probit_terms(eta: NDArray[np.float64], sign: NDArray[np.float64]) -> ProbitTerms:
    """Terms of the probit likelihood.

    With z = s eta and r = phi(z) / Phi(z): slope s r, weight r (z + r), its derivative s (r - weight (z + 2 r)).

    Args:
        eta: `(trials,)` linear predictor.
        sign: `(trials,)` 1 where the answer was yes, -1 where it was no.

    Example:
        >>> terms = probit_terms(np.zeros(1), np.ones(1))
        >>> round(float(np.exp(terms.value[0])), 3), round(float(terms.weight[0]), 4)  # 1/2 and 2/pi
        (0.5, 0.6366)
    """
    z = sign * eta
    value = log_ndtr(z)
    ratio = np.exp(-0.5 * z * z - _LOG_ROOT_TWO_PI - value)
    weight = np.maximum(ratio * (z + ratio), 1e-12)
    return ProbitTerms(value, sign * ratio, weight, sign * (ratio - weight * (z + 2 * ratio)))
