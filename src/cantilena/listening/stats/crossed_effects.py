"""The Laplace approximation of a probit model with listeners and clips as crossed random intercepts.

    P(listener l calls clip j of arm a human) = Phi(beta_a + u_l + w_j),  u_l ~ N(0, s_u^2),  w_j ~ N(0, s_w^2).

The likelihood of beta and s is an integral over all u and w at once, since every clip is heard by many listeners and
every listener hears many clips. With b = (u, w), its most probable value b^ and the curvature H there,

    log L(beta, s) ~ l(beta, b^) - b^' D^-1 b^ / 2 - log det(D) / 2 - log det(H) / 2,  H = Z' W Z + D^-1

(L. Tierney and J. B. Kadane, Journal of the American Statistical Association 81, 1986). Z' W Z has two diagonal blocks
and a dense one between them, so that the larger group is eliminated at the cost of a division, and only a matrix as
wide as the smaller one is factored. The gradient is exact; it follows b^ and H as beta and s move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from cantilena.listening.stats.probit_terms import ProbitTerms, probit_terms
from cantilena.listening.trials import Trials

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
