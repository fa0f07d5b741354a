"""Proportions, sample sizes and signal detection beside formulas, tables and other libraries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from cantilena.errors import UsageError
from cantilena.listening import (
    design_effect,
    sample_size_equivalence,
    sample_size_one_proportion,
    sample_size_two_proportions,
    signal_detection,
    wilson,
)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (2, 10), (4, 10), (10, 10), (57, 200)])
def test_wilsons_bounds_are_where_the_score_test_rejects(successes: int, trials: int) -> None:
    share, z = successes / trials, norm.ppf(0.975)

    def score(p: float) -> float:
        return (share - p) ** 2 - z * z * p * (1 - p) / trials

    interval = wilson(successes, trials)
    if successes:
        assert interval.low == pytest.approx(brentq(score, 1e-12, share - 1e-6), abs=1e-9)
    if successes < trials:
        assert interval.high == pytest.approx(brentq(score, share + 1e-6, 1 - 1e-12), abs=1e-9)
    assert 0 <= interval.low <= share <= interval.high <= 1


def test_wilsons_interval_covers_the_truth_for_independent_trials() -> None:
    for truth in (0.2, 0.4, 0.65):
        held = sum(binom.pmf(k, 100, truth) for k in range(101) if wilson(k, 100).low <= truth <= wilson(k, 100).high)
        assert 0.93 < held < 0.97


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (12, 10)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(UsageError, match=f"{successes} of {trials} is not a proportion"):
        wilson(successes, trials)


def test_sample_sizes_are_those_of_the_textbooks_and_give_the_power() -> None:
    assert sample_size_one_proportion(0.65) == 92
    assert sample_size_equivalence(0.10) == 215
    assert sample_size_two_proportions(0.2, 0.4) == 182
    needed = next(k for k in range(93) if 2 * binom.sf(k - 1, 92, 0.5) <= 0.05)  # an exact two-sided test of one half
    assert binom.sf(needed - 1, 92, 0.65) > 0.79
    with pytest.raises(UsageError, match=r"0.5 does not differ from 0.5"):
        sample_size_one_proportion(0.5)
    with pytest.raises(UsageError, match="do not differ"):
        sample_size_two_proportions(0.4, 0.4)
    with pytest.raises(UsageError, match="margin"):
        sample_size_equivalence(0.6)


def test_shared_listeners_and_clips_increase_the_design_effect() -> None:
    rng = np.random.default_rng(1)
    listener, clip = np.divmod(np.arange(2000), 40)
    independent = rng.random(2000) < 0.5
    assert design_effect(independent, listener, clip) < 1.3
    # Every listener answers the same to a clip: 50 answers to one clip are one answer.
    same = (rng.random(40) < 0.5)[clip]
    assert design_effect(same, listener, clip) == pytest.approx(50, rel=0.1)
    assert design_effect(np.ones(2000, bool), listener, clip) == 1


def counts_of(hit: float, false_alarm: float, trials: int) -> np.ndarray:
    counts = np.zeros((2, 8))
    counts[0, [0, 7]] = trials * (1 - hit), trials * hit
    counts[1, [0, 7]] = trials * (1 - false_alarm), trials * false_alarm
    return counts


def test_sensitivity_and_bias_follow_the_formula() -> None:
    result = signal_detection(counts_of(0.84, 0.31, 10_000_000))
    assert result.d_prime[1] == pytest.approx(norm.ppf(0.84) - norm.ppf(0.31), abs=1e-5)
    assert result.criterion[1] == pytest.approx(-(norm.ppf(0.84) + norm.ppf(0.31)) / 2, abs=1e-5)
    assert result.d_prime[0] == 0
    assert result.shares == pytest.approx([0.84, 0.31])


def test_the_sensitivity_of_an_unbiased_listener_is_that_of_published_tables() -> None:
    assert signal_detection(counts_of(0.71, 0.29, 10_000_000)).d_prime[1] == pytest.approx(1.107, abs=0.001)


def test_perfect_answers_have_a_finite_sensitivity() -> None:
    result = signal_detection(counts_of(1.0, 0.0, 10))
    assert result.d_prime[1] == pytest.approx(2 * norm.ppf(10.5 / 11))
    assert result.criterion[1] == pytest.approx(0)


def test_the_area_under_the_roc_equals_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    human, other = rng.binomial(7, 0.6, 200), rng.binomial(7, 0.45, 150)
    counts = np.stack([np.bincount(human, minlength=8), np.bincount(other, minlength=8)]).astype(float)
    expected = roc_auc_score(np.repeat([1, 0], [200, 150]), np.concatenate([human, other]))
    result = signal_detection(counts)
    assert result.auc[1] == pytest.approx(expected)
    assert result.auc[0] == pytest.approx(0.5)


def test_a_batch_of_counts_gives_the_result_of_each() -> None:
    batch = np.random.default_rng(1).integers(1, 20, (5, 3, 8)).astype(float)
    together = signal_detection(batch)
    for row, counts in enumerate(batch):
        assert np.allclose(together.d_prime[row], signal_detection(counts).d_prime)
        assert np.allclose(together.auc[row], signal_detection(counts).auc)
