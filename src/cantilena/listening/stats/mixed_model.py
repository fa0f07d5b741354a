"""A probit mixed model with crossed random intercepts of listeners and clips, fitted by Laplace's approximation.

    P(listener l calls clip j of arm a human) = Phi(beta_a + u_l + w_j),  u_l ~ N(0, s_u^2),  w_j ~ N(0, s_w^2).

The likelihood of beta and s is one integral over all u and w, since every clip is heard by many listeners and every
listener hears many clips. With b = (u, w), its mode b^ and the curvature H at the mode,

    log L(beta, s) ~ l(beta, b^) - b^' D^-1 b^ / 2 - log det(D) / 2 - log det(H) / 2,  H = Z' W Z + D^-1

(L. Tierney and J. B. Kadane, Journal of the American Statistical Association 81, 1986). Z' W Z has two diagonal blocks
and a dense block between them, so the larger group is eliminated by a division, and only a matrix of the size of the
smaller group is factored. The gradient is exact: it includes how b^ and H depend on beta and s.

A weak prior, beta ~ N(0, 3^2), keeps the estimate finite for an arm that always gets the same answer. Phi(3) = .999, so
the prior has hardly any effect otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr, ndtri

from cantilena.errors import InputError
from cantilena.listening.trials import Trials

Array = NDArray[np.float64]

_PRIOR_SD = 3.0
_MIN_SD, _MAX_SD = 0.02, 6.0
"""Bounds of the standard deviations; at the lower bound the members of a group do not differ."""

_DIFFERENCE_STEP = 1e-4
_MAX_NEWTON_STEPS, _MAX_HALVINGS, _TOLERANCE = 60, 30, 1e-9
_LOG_SQRT_TWO_PI = 0.5 * float(np.log(2 * np.pi))


@dataclass(frozen=True)
class MixedModel:
    """A fitted model.

    Args:
        arms: names of the arms, `human` first.
        beta: `(arms,)` on the probit scale, for an average listener and an average clip.
        sd_listener: standard deviation of the listeners' intercepts.
        sd_clip: standard deviation of the intercepts of clips of one arm.
        covariance: `(arms + 2, arms + 2)` of beta and the logarithms of both standard deviations; the rows and columns
            of a standard deviation at its lower bound are 0.
        log_likelihood: its maximum, by Laplace's approximation.
    """

    arms: tuple[str, ...]
    beta: Array
    sd_listener: float
    sd_clip: float
    covariance: Array
    log_likelihood: float

    @property
    def total_sd(self) -> float:
        """sqrt(1 + s_u^2 + s_w^2), by which beta is divided to average over listeners and clips."""
        return math.sqrt(1 + self.sd_listener**2 + self.sd_clip**2)

    @property
    def shares(self) -> Array:
        """`(arms,)`: share called human, averaged over listeners and clips: Phi(beta / total_sd)."""
        return np.asarray(ndtr(self.beta / self.total_sd))

    def difference(self, one: int, other: int) -> tuple[float, float]:
        """Return beta_one - beta_other and its standard error; this is d' of an average listener if `one` is human."""
        direction = np.zeros(len(self.covariance))
        direction[one], direction[other] = 1.0, -1.0
        return float(self.beta[one] - self.beta[other]), math.sqrt(direction @ self.covariance @ direction)

    def scaled_error(self, arm: int) -> float:
        """Return the standard error of beta / total_sd of an arm, by the delta method."""
        slope = self._slope_of_scaled(arm)
        return math.sqrt(slope @ self.covariance @ slope)

    def share_difference(self, one: int, other: int) -> tuple[float, float]:
        """Return the difference of the shares of two arms and its standard error, by the delta method."""
        densities = np.exp(-0.5 * (self.beta / self.total_sd) ** 2) / math.sqrt(2 * math.pi)
        slope = densities[one] * self._slope_of_scaled(one) - densities[other] * self._slope_of_scaled(other)
        shares = self.shares
        return float(shares[one] - shares[other]), math.sqrt(max(slope @ self.covariance @ slope, 0.0))

    def _slope_of_scaled(self, arm: int) -> Array:
        """Derivative of beta / total_sd of an arm by beta and the logarithms of both standard deviations."""
        slope = np.zeros(len(self.covariance))
        slope[arm] = 1 / self.total_sd
        for index, sd in ((-2, self.sd_listener), (-1, self.sd_clip)):
            slope[index] = -self.beta[arm] * sd**2 / self.total_sd**3
        return slope


