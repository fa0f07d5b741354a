"""Locked notes stay, with their rhythm or contour if no more is locked, whatever is rewritten around them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.generation import BarRange, Composer, InfillSpan, Lock, SamplingOptions
from cantilena.music import Melody, Note

from .test_infilling import LONG, outside, tunes


def contour(notes: list[Note]) -> list[int]:
    return [int(np.sign(after.top - note.top)) for note, after in pairwise(notes)]


def runs(numbers: tuple[int, ...]) -> list[list[int]]:
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][-1] + 1 == number:
            found[-1].append(number)
        else:
            found.append([number])
    return found


@st.composite
def locked(draw: st.DrawFn) -> tuple[Melody, int, int, list[Lock]]:
    melody, first, last = draw(tunes())
    kinds = draw(st.lists(st.sampled_from(["", "notes", "rhythm", "contour"]), min_size=len(melody.sounding)))
    locks = [
        Lock(kind, tuple(number for number, one in enumerate(kinds[: len(melody.sounding)]) if one == kind))
        for kind in ("notes", "rhythm", "contour")
    ]
    return melody, first, last, [lock for lock in locks if lock.notes]


@given(locked(), st.sampled_from(["notes", "chords", "notes", "grid", "events"]), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_what_is_locked_stays(
    all_kinds: dict[str, Composer], asked: tuple[Melody, int, int, list[Lock]], encoding: str, seed: int
) -> None:
    melody, first, last, locks = asked
    composer = all_kinds[encoding]
    if encoding in ("grid", "events"):
        locks = [lock for lock in locks if lock.kind == "notes"]
    try:
        span = InfillSpan.from_bars(melody, BarRange(first, last))
        made = composer.rewrite(melody, first, last, locks=locks, seed=seed, melodies=2)
    except UsageError as refusal:
        words = "no note", "held through", "ends before", "is locked", "have the contour"
        assert any(one in refusal.text for one in words)  # noqa: PT017
        return
    assert made[:1] == composer.rewrite(melody, first, last, locks=locks, seed=seed)
    for one in made:
        assert outside(one, span.start, span.end) == outside(melody, span.start, span.end)
        new = {note.onset: note for note in one.sounding}
        for lock in locks:
            for run in runs(lock.notes):
                before, after = [melody.sounding[n] for n in run], []
                for note in before:
                    assert note.onset in new
                    after.append(new[note.onset])
                if lock.kind == "notes":
                    assert before == after
                assert [note.duration for note in before] == [note.duration for note in after]
                silent = [(note.end, following.onset) for note, following in pairwise(before)]
                assert not [n for n in new for start, end in silent if start <= n < end]
                if lock.kind == "contour":
                    assert contour(before) == contour(after)


def test_pitches_of_a_locked_rhythm_and_the_rest_are_new(all_kinds: dict[str, Composer]) -> None:
    composer = all_kinds["notes"]
    for kind in ("rhythm", "contour"):
        made = composer.rewrite(LONG, 3, 6, locks=[Lock(kind, tuple(range(10, 20)))], seed=3)[0]
        assert made != LONG
        pitches = {note.onset: note.pitches for note in made.sounding}
        assert [pitches[LONG.notes[n].onset] for n in range(10, 20)] != [LONG.notes[n].pitches for n in range(10, 20)]


def test_a_contour_of_more_steps_than_pitches_is_refused(all_kinds: dict[str, Composer]) -> None:
    scale = Melody.from_pitches([(60 + step, 12) for step in range(16)])
    with pytest.raises(UsageError, match="no 13 pitches have the contour of 16 notes"):
        all_kinds["notes"].rewrite(scale, 1, 2, locks=[Lock("contour", tuple(range(16)))], range="C4-C5")


@pytest.mark.parametrize(
    ("locks", "words"),
    [
        ([Lock("notes", (32,))], "note 32"),
        ([Lock("notes", (-1,))], "note -1"),
        ([Lock("notes", (8, 8))], "the same note"),
        ([Lock("notes", (8,)), Lock("rhythm", (8,))], "the same note"),
        ([Lock("notes", tuple(range(8, 24)))], "every note of bars 3-6 is locked"),
    ],
)
def test_locks_that_cannot_be_are_refused(all_kinds: dict[str, Composer], locks: list[Lock], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        all_kinds["notes"].rewrite(LONG, 3, 6, locks=locks)


def test_only_models_of_notes_keep_a_rhythm_alone(all_kinds: dict[str, Composer]) -> None:
    for kind in ("grid", "events"):
        with pytest.raises(UsageError, match="a rhythm or a contour alone"):
            all_kinds[kind].rewrite(LONG, 3, 6, locks=[Lock("rhythm", (9,))])


def test_too_many_gaps_are_refused(all_kinds: dict[str, Composer]) -> None:
    tune = Melody.from_pitches([(60 + step % 5, 12) for step in range(160)])
    with pytest.raises(UsageError, match="40 gaps"):
        all_kinds["notes"].rewrite(tune, 1, 10, locks=[Lock("notes", tuple(range(1, 80, 2)))])


def test_rules_and_greedy_choice_work_with_locks(all_kinds: dict[str, Composer]) -> None:
    locks = [Lock("notes", (12,)), Lock("contour", (16, 17, 18))]
    options = {"locks": locks, "constrain": "rl-tuner:key", "seed": 4}
    for sampling in (SamplingOptions(), SamplingOptions(greedy=True), SamplingOptions(temperature=0.7, top_k=5)):
        made = all_kinds["notes"].rewrite(LONG, 3, 6, sampling=sampling, **options)[0]
        assert {note.onset: note for note in made.sounding}[288] == LONG.notes[12]
