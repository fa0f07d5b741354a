"""d', c and the area under the ROC beside tables and another library."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from cantilena.listening import detect


def counts_of(hit: float, false_alarm: float, trials: int) -> np.ndarray:
    counts = np.zeros((2, 8))
    counts[0, [0, 7]] = trials * (1 - hit), trials * hit
    counts[1, [0, 7]] = trials * (1 - false_alarm), trials * false_alarm
    return counts


def test_sensitivity_and_bias_are_those_of_the_formula() -> None:
    found = detect(counts_of(0.84, 0.31, 10_000_000))
    assert found.d_prime[1] == pytest.approx(norm.ppf(0.84) - norm.ppf(0.31), abs=1e-5)
    assert found.criterion[1] == pytest.approx(-(norm.ppf(0.84) + norm.ppf(0.31)) / 2, abs=1e-5)
    assert found.d_prime[0] == 0
    assert found.shares == pytest.approx([0.84, 0.31])


def test_a_listener_without_leaning_who_is_right_as_often_as_students_has_their_sensitivity() -> None:
    assert detect(counts_of(0.71, 0.29, 10_000_000)).d_prime[1] == pytest.approx(1.107, abs=0.001)


def test_perfect_answers_have_a_finite_sensitivity() -> None:
    found = detect(counts_of(1.0, 0.0, 10))
    assert found.d_prime[1] == pytest.approx(2 * norm.ppf(10.5 / 11))
    assert found.criterion[1] == pytest.approx(0)


def test_the_area_is_what_another_library_computes() -> None:
    rng = np.random.default_rng(1)
    human, other = rng.binomial(7, 0.6, 200), rng.binomial(7, 0.45, 150)
    counts = np.stack([np.bincount(human, minlength=8), np.bincount(other, minlength=8)]).astype(float)
    theirs = roc_auc_score(np.repeat([1, 0], [200, 150]), np.concatenate([human, other]))
    found = detect(counts)
    assert found.area[1] == pytest.approx(theirs)
    assert found.area[0] == pytest.approx(0.5)


def test_many_counts_at_once_are_each_alone() -> None:
    some = np.random.default_rng(1).integers(1, 20, (5, 3, 8)).astype(float)
    together = detect(some)
    for row, counts in enumerate(some):
        assert np.allclose(together.d_prime[row], detect(counts).d_prime)
        assert np.allclose(together.area[row], detect(counts).area)
