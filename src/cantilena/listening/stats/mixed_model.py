"""The probit mixed model of a study: how human each arm sounds, with listeners and clips that differ among themselves.

`crossed_effects` has the model and its likelihood. A weak prior, beta ~ N(0, 3^2), keeps an arm finite that everybody
called the same; Phi(3) is .999, so it says next to nothing otherwise.

The Laplace approximation of a probit model with listeners and clips as crossed random intercepts.

    P(listener l calls clip j of arm a human) = Phi(beta_a + u_l + w_j),  u_l ~ N(0, s_u^2),  w_j ~ N(0, s_w^2).

The likelihood of beta and s is an integral over all u and w at once, since every clip is heard by many listeners and
every listener hears many clips. With b = (u, w), its most probable value b^ and the curvature H there,

    log L(beta, s) ~ l(beta, b^) - b^' D^-1 b^ / 2 - log det(D) / 2 - log det(H) / 2,  H = Z' W Z + D^-1

(L. Tierney and J. B. Kadane, Journal of the American Statistical Association 81, 1986). Z' W Z has two diagonal blocks
and a dense one between them, so that the larger group is eliminated at the cost of a division, and only a matrix as
wide as the smaller one is factored. The gradient is exact; it follows b^ and H as beta and s move.

The terms of a probit likelihood and its derivatives, stable far out in the tails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr, ndtri

from cantilena.errors import InputError
from cantilena.listening.trials import Trials

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


Array = NDArray[np.float64]

_MOST_STEPS = 60
_CLOSE = 1e-9


@dataclass(frozen=True)
class _Curvature:
    """H = Z' W Z + D^-1, factored; `kept` is the smaller group, `gone` the one that is eliminated."""

    gone: Array
    cross: Array
    factor: tuple[Array, bool]
    log_det: float


