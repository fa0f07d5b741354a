"""The probit mixed model beside integrals worked out numerically, beside differences, and on a known truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from cantilena.errors import InputError
from cantilena.listening import Trials, Truth, fit_mixed_model, simulated_trials
from cantilena.listening.stats.mixed_model import CrossedEffects, probit_terms

ARMS = ("human", "lstm", "tuned")


def small(seed: int = 1) -> Trials:
    """Two listeners who hear two clips of two arms, each twice."""
    listener, clip = (axis.ravel() for axis in np.meshgrid([0, 1], [0, 1, 2, 3, 0, 1, 2, 3], indexing="ij"))
    said = np.random.default_rng(seed).random(16) < 0.5
    return Trials(listener, clip, said, np.full(16, 2), np.array([0, 0, 1, 1]), ("human", "lstm"), 2)


def joint(effects: np.ndarray, trials: Trials, beta: np.ndarray, sds: np.ndarray) -> float:
    """log P(answers, effects), written down from its definition."""
    eta = beta[trials.arm] + effects[trials.listener] + effects[trials.listeners + trials.clip]
    answers = norm.logcdf(np.where(trials.said_human, eta, -eta)).sum()
    return float(answers + norm.logpdf(effects, scale=np.repeat(sds, [trials.listeners, trials.clips])).sum())


def test_the_terms_are_derivatives_and_stay_finite_in_the_tails() -> None:
    eta = np.array([-30.0, -3.0, -0.4, 0.0, 1.7, 8.0, 40.0])
    for sign in (1.0, -1.0):
        here = probit_terms(eta, np.full(7, sign))
        above, below = (probit_terms(eta + nudge, np.full(7, sign)) for nudge in (1e-5, -1e-5))
        assert np.allclose((above.value - below.value) / 2e-5, here.slope, rtol=1e-5, atol=1e-8)
        assert np.allclose((below.slope - above.slope) / 2e-5, here.weight, rtol=1e-3, atol=1e-6)
        inner = np.abs(eta) < 5
        assert np.allclose(((above.weight - below.weight) / 2e-5)[inner], here.weight_slope[inner], rtol=1e-4)
        assert all(np.isfinite(part).all() for part in (here.value, here.slope, here.weight, here.weight_slope))


def test_laplace_is_the_height_and_the_curvature_of_the_joint_density() -> None:
    trials, beta, sds = small(), np.array([0.3, -0.2]), np.array([0.5, 0.7])
    top = minimize(lambda b: -joint(b, trials, beta, sds), np.zeros(6), method="BFGS", options={"gtol": 1e-8})
    nudge, hessian = 1e-3, np.zeros((6, 6))
    for i, j in itertools.product(range(6), repeat=2):
        a, b = np.eye(6)[i] * nudge, np.eye(6)[j] * nudge
        corners = [joint(top.x + s * a + t * b, trials, beta, sds) * s * t for s in (1, -1) for t in (1, -1)]
        hessian[i, j] = -sum(corners) / (4 * nudge**2)
    theirs = -top.fun + 3 * np.log(2 * np.pi) - np.linalg.slogdet(hessian)[1] / 2
    ours, _ = CrossedEffects(trials).log_likelihood(beta, *sds)
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_laplace_is_near_the_integral_itself() -> None:
    trials, beta, sds = small(3), np.array([0.3, -0.2]), np.array([0.4, 0.5])
    places, weights = np.polynomial.hermite_e.hermegauss(9)
    scales = np.repeat(sds, [2, 4])
    effects = np.stack(np.meshgrid(*[places] * 6, indexing="ij"), -1).reshape(-1, 6) * scales
    mass = np.prod(np.stack(np.meshgrid(*[weights / weights.sum()] * 6, indexing="ij"), -1).reshape(-1, 6), axis=1)
    eta = beta[trials.arm] + effects[:, trials.listener] + effects[:, 2 + trials.clip]
    exact = np.log(mass @ np.exp(norm.logcdf(np.where(trials.said_human, eta, -eta)).sum(axis=1)))
    ours, _ = CrossedEffects(trials).log_likelihood(beta, *sds)
    assert ours == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("listeners", [12, 150])  # fewer and more than there are clips
def test_the_gradient_is_what_differences_say(listeners: int) -> None:
    truth = Truth((0.7, 0.4, 0.5), sd_listener=0.5, sd_clip=0.3)
    rng = np.random.default_rng(2)
    trials = simulated_trials(truth, ARMS, listeners=listeners, clips=30, heard=5, rng=rng)
    likelihood, point = CrossedEffects(trials), np.array([0.5, -0.3, 0.1, -1.0, -0.8])

    def value(point: np.ndarray) -> float:
        return likelihood.log_likelihood(point[:3], *np.exp(point[3:]))[0]

    _, gradient = likelihood.log_likelihood(point[:3], *np.exp(point[3:]))
    differences = [(value(point + step) - value(point - step)) / 2e-4 for step in np.eye(5) * 1e-4]
    assert np.allclose(gradient, differences, atol=1e-4)


def test_the_truth_is_found_again() -> None:
    truth = Truth((0.7, 0.3, 0.5), sd_listener=0.5, sd_clip=0.4)
    rng = np.random.default_rng(3)
    studies = [
        fit_mixed_model(simulated_trials(truth, ARMS, listeners=60, clips=30, heard=6, rng=rng)) for _ in range(40)
    ]
    betas = np.array([study.beta for study in studies])
    assert np.allclose(betas.mean(axis=0), truth.beta, atol=3.5 * betas.std(axis=0).max() / np.sqrt(40))
    assert np.mean([study.sd_listener for study in studies]) == pytest.approx(0.5, abs=0.06)
    assert np.mean([study.sd_clip for study in studies]) == pytest.approx(0.4, abs=0.06)
    errors = np.array([study.difference(0, 1)[1] for study in studies])
    assert errors.mean() == pytest.approx((betas[:, 0] - betas[:, 1]).std(), rel=0.35)
    assert np.mean([study.shares for study in studies], axis=0) == pytest.approx(truth.shares, abs=0.02)


def test_an_arm_that_everybody_calls_the_same_stays_finite() -> None:
    rng = np.random.default_rng(1)
    trials = simulated_trials(Truth((0.7, 0.5)), ARMS[:2], listeners=20, clips=10, heard=5, rng=rng)
    never = Trials(
        trials.listener, trials.clip, trials.said_human & (trials.arm == 0), trials.confidence, trials.arm_of_clip,
        trials.arms, 20,
    )  # fmt: skip
    model = fit_mixed_model(never)
    assert np.isfinite(model.covariance).all()
    assert model.shares[1] < 0.02


def test_one_listener_is_not_enough() -> None:
    listener, clip = np.zeros(4, int), np.arange(4)
    alone = Trials(listener, clip, clip < 2, np.full(4, 2), np.array([0, 0, 1, 1]), ARMS[:2], 1)
    with pytest.raises(InputError, match="two listeners"):
        fit_mixed_model(alone)
