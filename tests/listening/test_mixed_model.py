"""The probit mixed model beside numerical integration and differences, and on known parameters."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from cantilena.errors import InputError
from cantilena.listening import ListenerModel, Trials, fit_mixed_model, simulate_trials
from cantilena.listening.stats.mixed_model import CrossedProbitLikelihood, probit_terms

ARMS = ("human", "lstm", "tuned")


def small_trials(seed: int = 1) -> Trials:
    """Two listeners who hear two clips of two arms, each twice."""
    listener, clip = (axis.ravel() for axis in np.meshgrid([0, 1], [0, 1, 2, 3, 0, 1, 2, 3], indexing="ij"))
    said_human = np.random.default_rng(seed).random(16) < 0.5
    return Trials(listener, clip, said_human, np.full(16, 2), np.array([0, 0, 1, 1]), ("human", "lstm"), 2)


def log_joint(effects: np.ndarray, trials: Trials, beta: np.ndarray, sds: np.ndarray) -> float:
    """log P(answers, effects) by its definition."""
    eta = beta[trials.arm] + effects[trials.listener] + effects[trials.n_listeners + trials.clip]
    answers = norm.logcdf(np.where(trials.said_human, eta, -eta)).sum()
    return float(answers + norm.logpdf(effects, scale=np.repeat(sds, [trials.n_listeners, trials.n_clips])).sum())


def test_the_terms_are_derivatives_and_stay_finite_in_the_tails() -> None:
    eta = np.array([-30.0, -3.0, -0.4, 0.0, 1.7, 8.0, 40.0])
    for sign in (1.0, -1.0):
        here = probit_terms(eta, np.full(7, sign))
        above, below = (probit_terms(eta + step, np.full(7, sign)) for step in (1e-5, -1e-5))
        assert np.allclose((above.value - below.value) / 2e-5, here.slope, rtol=1e-5, atol=1e-8)
        assert np.allclose((below.slope - above.slope) / 2e-5, here.weight, rtol=1e-3, atol=1e-6)
        inner = np.abs(eta) < 5
        assert np.allclose(((above.weight - below.weight) / 2e-5)[inner], here.weight_slope[inner], rtol=1e-4)
        assert all(np.isfinite(part).all() for part in (here.value, here.slope, here.weight, here.weight_slope))


def test_laplace_is_the_height_and_the_curvature_of_the_joint_density() -> None:
    trials, beta, sds = small_trials(), np.array([0.3, -0.2]), np.array([0.5, 0.7])
    top = minimize(lambda b: -log_joint(b, trials, beta, sds), np.zeros(6), method="BFGS", options={"gtol": 1e-8})
    step, hessian = 1e-3, np.zeros((6, 6))
    for i, j in itertools.product(range(6), repeat=2):
        a, b = np.eye(6)[i] * step, np.eye(6)[j] * step
        corners = [log_joint(top.x + s * a + t * b, trials, beta, sds) * s * t for s in (1, -1) for t in (1, -1)]
        hessian[i, j] = -sum(corners) / (4 * step**2)
    expected = -top.fun + 3 * np.log(2 * np.pi) - np.linalg.slogdet(hessian)[1] / 2
    value, _ = CrossedProbitLikelihood(trials)(beta, *sds)
    assert value == pytest.approx(expected, abs=1e-4)


def test_laplace_is_close_to_the_integral() -> None:
    trials, beta, sds = small_trials(3), np.array([0.3, -0.2]), np.array([0.4, 0.5])
    nodes, weights = np.polynomial.hermite_e.hermegauss(7)
    effects = np.stack(np.meshgrid(*[nodes] * 6, indexing="ij"), -1).reshape(-1, 6) * np.repeat(sds, [2, 4])
    mass = np.prod(np.stack(np.meshgrid(*[weights / weights.sum()] * 6, indexing="ij"), -1).reshape(-1, 6), axis=1)
    eta = beta[trials.arm] + effects[:, trials.listener] + effects[:, 2 + trials.clip]
    exact = np.log(mass @ np.exp(norm.logcdf(np.where(trials.said_human, eta, -eta)).sum(axis=1)))
    value, _ = CrossedProbitLikelihood(trials)(beta, *sds)
    assert value == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("listeners", [12, 150])  # fewer and more than there are clips
def test_the_gradient_equals_differences(listeners: int) -> None:
    model = ListenerModel((0.7, 0.4, 0.5), sd_listener=0.5, sd_clip=0.3)
    rng = np.random.default_rng(2)
    trials = simulate_trials(model, ARMS, listeners=listeners, clips=30, clips_per_listener=5, rng=rng)
    likelihood, point = CrossedProbitLikelihood(trials), np.array([0.5, -0.3, 0.1, -1.0, -0.8])

    def value(point: np.ndarray) -> float:
        return likelihood(point[:3], *np.exp(point[3:]))[0]

    _, gradient = likelihood(point[:3], *np.exp(point[3:]))
    differences = [(value(point + step) - value(point - step)) / 2e-4 for step in np.eye(5) * 1e-4]
    assert np.allclose(gradient, differences, atol=1e-4)


def test_known_parameters_are_recovered() -> None:
    truth = ListenerModel((0.7, 0.3, 0.5), sd_listener=0.5, sd_clip=0.4)
    rng = np.random.default_rng(3)
    fitted = [
        fit_mixed_model(simulate_trials(truth, ARMS, listeners=60, clips=30, clips_per_listener=6, rng=rng))
        for _ in range(20)
    ]
    betas = np.array([model.beta for model in fitted])
    assert np.allclose(betas.mean(axis=0), truth.beta, atol=3.5 * betas.std(axis=0).max() / np.sqrt(20))
    assert np.mean([model.sd_listener for model in fitted]) == pytest.approx(0.5, abs=0.06)
    assert np.mean([model.sd_clip for model in fitted]) == pytest.approx(0.4, abs=0.06)
    errors = np.array([model.difference(0, 1)[1] for model in fitted])
    assert errors.mean() == pytest.approx((betas[:, 0] - betas[:, 1]).std(), rel=0.35)
    assert np.mean([model.shares for model in fitted], axis=0) == pytest.approx(truth.shares, abs=0.02)


def test_the_estimate_stays_finite_for_an_arm_with_a_single_answer() -> None:
    rng = np.random.default_rng(1)
    model = ListenerModel((0.7, 0.5))
    trials = simulate_trials(model, ARMS[:2], listeners=20, clips=10, clips_per_listener=5, rng=rng)
    fitted = fit_mixed_model(replace(trials, said_human=trials.said_human & (trials.arm == 0)))
    assert np.isfinite(fitted.covariance).all()
    assert fitted.shares[1] < 0.02


def test_one_listener_is_not_enough() -> None:
    listener, clip = np.zeros(4, int), np.arange(4)
    alone = Trials(listener, clip, clip < 2, np.full(4, 2), np.array([0, 0, 1, 1]), ARMS[:2], 1)
    with pytest.raises(InputError, match="two listeners"):
        fit_mixed_model(alone)