def fit_mixed_model(trials: Trials) -> MixedModel:
    """Fit the model to the answers of a study by maximum likelihood.

    Raises:
        InputError: there are too few listeners or clips.

    Examples:
        >>> rng = np.random.default_rng(1)
        >>> listener, clip = np.divmod(np.arange(20 * 40), 40)
        >>> said_human = rng.random(800) < np.where(clip < 20, 0.8, 0.3)
        >>> trials = Trials(listener, clip, said_human, np.full(800, 2), np.repeat([0, 1], 20), ("human", "lstm"), 20)
        >>> model = fit_mixed_model(trials)
        >>> bool(np.allclose(model.shares, trials.shares, atol=0.01)), model.sd_clip < 0.3
        (True, True)
    """
    n_arms = len(trials.arms)
    if trials.n_listeners < 2 or trials.n_clips < 2 * n_arms:
        raise InputError(
            f"the mixed model needs at least two listeners and two clips per arm, got {trials.n_listeners} and "
            f"{trials.n_clips} for {n_arms} arms",
            "collect more answers before the analysis",
        )
    likelihood = CrossedProbitLikelihood(trials)

    def objective(point: Array) -> tuple[float, Array]:
        """Minus the log posterior and its gradient, at beta and the logarithms of both standard deviations."""
        value, slope = likelihood(point[:n_arms], *np.exp(point[n_arms:]))
        beta = point[:n_arms]
        slope[:n_arms] -= beta / _PRIOR_SD**2
        return -value + float(beta @ beta) / (2 * _PRIOR_SD**2), -slope

    start = np.concatenate([ndtri((trials.human_counts + 0.5) / (trials.counts + 1)) * 1.1, np.log([0.35, 0.35])])
    bounds = [(-8.0, 8.0)] * n_arms + [(math.log(_MIN_SD), math.log(_MAX_SD))] * 2
    tolerances = {"ftol": 1e-10, "gtol": 1e-5}
    point = np.asarray(minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=tolerances).x)
    free = np.array([True] * n_arms + [value > math.log(_MIN_SD) + 1e-3 for value in point[n_arms:]])
    covariance = np.zeros((n_arms + 2, n_arms + 2))
    covariance[np.ix_(free, free)] = np.linalg.inv(_hessian(objective, point, free))
    sds = np.exp(point[n_arms:])
    value = likelihood(point[:n_arms], *sds)[0]
    return MixedModel(trials.arms, point[:n_arms], float(sds[0]), float(sds[1]), covariance, value)


def _hessian(objective: Callable[[Array], tuple[float, Array]], point: Array, free: NDArray[np.bool_]) -> Array:
    """Second derivatives by the free parameters, from differences of the exact gradient."""
    rows = []
    for index in np.flatnonzero(free):
        step = np.zeros(len(point))
        step[index] = _DIFFERENCE_STEP
        rows.append((objective(point + step)[1] - objective(point - step)[1])[free] / (2 * _DIFFERENCE_STEP))
    return np.asarray((np.array(rows) + np.array(rows).T) / 2)


@dataclass(frozen=True)
class _Curvature:
    """H = Z' W Z + D^-1 after elimination of the larger group; `factor` is of the Schur complement."""

    eliminated: Array
    cross: Array
    factor: tuple[Array, bool]
    log_det: float


