"""Chords as networks are told them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cantilena.models import chord_rows, padded_chords, transposed_chords
from cantilena.models.chords import NEVER, chords_at
from cantilena.music import CHORD_TONES, Chord

symbols = st.builds(Chord, st.integers(0, 11), st.sampled_from(list(CHORD_TONES)), st.integers(0, 11)) | st.just(
    Chord(None)
)
progressions = st.lists(st.tuples(st.integers(0, 400), symbols), max_size=8, unique_by=lambda one: one[0]).map(sorted)


@given(progressions, st.integers(-11, 11))
def test_transposed_rows_are_those_of_the_transposed_chords(chords: list[tuple[int, Chord]], semitones: int) -> None:
    moved = transposed_chords(padded_chords([chord_rows(chords)]), np.array([semitones]))
    expected = chord_rows([(tick, chord.transposed(semitones)) for tick, chord in chords])
    np.testing.assert_array_equal(moved[0], expected)


@given(st.lists(progressions, min_size=1, max_size=4), st.lists(st.integers(0, 500), min_size=1, max_size=6))
def test_the_chord_at_a_tick_is_the_last_that_began(many: list[list[tuple[int, Chord]]], ticks: list[int]) -> None:
    found = chords_at(padded_chords([chord_rows(chords) for chords in many]), np.tile(ticks, (len(many), 1)))
    for row, chords in enumerate(many):
        for query, tick in enumerate(ticks):
            begun = [chord for onset, chord in chords if onset <= tick]
            chord, bass, _, wait = found[row, query]
            alone = chord_rows([(0, begun[-1])])[0] if begun else np.zeros(3, dtype=np.int64)
            assert (chord, bass) == (alone[1], alone[2])
            assert wait == -1 or 0 < wait < NEVER


def test_chords_that_repeat_are_one() -> None:
    c = Chord.parse("C")
    assert chord_rows([(0, c), (24, c), (48, Chord(None)), (96, Chord(None))])[:, 0].tolist() == [0, 48]
