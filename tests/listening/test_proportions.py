"""Shares, their intervals, and how many trials a claim needs, beside what others compute."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, norm

from cantilena.errors import UsageError
from cantilena.listening import design_effect, trials_to_differ, trials_to_equate, trials_to_tell, wilson


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


def test_wilsons_interval_covers_the_truth_of_independent_trials() -> None:
    for truth in (0.2, 0.4, 0.65):
        held = sum(binom.pmf(k, 100, truth) for k in range(101) if wilson(k, 100).low <= truth <= wilson(k, 100).high)
        assert 0.93 < held < 0.97


def test_no_trials_are_no_share() -> None:
    with pytest.raises(UsageError, match="0 of 0 is not a share"):
        wilson(0, 0)
    with pytest.raises(UsageError, match="12 of 10"):
        wilson(12, 10)


def test_numbers_of_trials_are_those_of_the_books_and_have_the_power_that_they_promise() -> None:
    assert trials_to_tell(0.65) == 92
    assert trials_to_equate(0.10) == 215
    assert trials_to_differ(0.2, 0.4) == 182
    needed = next(k for k in range(93) if 2 * binom.sf(k - 1, 92, 0.5) <= 0.05)  # an exact two-sided test of one half
    assert binom.sf(needed - 1, 92, 0.65) > 0.79
    with pytest.raises(UsageError, match="cannot be told"):
        trials_to_tell(0.5)
    with pytest.raises(UsageError, match="do not differ"):
        trials_to_differ(0.4, 0.4)
    with pytest.raises(UsageError, match="margin"):
        trials_to_equate(0.6)


def test_trials_in_common_cost_trials() -> None:
    rng = np.random.default_rng(1)
    listener, clip = np.divmod(np.arange(2000), 40)
    independent = rng.random(2000) < 0.5
    assert design_effect(independent, listener, clip) < 1.3
    # All clips of one arm alike for everybody: 50 answers to one clip are one answer.
    same = (rng.random(40) < 0.5)[clip]
    assert design_effect(same, listener, clip) == pytest.approx(50, rel=0.1)
    assert design_effect(np.ones(2000, bool), listener, clip) == 1
