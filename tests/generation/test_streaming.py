"""Composing as a stream: the same melodies, told note by note."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, Composer, Composition, SamplingOptions, StreamChunk, load
from cantilena.music import Melody, Note

ASKED = st.builds(
    ComposeOptions,
    events=st.integers(1, 24),
    primer=st.sampled_from(["", "C4", "E4 r/8 D4/8", "r A4/2 r/2"]),
    with_primer=st.booleans(),
    key=st.sampled_from(["", "Eb major", "F# minor"]),
    range=st.sampled_from(["", "C4-A5"]),
    constrain=st.sampled_from(["", "rl-tuner:key"]),
    meter=st.sampled_from(["", "6/8"]),
)
SAMPLING = st.sampled_from(
    [SamplingOptions(), SamplingOptions(greedy=True), SamplingOptions(temperature=3.0), SamplingOptions(top_k=2)]
)


def facts(made: Composition) -> tuple[object, ...]:
    return made, made.log_likelihood, made.policy_log_likelihood, made.rules_broken


@given(
    st.sampled_from(["grid", "events", "notes", "chords"]),
    ASKED,
    SAMPLING,
    st.integers(0, 99),
    st.integers(1, 3),
    st.integers(1, 9),
)
@settings(max_examples=12, deadline=None)
def test_the_stream_ends_in_what_compose_many_gives(
    all_kinds: dict[str, Composer],
    encoding: str,
    asked: ComposeOptions,
    sampling: SamplingOptions,
    seed: int,
    melodies: int,
    every: int,
) -> None:
    composer, is_of_notes = all_kinds[encoding], encoding in ("notes", "chords")
    if is_of_notes and seed % 2:
        asked = replace(asked, events=None, bars=2 + seed % 3)  # more than the primer
    whole = composer.compose_many(melodies, asked, sampling=sampling, seed=seed)
    sketches = list(composer.stream(melodies, asked, sampling=sampling, seed=seed, every=every))
    assert [facts(one) for one in sketches[-1].compositions] == [facts(one) for one in whole]
    assert not any(sketch.compositions for sketch in sketches[:-1])
    for number, melody in enumerate(whole):
        assert tuple(itertools.chain(*(sketch.notes[number] for sketch in sketches))) == melody.notes
    for before, after in itertools.pairwise(sketches):
        assert before.length <= after.length if is_of_notes else before.length < after.length
        assert all(note.end <= before.length for notes in before.notes for note in notes)
    assert sketches[-1].length == max(one.length for one in whole)
    assert len(sketches) == -(-max(len(one.tokens) for one in whole) // every)


@pytest.mark.parametrize("name", ["tunes", "classical"])
def test_models_that_ship_stream_in_their_styles(name: str) -> None:
    composer = load(name)
    asked = ComposeOptions(bars=2, style=composer.styles[0].name, primer="C4 D4")
    made = composer.compose_many(2, asked, seed=4)
    assert [facts(one) for one in list(composer.stream(2, asked, seed=4))[-1].compositions] == [
        facts(one) for one in made
    ]


def test_notes_come_before_the_end(grid: Composer) -> None:
    sketches = list(grid.stream(1, ComposeOptions(bars=4, primer="C4 D4 E4"), every=1))
    told = [len(sketch.notes[0]) for sketch in sketches]
    assert told[0] >= 2  # of the primer, whose last note may still be held
    assert sum(told[:-1]) >= sum(told) - 2


def test_a_note_whose_duration_is_known_is_complete(notes: Composer) -> None:
    sketches = list(notes.stream(1, ComposeOptions(bars=4, primer="C4 D4 E4"), every=1))
    assert [len(sketch.notes[0]) for sketch in sketches[:1]] == [3]
    composed = sketches[-1].compositions[0]
    assert sum(len(sketch.notes[0]) for sketch in sketches[:-1]) == len(composed.notes) - len(sketches[-1].notes[0])
    assert len(sketches[-1].notes[0]) <= 1


def test_an_idea_and_rules_as_objects(grid: Composer) -> None:
    idea = Melody((Note((60,), 12, 12),), length=48)
    asked = ComposeOptions(bars=1)
    last: StreamChunk = list(grid.stream(2, asked, primer=idea, seed=9))[-1]
    assert list(last.compositions) == grid.compose_many(2, asked, primer=idea, seed=9)


def test_what_cannot_be_is_refused_at_the_call(grid: Composer) -> None:
    for melodies, every in ((0, 4), (1, 0)):
        with pytest.raises(UsageError):
            grid.stream(melodies, every=every)
    with pytest.raises(UsageError, match="range"):
        grid.stream(1, ComposeOptions(range="A5-C4"))