class CrossedProbitLikelihood:
    """The approximate log likelihood and its gradient.

    The last mode b^ is kept as the starting point of the next search. The group with fewer members is `kept`, the other
    one `eliminated`.
    """

    def __init__(self, trials: Trials) -> None:
        self.arm = trials.arm
        self.n_arms = len(trials.arms)
        self.sign = np.where(trials.said_human, 1.0, -1.0)
        groups = [(trials.listener, trials.n_listeners), (trials.clip, trials.n_clips)]
        self.keeps_listeners = trials.n_listeners <= trials.n_clips
        (self.kept, self.n_kept), (self.eliminated, self.n_eliminated) = (
            groups if self.keeps_listeners else groups[::-1]
        )
        self.cell = self.eliminated * self.n_kept + self.kept
        self.mode = np.zeros(self.n_kept + self.n_eliminated)

    def __call__(self, beta: Array, sd_listener: float, sd_clip: float) -> tuple[float, Array]:
        """Return the log likelihood, and its `(arms + 2,)` derivatives by beta, log s_u and log s_w."""
        sds = (sd_listener, sd_clip) if self.keeps_listeners else (sd_clip, sd_listener)
        precision = np.repeat([sds[0] ** -2.0, sds[1] ** -2.0], [self.n_kept, self.n_eliminated])
        mode, terms = self._find_mode(beta[self.arm], precision)
        curvature = self._curvature(terms.weight, precision)
        value = float(terms.value.sum() - precision @ mode**2 / 2 + np.log(precision).sum() / 2 - curvature.log_det / 2)
        gradient = self._gradient(terms, curvature, mode, precision)
        return value, gradient if self.keeps_listeners else gradient[[*range(self.n_arms), -1, -2]]

    def _find_mode(self, fixed: Array, precision: Array) -> tuple[Array, ProbitTerms]:
        """Find b^ by Newton's method; each step is halved until the joint density does not decrease."""
        mode = self.mode
        terms = probit_terms(self._predictor(fixed, mode), self.sign)
        height = terms.value.sum() - precision @ mode**2 / 2
        for _ in range(_MAX_NEWTON_STEPS):
            gradient = self._sum_by_effect(terms.slope) - precision * mode
            step = self._solve(self._curvature(terms.weight, precision), gradient)
            gain = float(gradient @ step)
            for _ in range(_MAX_HALVINGS):
                new_terms = probit_terms(self._predictor(fixed, mode + step), self.sign)
                new_height = new_terms.value.sum() - precision @ (mode + step) ** 2 / 2
                if new_height >= height - 1e-12 * abs(height):
                    break
                step = step / 2
            mode, terms, height = mode + step, new_terms, new_height
            if gain < _TOLERANCE:
                break
        self.mode = mode
        return mode, terms

    def _predictor(self, fixed: Array, mode: Array) -> Array:
        return np.asarray(fixed + mode[self.kept] + mode[self.n_kept + self.eliminated])

    def _sum_by_effect(self, values: Array) -> Array:
        """Z' v: sum values of trials by listener and by clip."""
        return np.concatenate(
            [np.bincount(self.kept, values, self.n_kept), np.bincount(self.eliminated, values, self.n_eliminated)]
        )

    def _curvature(self, weight: Array, precision: Array) -> _Curvature:
        diagonal = self._sum_by_effect(weight) + precision
        kept, eliminated = diagonal[: self.n_kept], diagonal[self.n_kept :]
        flat = np.bincount(self.cell, weight, self.n_eliminated * self.n_kept).astype(np.float64)
        cross = flat.reshape(self.n_eliminated, self.n_kept)
        schur = np.diag(kept) - cross.T @ (cross / eliminated[:, None])
        factor = cho_factor(schur, lower=True, check_finite=False)
        log_det = float(np.log(eliminated).sum() + 2 * np.log(np.diag(factor[0])).sum())
        return _Curvature(eliminated, cross, factor, log_det)

    def _solve(self, curvature: _Curvature, right: Array) -> Array:
        """H^-1 r for r of shape `(effects,)`."""
        top, bottom = right[: self.n_kept], right[self.n_kept :]
        kept = cho_solve(
            curvature.factor, top - curvature.cross.T @ (bottom / curvature.eliminated), check_finite=False
        )
        return np.concatenate([kept, (bottom - curvature.cross @ kept) / curvature.eliminated])

    def _gradient(self, terms: ProbitTerms, curvature: _Curvature, mode: Array, precision: Array) -> Array:
        inverse = cho_solve(curvature.factor, np.eye(self.n_kept), check_finite=False)
        scaled = curvature.cross / curvature.eliminated[:, None]
        between = -scaled @ inverse
        variance = np.concatenate([np.diag(inverse), 1 / curvature.eliminated - (between * scaled).sum(axis=1)])
        # z' H^-1 z of each trial: the variance of its random part.
        leverage = (
            variance[self.kept] + variance[self.n_kept + self.eliminated] + 2 * between[self.eliminated, self.kept]
        )
        bend = terms.weight_slope * leverage
        by_arm = np.bincount(self.arm, terms.slope - bend / 2, self.n_arms)
        is_kept = np.arange(len(mode)) < self.n_kept
        by_sd = [
            float(np.where(group, precision * (mode**2 + variance) - 1, 0.0).sum()) for group in (is_kept, ~is_kept)
        ]
        # b^ moves by -H^-1 Z'W x with beta and by 2 H^-1 D^-1 b with log s; H follows through the weights' derivative.
        moved_by_arm = np.stack(
            [self._sum_by_effect(np.where(self.arm == arm, terms.weight, 0.0)) for arm in range(self.n_arms)], 1
        )
        moved_by_sd = np.stack([np.where(group, -2 * precision * mode, 0.0) for group in (is_kept, ~is_kept)], 1)
        adjoint = self._solve(curvature, self._sum_by_effect(bend))
        implicit = np.concatenate([adjoint @ moved_by_arm, adjoint @ moved_by_sd]) / 2
        return np.concatenate([by_arm, by_sd]) + implicit


@dataclass(frozen=True)
class ProbitTerms:
    """log P(answer) of each trial and its derivatives by the linear predictor.

    Args:
        value: `(trials,)` log Phi(s eta), s = 1 for yes and -1 for no.
        slope: `(trials,)` first derivative.
        weight: `(trials,)` minus the second derivative; above 0, since the likelihood is log-concave.
        weight_slope: `(trials,)` derivative of the weight.
    """

    value: Array
    slope: Array
    weight: Array
    weight_slope: Array


def probit_terms(eta: Array, sign: Array) -> ProbitTerms:
    """Compute the terms from the linear predictors eta and the signs s, `(trials,)`; stable far in the tails.

    With z = s eta and r = phi(z) / Phi(z): slope s r, weight r (z + r), its derivative s (r - weight (z + 2 r)).

    Examples:
        >>> terms = probit_terms(np.zeros(1), np.ones(1))
        >>> round(float(np.exp(terms.value[0])), 3), round(float(terms.weight[0]), 4)  # 1/2 and 2/pi
        (0.5, 0.6366)
    """
    z = sign * eta
    value = log_ndtr(z)
    ratio = np.exp(-0.5 * z * z - _LOG_SQRT_TWO_PI - value)
    weight = np.maximum(ratio * (z + ratio), 1e-12)
    return ProbitTerms(value, sign * ratio, weight, sign * (ratio - weight * (z + 2 * ratio)))
