"""The number of listeners that a claim needs, and that it is enough."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.listening import Truth, listeners_needed, planned_claims, power_of
from cantilena.listening.planning.power import Planned, Size

SIZE = Size(("human", "lstm"), clips=30, heard=10)


def planned(kind: str) -> Planned:
    found = planned_claims(SIZE, people=0.7, right=0.65, lower=0.2, higher=0.4, truth=Truth((0.5,)))
    return next(one for one in found if one.kind == kind)


def test_a_claim_needs_more_than_independent_trials_would_and_finds_what_it_promises() -> None:
    needed = listeners_needed(planned("told"), SIZE, np.random.default_rng(1), studies=60)
    assert needed.listeners is not None
    assert needed.listeners * 20 > 92
    assert needed.design_effect is not None
    assert needed.design_effect > 1
    again = power_of(planned("told"), SIZE, needed.listeners, 60, np.random.default_rng(2))
    assert again.high > 0.8
    assert again.value > 0.65


def test_clips_can_be_too_few_for_any_number_of_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.listening.planning.power.MOST_LISTENERS", 60)
    few = Size(("human", "lstm"), clips=4, heard=4)
    needed = listeners_needed(planned("equal"), few, np.random.default_rng(1), studies=10)
    assert needed.listeners is None
    assert needed.power.value < 0.8


@pytest.mark.slow
def test_the_promised_power_is_there_in_new_studies() -> None:
    for kind in ("told", "equal"):
        needed = listeners_needed(planned(kind), SIZE, np.random.default_rng(3), studies=300)
        assert needed.listeners is not None
        again = power_of(planned(kind), SIZE, needed.listeners, 500, np.random.default_rng(4))
        assert again.high >= 0.8
