"""The probit mixed model of a study: how human each arm sounds, with listeners and clips that differ among themselves.

`crossed_effects` has the model and its likelihood. A weak prior, beta ~ N(0, 3^2), keeps an arm finite that everybody
called the same; Phi(3) is .999, so it says next to nothing otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri

from cantilena.errors import InputError
from cantilena.listening.stats.crossed_effects import CrossedEffects
from cantilena.listening.trials import Trials

_PRIOR_SD = 3.0
_SMALLEST, _LARGEST = 0.02, 6.0
"""Bounds of the standard deviations: below the first a group does not differ."""

_NUDGE = 1e-4


@dataclass(frozen=True)
class MixedModel:
    """The fitted model.

    Args:
        arms: names, people's first.
        beta: `(arms,)` on the probit scale, for a typical listener and a typical clip.
        sd_listener: standard deviation of listeners' readiness to say human.
        sd_clip: standard deviation of clips of one arm.
        covariance: `(arms + 2, arms + 2)` of beta and the logarithms of both; 0 for one at its lower bound.
        log_likelihood: at the maximum, by Laplace's approximation.
    """

    arms: tuple[str, ...]
    beta: NDArray[np.float64]
    sd_listener: float
    sd_clip: float
    covariance: NDArray[np.float64]
    log_likelihood: float

    @property
    def spread(self) -> float:
        """sqrt(1 + s_u^2 + s_w^2): what divides beta where listeners and clips are averaged over."""
        return math.sqrt(1 + self.sd_listener**2 + self.sd_clip**2)

    @property
    def shares(self) -> NDArray[np.float64]:
        """`(arms,)`: share called human over all listeners and clips, Phi(beta / spread)."""
        return np.asarray(ndtr(self.beta / self.spread))

    def difference(self, one: int, other: int) -> tuple[float, float]:
        """beta_one - beta_other and its standard error: d' for a typical listener where `one` is people's arm."""
        direction = np.zeros(len(self.covariance))
        direction[one], direction[other] = 1.0, -1.0
        return float(self.beta[one] - self.beta[other]), math.sqrt(direction @ self.covariance @ direction)

    def share_error(self, arm: int) -> float:
        """Standard error of beta / spread of an arm, by the delta method."""
        slope = self._slope_of_scaled(arm)
        return math.sqrt(slope @ self.covariance @ slope)

    def share_difference(self, one: int, other: int) -> tuple[float, float]:
        """Difference of two arms' shares called human and its standard error, by the delta method."""
        heights = np.exp(-0.5 * (self.beta / self.spread) ** 2) / math.sqrt(2 * math.pi)
        slope = heights[one] * self._slope_of_scaled(one) - heights[other] * self._slope_of_scaled(other)
        shares = self.shares
        return float(shares[one] - shares[other]), math.sqrt(max(slope @ self.covariance @ slope, 0.0))

    def _slope_of_scaled(self, arm: int) -> NDArray[np.float64]:
        """The derivative of beta / spread by beta and the logarithms of both standard deviations."""
        slope = np.zeros(len(self.covariance))
        slope[arm] = 1 / self.spread
        for place, sd in ((-2, self.sd_listener), (-1, self.sd_clip)):
            slope[place] = -self.beta[arm] * sd**2 / self.spread**3
        return slope


def fit_mixed_model(trials: Trials) -> MixedModel:
    """The most likely model of a study's answers.

    Args:
        trials: the answers, of two listeners or more.

    Raises:
        InputError: too few listeners or clips.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> listener, clip = np.divmod(np.arange(20 * 40), 40)
        >>> said = rng.random(800) < np.where(clip < 20, 0.8, 0.3)
        >>> trials = Trials(listener, clip, said, np.full(800, 2), np.repeat([0, 1], 20), ("human", "lstm"), 20)
        >>> model = fit_mixed_model(trials)
        >>> bool(np.allclose(model.shares, trials.shares, atol=0.01)), model.sd_clip < 0.3
        (True, True)
    """
    if trials.listeners < 2 or trials.clips < 2 * len(trials.arms):
        raise InputError(
            "the mixed model needs two listeners, and two clips an arm", "collect more answers before you analyse"
        )
    likelihood = CrossedEffects(trials)
    arms = len(trials.arms)

    def downhill(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = likelihood.log_likelihood(point[:arms], *np.exp(point[arms:]))
        beta = point[:arms]
        slope[:arms] -= beta / _PRIOR_SD**2
        return -value + float(beta @ beta) / (2 * _PRIOR_SD**2), -slope

    start = np.concatenate([ndtri((trials.human_counts + 0.5) / (trials.counts + 1)) * 1.1, np.log([0.35, 0.35])])
    bounds = [(-8.0, 8.0)] * arms + [(math.log(_SMALLEST), math.log(_LARGEST))] * 2
    found = minimize(downhill, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-10, "gtol": 1e-5})
    point = np.asarray(found.x)
    free = np.array([True] * arms + [value > math.log(_SMALLEST) + 1e-3 for value in point[arms:]])
    covariance = np.zeros((arms + 2, arms + 2))
    covariance[np.ix_(free, free)] = np.linalg.inv(_hessian(downhill, point, free))
    sds = np.exp(point[arms:])
    value = likelihood.log_likelihood(point[:arms], *sds)[0]
    return MixedModel(trials.arms, point[:arms], float(sds[0]), float(sds[1]), covariance, value)


def _hessian(downhill: object, point: NDArray[np.float64], free: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The second derivatives by the free parameters: differences of the exact gradient."""
    assert callable(downhill)
    rows = []
    for place in np.flatnonzero(free):
        nudge = np.zeros(len(point))
        nudge[place] = _NUDGE
        rows.append((downhill(point + nudge)[1] - downhill(point - nudge)[1])[free] / (2 * _NUDGE))
    return np.asarray((np.array(rows) + np.array(rows).T) / 2)
