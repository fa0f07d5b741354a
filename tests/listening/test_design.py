"""Balanced designs: numbers that fit, clips and orders that are balanced, and where other trials are inserted."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from cantilena.errors import UsageError
from cantilena.listening import CreateOptions, make_design
from cantilena.listening.study.design import REPEAT_DISTANCE, allocate_clips, make_sessions, williams_square
from cantilena.listening.study.study import Trial

ITEMS = [[f"{arm}{n}" for n in range(30)] for arm in "abcd"]


def example_sessions(listeners: int = 48, **extras: object) -> tuple[tuple[Trial, ...], ...]:
    return make_sessions(ITEMS, 5, listeners, np.random.default_rng(1), **extras)  # type: ignore[arg-type]


@pytest.mark.parametrize("listeners", [1, 7, 48])
def test_clips_are_heard_equally_often_and_never_twice_by_a_listener(listeners: int) -> None:
    allocation = allocate_clips(listeners, 4, 30, 5, np.random.default_rng(2))
    heard = np.bincount(allocation.ravel(), minlength=120)
    assert np.ptp(heard) <= 1
    assert all(len(set(one.ravel().tolist())) == 20 for one in allocation)


def test_every_arm_has_every_position_equally_often() -> None:
    places = Counter(
        (place, trial.clip[0]) for session in example_sessions(repeats=0) for place, trial in enumerate(session)
    )
    assert set(places.values()) == {12}


@pytest.mark.parametrize("arms", [2, 3, 4, 5])
def test_every_arm_follows_every_other_equally_often(arms: int) -> None:
    square = williams_square(arms)
    follows = Counter((a, b) for row in square.tolist() for a, b in pairwise(row))
    assert len(follows) == arms * (arms - 1)
    assert len(set(follows.values())) == 1
    assert all(sorted(column) == sorted(square[:, 0]) for column in square.T.tolist())


@pytest.mark.parametrize("arms", [2, 3, 4, 5])
def test_arms_follow_each_other_equally_often_in_sessions(arms: int) -> None:
    names = "abcde"[:arms]
    items = [[f"{arm}{n}" for n in range(30)] for arm in names]
    for seed in range(20):
        group = make_sessions(items, 6, 2 * arms, np.random.default_rng(seed), repeats=0)
        follows = Counter((a.clip[0], b.clip[0]) for session in group for a, b in pairwise(session))
        counts = [follows[a, b] for a in names for b in names if a != b]
        assert max(counts) - min(counts) <= (0 if arms <= 3 else 4)


@pytest.mark.parametrize("arms", [2, 3])
def test_the_next_arm_cannot_be_predicted(arms: int) -> None:
    items = [[f"{arm}{n}" for n in range(30)] for arm in "abc"[:arms]]
    example = make_sessions(items, 10, 600, np.random.default_rng(1), repeats=0)
    seen: dict[str, Counter[str]] = {}
    for session in example:
        order = "".join(trial.clip[0] for trial in session)
        for place in range(3, 10):  # later, a listener who counts knows which arms are left
            seen.setdefault(order[place - 3 : place], Counter())[order[place]] += 1
    right = sum(max(counts.values()) for counts in seen.values()) / sum(map(Counter.total, seen.values()))
    assert right < 1 / arms + 0.1


def test_every_session_has_anchors_the_attention_check_and_a_late_repeat() -> None:
    for session in example_sessions(anchors=["x", "y", "z"], attention="!"):
        assert Counter(trial.kind for trial in session) == {"item": 20, "anchor": 2, "attention": 1, "repeat": 1}
        assert len({trial.clip for trial in session if trial.kind == "anchor"}) == 2
        again = next(place for place, trial in enumerate(session) if trial.kind == "repeat")
        first = session.index(Trial("item", session[again].clip))
        assert again - first > REPEAT_DISTANCE
        assert session[0].kind == session[1].kind == "item"


def test_the_same_seed_gives_the_same_sessions() -> None:
    assert example_sessions() == example_sessions()


def test_unbalanced_designs_are_refused_with_the_nearest_that_are_balanced() -> None:
    with pytest.raises(UsageError, match="20 trials cannot be balanced among 3 arms") as refused:
        make_design(["human", "lstm", "tuned"], CreateOptions(trials=20))
    assert refused.value.hint == "give --trials 18 or 21"
    with pytest.raises(UsageError, match="40 listeners cannot be balanced among the 6 orders of 3 arms"):
        make_design(["human", "lstm", "tuned"], CreateOptions(listeners=40))
    with pytest.raises(UsageError, match="no arm of human melodies"):
        make_design(["lstm", "tuned"], CreateOptions())
    with pytest.raises(UsageError, match="one generated arm"):
        make_design(["human", "lstm", "tuned"], CreateOptions(preset="paper"))


@pytest.mark.parametrize("arms", [["human"], ["human", "human", "lstm"], ["human", *"abcdefghij"]])
def test_too_few_too_many_and_repeated_arms_are_refused(arms: list[str]) -> None:
    with pytest.raises(UsageError, match="the arms are human"):
        make_design(arms, CreateOptions())


def test_the_papers_design_has_ten_raters_and_twenty_clips() -> None:
    design = make_design(["lstm", "human"], CreateOptions(preset="paper"))
    assert (design.arms, design.clips, design.clips_per_listener, design.listeners) == (("human", "lstm"), 10, 10, 10)
    assert not design.checks
    with pytest.raises(UsageError, match="fixed numbers"):
        CreateOptions(preset="paper", clips=12)
