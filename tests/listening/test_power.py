"""The required number of listeners, and the power that it gives."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.listening import (
    CreateOptions,
    PlannedTest,
    PowerOptions,
    estimate_power,
    make_design,
    planned_tests,
    required_listeners,
)

DESIGN = make_design(["human", "lstm"], CreateOptions(clips=30, trials=20))


def planned(kind: str) -> PlannedTest:
    return next(test for test in planned_tests(2, PowerOptions()) if test.kind == kind)


@pytest.mark.e2e
def test_a_test_needs_more_than_independent_trials_and_reaches_the_power() -> None:
    needed = required_listeners(planned("told"), DESIGN, PowerOptions(studies=10), np.random.default_rng(1))
    assert needed.listeners is not None
    assert needed.listeners * 20 > 92
    assert needed.design_effect is not None
    assert needed.design_effect > 1
    again = estimate_power(planned("told"), DESIGN, needed.listeners, 20, np.random.default_rng(2))
    assert again.high > 0.8
    assert again.value > 0.65


def test_clips_can_be_too_few_for_any_number_of_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.listening.planning.power.MAX_LISTENERS", 40)
    design = make_design(["human", "lstm"], CreateOptions(clips=4, trials=8))
    needed = required_listeners(planned("equal"), design, PowerOptions(studies=10), np.random.default_rng(1))
    assert needed.listeners is None
    assert needed.power.value < 0.8


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["told", "equal"])
def test_new_studies_have_the_required_power(kind: str) -> None:
    needed = required_listeners(planned(kind), DESIGN, PowerOptions(studies=300), np.random.default_rng(3))
    assert needed.listeners is not None
    again = estimate_power(planned(kind), DESIGN, needed.listeners, 500, np.random.default_rng(4))
    assert again.high >= 0.8
