"""The laws of the grid encoding, on any range and grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.music import Key, Melody, Meter, Note, Tempo
from cantilena.tokenizers import Encoding, GridEncoding, parse_tokens


@st.composite
def grids(draw: st.DrawFn) -> GridEncoding:
    low = draw(st.integers(0, 116))
    return GridEncoding(low, draw(st.integers(low + 11, 127)), draw(st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24])))


@st.composite
def any_melodies(draw: st.DrawFn) -> Melody:
    """Chords, polyphony, rests, off the grid and out of range."""
    struck = st.lists(st.integers(0, 127), max_size=3)
    parts = draw(st.lists(st.tuples(struck, st.integers(0, 150), st.integers(1, 80)), max_size=10))
    return Melody(
        tuple(Note(tuple(pitches), onset, duration) for pitches, onset, duration in parts),
        pickup=draw(st.integers(0, 48)),
        length=draw(st.integers(0, 260)),
    )


@st.composite
def melodies_on_the_grid(draw: st.DrawFn, grid: GridEncoding) -> Melody:
    """One note at a time, on the grid and in range."""
    pitch = st.one_of(st.none(), st.integers(grid.low, grid.high))
    parts = draw(st.lists(st.tuples(pitch, st.integers(1, 6)), max_size=12))
    return Melody.from_pitches([(pitch, steps * grid.ticks_per_step) for pitch, steps in parts])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), grid=grids())
def test_encode_undoes_decode(data: st.DataObject, grid: GridEncoding) -> None:
    token = st.one_of(st.sampled_from([0, 1, 2]), st.integers(0, len(grid.vocabulary) - 1))
    tokens = data.draw(st.lists(token, max_size=40))
    melody = grid.decode(tokens)
    assert grid.encode(melody).tolist() == tokens
    assert melody.length == len(tokens) * grid.ticks_per_step


@settings(max_examples=50, deadline=None)
@given(data=st.data(), grid=grids())
def test_decode_undoes_encode_on_the_grid(data: st.DataObject, grid: GridEncoding) -> None:
    melody = data.draw(melodies_on_the_grid(grid))
    assert grid.decode(grid.encode(melody)) == melody
    fit = grid.fit(melody)
    assert (fit.melody, fit.folded, fit.rounded, fit.dropped) == (melody, 0, 0, 0)


@settings(max_examples=80, deadline=None)
@given(melody=any_melodies(), grid=grids())
def test_fit_is_idempotent(melody: Melody, grid: GridEncoding) -> None:
    fit = grid.fit(melody)
    again = grid.fit(fit.melody)
    assert again.melody == fit.melody
    assert (again.folded, again.rounded, again.dropped) == (0, 0, 0)
    assert grid._fit_to_grid(fit.melody) == again  # what need not be moved is not
    assert fit.melody.is_monophonic
    assert all(grid.low <= note.top <= grid.high for note in fit.melody.sounding)
    assert all(
        note.onset % grid.ticks_per_step == note.duration % grid.ticks_per_step == 0 for note in fit.melody.notes
    )
    assert fit.melody.length % grid.ticks_per_step == 0


@settings(max_examples=60, deadline=None)
@given(melody=any_melodies(), grid=grids())
def test_tokens_are_those_of_the_fitted_melody(melody: Melody, grid: GridEncoding) -> None:
    fitted = grid.fit(melody).melody
    tokens = grid.encode(melody)
    np.testing.assert_array_equal(grid.encode(fitted), tokens)
    assert len(tokens) == fitted.length // grid.ticks_per_step
    assert grid.decode(tokens).sounding == fitted.sounding
    np.testing.assert_array_equal(grid.encode(grid.decode(tokens)), tokens)


@settings(max_examples=60, deadline=None)
@given(melody=any_melodies(), grid=grids())
def test_every_note_is_kept_or_counted(melody: Melody, grid: GridEncoding) -> None:
    fit = grid.fit(melody)
    struck = sum(len(note.pitches) for note in melody.sounding)
    assert fit.dropped == struck - len(fit.melody.sounding)
    assert fit.folded <= len(fit.melody.sounding)
    tops = {note.top % 12 for note in melody.sounding}
    assert {note.top % 12 for note in fit.melody.sounding} <= tops


@settings(deadline=None)
@given(st.integers(0, 127), grids())
def test_folding_keeps_the_pitch_class_and_moves_as_little_as_possible(pitch: int, grid: GridEncoding) -> None:
    folded = grid.fold(pitch)
    assert grid.low <= folded <= grid.high
    assert (folded - pitch) % 12 == 0
    near = [other for other in range(grid.low, grid.high + 1) if (other - pitch) % 12 == 0]
    assert abs(folded - pitch) == min(abs(other - pitch) for other in near)
    assert grid.fit(Melody.from_pitches([(pitch, 24)])).folded == (folded != pitch)


@settings(deadline=None)
@given(data=st.data(), grid=grids())
def test_the_line_says_what_the_tokens_say(data: st.DataObject, grid: GridEncoding) -> None:
    tokens = np.array([data.draw(st.lists(st.integers(0, len(grid.vocabulary) - 1), min_size=6, max_size=6))])
    line = grid.line(tokens)
    names = [grid.vocabulary[token] for token in tokens[0]]
    for step, name in enumerate(names):
        event = {"off": 0, "hold": 1}.get(name, 2)
        assert line.event[0, step] == event
        assert (line.pitch[0, step] >= 0) == (event == 2)
        assert line.pitch_classes[0, step] == (1 << line.pitch[0, step] % 12 if event == 2 else 0)


def test_rl_tuners_classes() -> None:
    grid = GridEncoding()
    assert isinstance(grid, Encoding)
    assert len(grid.vocabulary) == 38
    assert parse_tokens(grid, "off hold C3 C4 B5").tolist() == [0, 1, 2, 14, 37]
    assert grid.line(np.arange(38)[None, :]).pitch[0, 2:].tolist() == [token + 46 for token in range(2, 38)]


def test_decoding_carries_key_meter_and_tempo() -> None:
    melody = GridEncoding().decode([14], key=Key(2), meter=Meter(3, 4), tempo=Tempo.constant(90))
    assert (melody.key, melody.meter, melody.tempo) == (Key(2), Meter(3, 4), Tempo.constant(90))


def test_the_top_of_a_chord_and_the_higher_of_two_voices_stay() -> None:
    chords = Melody((Note((60, 64, 67), 0, 24), Note((72,), 24, 24), Note((48,), 24, 48)))
    fit = GridEncoding().fit(chords)
    assert [note.name for note in fit.melody.notes] == ["G4", "C5"]
    assert fit.dropped == 3


@pytest.mark.parametrize(("low", "high", "steps"), [(60, 70, 4), (-1, 40, 4), (100, 128, 4), (48, 83, 5), (48, 83, 0)])
def test_impossible_grids_are_refused(low: int, high: int, steps: int) -> None:
    with pytest.raises(UsageError):
        GridEncoding(low, high, steps)


@pytest.mark.parametrize("tokens", [[38], [-1], [0.5], [[0, 1]], ["C4"]])
def test_tokens_outside_the_vocabulary_are_refused(tokens: list[object]) -> None:
    with pytest.raises(UsageError):
        GridEncoding().decode(tokens)  # type: ignore[arg-type]


def test_unknown_names_of_tokens_are_said() -> None:
    with pytest.raises(UsageError, match="'H4'"):
        parse_tokens(GridEncoding(), "C4 H4")