class CrossedEffects:
    """Log likelihood and gradient; remembers the last b^, from which the next search starts.

    Args:
        trials: the answers.
    """

    def __init__(self, trials: Trials) -> None:
        self.arm = trials.arm
        self.arms = len(trials.arms)
        self.sign = np.where(trials.said_human, 1.0, -1.0)
        sizes = (trials.listeners, trials.clips)
        groups = (trials.listener, trials.clip)
        self.kept_first = sizes[0] <= sizes[1]
        order = (0, 1) if self.kept_first else (1, 0)
        self.kept, self.gone = groups[order[0]], groups[order[1]]
        self.n_kept, self.n_gone = sizes[order[0]], sizes[order[1]]
        self.cell = self.gone * self.n_kept + self.kept
        self.mode = np.zeros(self.n_kept + self.n_gone)

    def log_likelihood(self, beta: Array, sd_listener: float, sd_clip: float) -> tuple[float, Array]:
        """The approximate log likelihood and its gradient.

        Args:
            beta: `(arms,)`.
            sd_listener: s_u, above 0.
            sd_clip: s_w, above 0.

        Returns:
            The value, and `(arms + 2,)` derivatives by beta, log s_u and log s_w.
        """
        sds = (sd_listener, sd_clip) if self.kept_first else (sd_clip, sd_listener)
        precision = np.repeat([sds[0] ** -2.0, sds[1] ** -2.0], [self.n_kept, self.n_gone])
        mode, terms = self._search(beta[self.arm], precision)
        curvature = self._curvature(terms.weight, precision)
        value = float(terms.value.sum() - precision @ mode**2 / 2 + np.log(precision).sum() / 2 - curvature.log_det / 2)
        gradient = self._gradient(terms, curvature, mode, precision)
        return value, gradient if self.kept_first else gradient[[*range(self.arms), -1, -2]]

    def _eta(self, fixed: Array, mode: Array) -> Array:
        return np.asarray(fixed + mode[self.kept] + mode[self.n_kept + self.gone])

    def _search(self, fixed: Array, precision: Array) -> tuple[Array, ProbitTerms]:
        """b^ by Newton's method, each step halved until it climbs."""
        mode = self.mode
        terms = probit_terms(self._eta(fixed, mode), self.sign)
        height = terms.value.sum() - precision @ mode**2 / 2
        for _ in range(_MOST_STEPS):
            uphill = self._gathered(terms.slope) - precision * mode
            step = self._solve(self._curvature(terms.weight, precision), uphill)
            gain = float(uphill @ step)
            for _ in range(30):
                new = probit_terms(self._eta(fixed, mode + step), self.sign)
                reached = new.value.sum() - precision @ (mode + step) ** 2 / 2
                if reached >= height - 1e-12 * abs(height):
                    break
                step = step / 2
            mode, terms, height = mode + step, new, reached
            if gain < _CLOSE:
                break
        self.mode = mode
        return mode, terms

    def _gathered(self, values: Array) -> Array:
        """Z' v: values of trials added up by listener and by clip."""
        return np.concatenate(
            [np.bincount(self.kept, values, self.n_kept), np.bincount(self.gone, values, self.n_gone)]
        )

    def _curvature(self, weight: Array, precision: Array) -> _Curvature:
        diagonal = self._gathered(weight) + precision
        kept, gone = diagonal[: self.n_kept], diagonal[self.n_kept :]
        flat = np.bincount(self.cell, weight, self.n_gone * self.n_kept).astype(np.float64)
        cross = flat.reshape(self.n_gone, self.n_kept)
        scaled = cross / gone[:, None]
        schur = np.diag(kept) - cross.T @ scaled
        factor = cho_factor(schur, lower=True, check_finite=False)
        log_det = float(np.log(gone).sum() + 2 * np.log(np.diag(factor[0])).sum())
        return _Curvature(gone, cross, factor, log_det)

    def _solve(self, curvature: _Curvature, right: Array) -> Array:
        """H^-1 r, where r is `(effects,)` or `(effects, columns)`."""
        top, bottom = right[: self.n_kept], right[self.n_kept :]
        gone = curvature.gone.reshape(-1, *[1] * (right.ndim - 1))
        kept = cho_solve(curvature.factor, top - curvature.cross.T @ (bottom / gone), check_finite=False)
        return np.concatenate([kept, (bottom - curvature.cross @ kept) / gone])

    def _gradient(self, terms: ProbitTerms, curvature: _Curvature, mode: Array, precision: Array) -> Array:
        inverse = cho_solve(curvature.factor, np.eye(self.n_kept), check_finite=False)
        scaled = curvature.cross / curvature.gone[:, None]
        between = -scaled @ inverse
        spread = np.concatenate([np.diag(inverse), 1 / curvature.gone - (between * scaled).sum(axis=1)])
        # z' H^-1 z of each trial: how unsure its random part is.
        leverage = spread[self.kept] + spread[self.n_kept + self.gone] + 2 * between[self.gone, self.kept]
        bend = terms.weight_slope * leverage
        by_arm = np.bincount(self.arm, terms.slope - bend / 2, self.arms)
        is_kept = np.arange(len(mode)) < self.n_kept
        scales = [
            float(np.where(group, precision * (mode**2 + spread) - 1, 0.0).sum()) for group in (is_kept, ~is_kept)
        ]
        # How b^ moves: -H^-1 Z'W x with beta, 2 H^-1 D^-1 b with log s; H follows it through the weights' derivative.
        weighed = np.stack([self._gathered(np.where(self.arm == a, terms.weight, 0.0)) for a in range(self.arms)], 1)
        pulled = np.stack([np.where(group, -2 * precision * mode, 0.0) for group in (is_kept, ~is_kept)], 1)
        back = self._solve(curvature, self._gathered(bend))
        followed = np.concatenate([back @ weighed, back @ pulled]) / 2
        return np.concatenate([by_arm, scales]) + followed


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
