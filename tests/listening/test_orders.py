"""Sessions are balanced: every clip as often, no arm earlier than another, extras where they belong."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from cantilena.listening.study.design import APART, allocate, sessions, williams
from cantilena.listening.study.study import Slot

ITEMS = [[f"{arm}{n}" for n in range(30)] for arm in "abcd"]


def made(listeners: int = 48, **extras: object) -> tuple[tuple[Slot, ...], ...]:
    return sessions(ITEMS, 5, listeners, np.random.default_rng(1), **extras)  # type: ignore[arg-type]


@pytest.mark.parametrize("listeners", [1, 7, 48])
def test_every_clip_is_heard_as_often_and_by_nobody_twice(listeners: int) -> None:
    dealt = allocate(listeners, 4, 30, 5, np.random.default_rng(2))
    heard = np.bincount(dealt.ravel(), minlength=120)
    assert np.ptp(heard) <= 1
    assert all(len(set(one.ravel().tolist())) == 20 for one in dealt)


def test_every_arm_stands_at_every_place_equally_often() -> None:
    places = Counter((place, slot.clip[0]) for session in made(repeats=0) for place, slot in enumerate(session))
    assert set(places.values()) == {12}


@pytest.mark.parametrize("arms", [2, 3, 4, 5])
def test_every_arm_follows_every_other_equally_often(arms: int) -> None:
    square = williams(arms)
    follows = Counter((a, b) for row in square.tolist() for a, b in pairwise(row))
    assert len(follows) == arms * (arms - 1)
    assert len(set(follows.values())) == 1
    assert all(sorted(column) == sorted(square[:, 0]) for column in square.T.tolist())


@pytest.mark.parametrize("arms", [2, 3, 4, 5])
def test_in_sessions_too_every_arm_follows_every_other_equally_often(arms: int) -> None:
    names = "abcde"[:arms]
    items = [[f"{arm}{n}" for n in range(30)] for arm in names]
    for seed in range(20):
        group = sessions(items, 6, 2 * arms, np.random.default_rng(seed), repeats=0)
        follows = Counter((a.clip[0], b.clip[0]) for session in group for a, b in pairwise(session))
        counts = [follows[a, b] for a in names for b in names if a != b]
        assert max(counts) - min(counts) <= (0 if arms <= 3 else 4)


@pytest.mark.parametrize("arms", [2, 3])
def test_what_comes_next_cannot_be_told_from_what_came(arms: int) -> None:
    items = [[f"{arm}{n}" for n in range(30)] for arm in "abc"[:arms]]
    made = sessions(items, 10, 600, np.random.default_rng(1), repeats=0)
    seen: dict[str, Counter[str]] = {}
    for session in made:
        order = "".join(slot.clip[0] for slot in session)
        for place in range(3, 10):  # later, who counts knows a little of what is left
            seen.setdefault(order[place - 3 : place], Counter())[order[place]] += 1
    right = sum(max(counts.values()) for counts in seen.values()) / sum(map(Counter.total, seen.values()))
    assert right < 1 / arms + 0.1


def test_anchors_the_check_and_a_late_repeat_are_in_every_session() -> None:
    for session in made(anchors=["x", "y", "z"], attention="!"):
        assert Counter(slot.kind for slot in session) == {"item": 20, "anchor": 2, "attention": 1, "repeat": 1}
        assert len({slot.clip for slot in session if slot.kind == "anchor"}) == 2
        again = next(place for place, slot in enumerate(session) if slot.kind == "repeat")
        first = session.index(Slot("item", session[again].clip))
        assert again - first > APART
        assert session[0].kind == session[1].kind == "item"


def test_the_same_seed_gives_the_same_sessions() -> None:
    assert made() == made()
