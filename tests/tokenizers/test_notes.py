"""The laws of the notes encoding, on any durations, range and chords."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import BundleError, UsageError
from cantilena.music import HOLD, OFF, ON, Key, Melody, Meter, Note, Tempo
from cantilena.tokenizers import (
    END,
    Encoding,
    GridEncoding,
    NotesEncoding,
    encoding_from,
    parse_tokens,
    token_pitches,
)
from cantilena.training import transpositions

SHAPES = [(), (4,), (5, 9), (3, 7), (12 - 1,), (1, 2, 3)]


@st.composite
def encodings(draw: st.DrawFn, chords: bool | None = None) -> NotesEncoding:
    with_chords = draw(st.booleans()) if chords is None else chords
    low = draw(st.integers(11 if with_chords else 0, 116))
    durations = draw(st.lists(st.integers(2, 768), max_size=12, unique=True))
    shapes = draw(st.lists(st.sampled_from(SHAPES[1:]), unique=True))
    return NotesEncoding(
        (1, *sorted(durations)), low, draw(st.integers(low + 11, 127)), ((), *shapes) if with_chords else ()
    )


@st.composite
def well_formed(draw: st.DrawFn, encoding: NotesEncoding, most: int = 20) -> list[int]:
    """The tokens of some notes, many of them rests, without `end`; a rest has no chord."""
    tokens: list[int] = []
    for _ in range(draw(st.integers(0, most))):
        duration = draw(st.integers(*_inside(encoding.parts[0])))
        pitch = draw(st.one_of(st.just(encoding.rest), st.integers(*_inside(encoding.parts[1]))))
        tokens += [duration, pitch]
        if encoding.chords:
            first, last = _inside(encoding.parts[2])
            tokens.append(first if pitch == encoding.rest else draw(st.integers(first, last)))
    return tokens


def _inside(part: tuple[int, int]) -> tuple[int, int]:
    return part[0], part[1] - 1


@st.composite
def any_melodies(draw: st.DrawFn) -> Melody:
    """Chords, polyphony, written rests, any ticks and pitches."""
    struck = st.lists(st.integers(0, 127), max_size=4)
    parts = draw(st.lists(st.tuples(struck, st.integers(0, 150), st.integers(1, 80)), max_size=10))
    return Melody(
        tuple(Note(tuple(pitches), onset, duration) for pitches, onset, duration in parts),
        pickup=draw(st.integers(0, 48)),
        length=draw(st.integers(0, 1600)),
    )


@settings(max_examples=50, deadline=None)
@given(data=st.data(), encoding=encodings())
def test_encode_undoes_decode(data: st.DataObject, encoding: NotesEncoding) -> None:
    tokens = data.draw(well_formed(encoding))
    melody = encoding.decode(tokens)
    assert encoding.encode(melody).tolist() == tokens
    assert melody.length == sum(encoding.durations[token - 1] for token in tokens[:: len(encoding.parts)])
    fit = encoding.fit(melody)
    assert (fit.melody, fit.folded, fit.rounded, fit.dropped) == (melody, 0, 0, 0)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), encoding=encodings())
def test_what_follows_the_last_whole_note_is_left_out(data: st.DataObject, encoding: NotesEncoding) -> None:
    tokens = data.draw(well_formed(encoding))
    melody, count = encoding.decode(tokens), len(encoding.parts)
    assert encoding.decode([*tokens, *[END] * data.draw(st.integers(0, 7))]) == melody
    begun = data.draw(well_formed(encoding, most=1))[: data.draw(st.integers(0, count - 1))]
    assert encoding.decode([*tokens, *begun]) == melody


@settings(max_examples=50, deadline=None)
@given(melody=any_melodies(), encoding=encodings())
def test_fit_is_idempotent_and_what_tokens_say(melody: Melody, encoding: NotesEncoding) -> None:
    fit, tokens = encoding.fit(melody), encoding.encode(melody)
    again = encoding.fit(fit.melody)
    assert (again.melody, again.folded, again.rounded, again.dropped) == (fit.melody, 0, 0, 0)
    np.testing.assert_array_equal(encoding.encode(fit.melody), tokens)
    decoded = encoding.decode(tokens)
    assert decoded.sounding == fit.melody.sounding
    assert decoded.length == fit.melody.length == melody.length
    assert fit.melody.pickup == melody.pickup
    assert {note.onset for note in fit.melody.sounding} == {note.onset for note in melody.sounding}
    assert all(encoding.low <= note.top <= encoding.high for note in fit.melody.sounding)
    assert fit.dropped == sum(len(note.pitches) for note in melody.notes) - sum(
        len(note.pitches) for note in fit.melody.notes
    )
    if not (fit.folded or fit.rounded or fit.dropped):
        assert fit.melody is melody


@settings(max_examples=40, deadline=None)
@given(data=st.data(), encoding=encodings(chords=False))
def test_a_single_line_of_known_durations_needs_no_change(data: st.DataObject, encoding: NotesEncoding) -> None:
    pitch = st.one_of(st.none(), st.integers(encoding.low, encoding.high))
    parts = data.draw(st.lists(st.tuples(pitch, st.sampled_from(encoding.durations)), max_size=12))
    melody = Melody.from_pitches(parts)
    fit = encoding.fit(melody)
    assert (fit.melody, fit.folded, fit.rounded, fit.dropped) == (melody, 0, 0, 0)
    assert encoding.decode(encoding.encode(melody)).sounding == melody.sounding


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_line_is_the_grids_for_melodies_on_the_grid(data: st.DataObject) -> None:
    grid, notes = GridEncoding(), NotesEncoding()
    pitch = st.one_of(st.none(), st.integers(48, 83))
    rows = data.draw(st.lists(st.lists(st.tuples(pitch, st.integers(1, 40)), max_size=10), min_size=1, max_size=3))
    melodies = [Melody.from_pitches([(pitch, 6 * steps) for pitch, steps in row]) for row in rows]
    # Durations without a token would end in a rest.
    melodies = [notes.fit(melody).melody for melody in melodies]
    tokens = [notes.encode(melody) for melody in melodies]
    padded = np.full((len(tokens), max(map(len, tokens))), END)
    for row, some in zip(padded, tokens, strict=True):
        row[: len(some)] = some
    lines = notes.line(padded)
    for number, melody in enumerate(melodies):
        sounding = Melody(melody.sounding, length=melody.length)
        line, length = grid.line(grid.encode(sounding)[None, :]), melody.length // 6
        assert lines.length[number] == length
        for name in ("event", "pitch", "pitch_classes"):
            np.testing.assert_array_equal(getattr(lines, name)[number, :length], getattr(line, name)[0], name)
        assert (lines.event[number, length:] == HOLD).all()


@settings(max_examples=40, deadline=None)
@given(data=st.data(), encoding=encodings())
def test_the_line_of_any_notes_loses_no_tick(data: st.DataObject, encoding: NotesEncoding) -> None:
    tokens = data.draw(well_formed(encoding, most=12))
    melody, line = encoding.decode(tokens), encoding.line(np.array([[*tokens, END, END, END]]))
    assert line.steps == line.length[0] == -(-melody.length // 6)
    assert ((line.pitch >= 0) == (line.event == ON)).all()
    assert ((line.pitch_classes > 0) == (line.event == ON)).all()
    onsets = {min((note.onset + 3) // 6, line.steps - 1): note for note in melody.sounding}  # the last of each stays
    assert {step: int(line.pitch[0, step]) for step in np.flatnonzero(line.event[0] == ON)} == {
        step: note.top for step, note in onsets.items()
    }
    for step, note in onsets.items():
        assert line.pitch_classes[0, step] == sum(1 << one for one in {pitch % 12 for pitch in note.pitches})
    for step in np.flatnonzero(line.event[0] == OFF).tolist():
        before = [ago for ago in range(step) if line.event[0, ago] != HOLD]
        assert before
        assert line.event[0, before[-1]] == ON


@settings(max_examples=30, deadline=None)
@given(data=st.data(), encoding=encodings())
def test_ticks_are_those_at_which_notes_begin(data: st.DataObject, encoding: NotesEncoding) -> None:
    tokens = data.draw(well_formed(encoding))
    count, clock, expected = len(encoding.parts), 0, []
    for duration in tokens[::count]:
        expected += [clock] * count
        clock += encoding.durations[duration - 1]
    row = np.array([[*tokens, *[END] * count, END]])
    assert encoding.ticks(row)[0].tolist() == [*expected, *[clock] * (count + 1)]
    begun = row[:, : len(tokens) - 1] if tokens else row[:, :0]  # with the last note incomplete
    assert encoding.ticks(begun)[0].tolist() == expected[: begun.shape[1]]


@settings(max_examples=30, deadline=None)
@given(data=st.data(), encoding=encodings())
def test_a_token_at_the_place_of_another_part_is_refused(data: st.DataObject, encoding: NotesEncoding) -> None:
    count = len(encoding.parts)
    tokens = data.draw(well_formed(encoding).filter(bool))
    place = data.draw(st.integers(0, len(tokens) - 1))
    first, after = encoding.parts[place % count]
    others = [token for token in range(len(encoding.vocabulary)) if not first <= token < after]
    if place % count == 0:
        others.remove(END)  # which may stand there, but not before a note
    wrong = tokens.copy()
    wrong[place] = data.draw(st.sampled_from(others))
    for call in (encoding.decode, lambda row: encoding.line(row[None]), lambda row: encoding.ticks(row[None])):
        with pytest.raises(UsageError, match="stands where") as refused:
            call(np.array(wrong))
        assert "\n" not in refused.value.text
        assert refused.value.hint
    with pytest.raises(UsageError, match="'end' is expected"):
        encoding.decode([*[END] * count, *tokens])


@settings(max_examples=30, deadline=None)
@given(encoding=encodings())
def test_descriptions_and_names_come_back(encoding: NotesEncoding) -> None:
    assert isinstance(encoding, Encoding)
    assert encoding_from(json.loads(json.dumps(encoding.description()))) == encoding
    names = encoding.vocabulary
    assert len(set(names)) == len(names) == encoding.parts[-1][1]
    assert parse_tokens(encoding, " ".join(names)).tolist() == list(range(len(names)))
    assert [after for _, after in encoding.parts[:-1]] == [first for first, _ in encoding.parts[1:]]
    pitches = token_pitches(encoding)
    assert len(pitches) == len(names)
    for token in range(*encoding.parts[1]):
        event = [1, token, *(first for first, _ in encoding.parts[2:])]
        assert [note.pitches for note in encoding.decode(event).sounding] == [pitches[token]][: len(pitches[token])]


def test_chords_are_voiced_below_their_top_notes() -> None:
    encoding = NotesEncoding(chords=((), (5, 9), (3,)))
    assert encoding.vocabulary[-3:] == ("-", "5.9", "3")
    tokens = parse_tokens(encoding, "1/4 C5 5.9 1/8 A4 3 1/8 rest - 1/2 C4 -")
    melody = encoding.decode(tokens)
    assert [note.pitches for note in melody.notes] == [(63, 67, 72), (66, 69), (60,)]
    assert encoding.line(tokens[None]).pitch_classes[0, 0] == 1 << 3 | 1 << 7 | 1 << 0
    wide = Melody((Note((39, 55, 72), 0, 24), Note((57, 69), 24, 12), Note((60, 64), 36, 12)))
    fit = encoding.fit(wide)
    assert [note.pitches for note in fit.melody.notes] == [(63, 67, 72), (69,), (64,)]
    assert (fit.folded, fit.rounded, fit.dropped) == (1, 0, 2)  # the first chord moved; a doubling and E4's C4 are lost


def test_a_vocabulary_is_learned() -> None:
    tune = Melody.from_pitches([((60, 64, 67), 7)] * 3 + [((55, 60, 64), 13)] * 2 + [(60, 24)])
    encoding = NotesEncoding.learned_from([tune], chords=True)
    assert 7 in encoding.durations
    assert 13 not in encoding.durations
    assert encoding.chords == ((), (3, 7))
    assert NotesEncoding.learned_from([tune]).chords == ()
    assert encoding.decode(encoding.encode(tune)).notes[:3] == tune.notes[:3]
    fit = encoding.fit(tune)
    assert (fit.rounded, fit.dropped, fit.folded) == (2, 4, 0)
    assert [(note.onset, note.duration) for note in fit.melody.sounding][3:] == [(21, 12), (34, 12), (47, 24)]


def test_of_notes_with_one_onset_the_highest_stays_and_ends_where_the_next_begins() -> None:
    melody = Melody((Note((60,), 0, 48), Note((72,), 0, 24), Note((64,), 12, 24)))
    fit = NotesEncoding().fit(melody)
    assert [(note.pitches, note.onset, note.duration) for note in fit.melody.notes] == [((72,), 0, 12), ((64,), 12, 24)]
    assert (fit.dropped, fit.rounded) == (1, 1)


def test_decoding_carries_key_meter_and_tempo() -> None:
    tokens = parse_tokens(NotesEncoding(), "1/4 C4")
    melody = NotesEncoding().decode(tokens, key=Key(2), meter=Meter(3, 4), tempo=Tempo.constant(90))
    assert (melody.key, melody.meter, melody.tempo) == (Key(2), Meter(3, 4), Tempo.constant(90))


def test_a_short_note_keeps_its_sixteenth_in_the_line() -> None:
    encoding = NotesEncoding()
    line = encoding.line(parse_tokens(encoding, "1/96 C4 1/2 rest 1/4 D4")[None])
    assert line.event[0, :9].tolist() == [ON, OFF, *[HOLD] * 6, ON]


@settings(max_examples=30, deadline=None)
@given(data=st.data(), encoding=encodings())
def test_transposition_moves_pitches_alone(data: st.DataObject, encoding: NotesEncoding) -> None:
    tokens = data.draw(well_formed(encoding))
    table = transpositions(encoding, 3)
    assert table[3].tolist() == list(range(len(encoding.vocabulary)))
    for shift, row in zip(range(-3, 4), table, strict=True):
        moved = row[tokens] if tokens else np.zeros(0, dtype=np.int64)
        tops = [note.top + shift for note in encoding.decode(tokens).sounding]
        assert all(encoding.low <= top <= encoding.high for top in tops) == bool((moved >= 0).all())
        if (moved >= 0).all():
            assert encoding.decode(moved).sounding == encoding.decode(tokens).transposed(shift).sounding


NOTES = NotesEncoding(chords=((), (5, 9))).description()


@pytest.mark.parametrize(
    "change",
    [
        {"durations": []},
        {"durations": [2, 4]},
        {"durations": [1, 4, 2]},
        {"durations": [1, 1]},
        {"durations": [1, 2.0]},
        {"durations": [True, 2]},
        {"durations": [1, 10**30]},
        {"durations": [1, -5]},
        {"durations": "12"},
        {"durations": {"1": 1}},
        {"durations": None},
        {"durations": [1, [2]]},
        {"low": 10},  # no room for the chords
        {"low": "48"},
        {"low": True},
        {"high": 50},
        {"high": 10**30},
        {"chords": [[5, 9]]},
        {"chords": [[], [9, 5]]},
        {"chords": [[], [5], [5]]},
        {"chords": [[], [0]]},
        {"chords": [[], [12]]},
        {"chords": [[], [5, 5]]},
        {"chords": [[], ["5"]]},
        {"chords": [5]},
        {"chords": "5.9"},
        {"chords": None},
        {"pitches": 3},
    ],
)
def test_hostile_descriptions_are_refused_in_one_line(change: dict[str, Any]) -> None:
    if change == {"low": 10}:
        change = {"low": 8, "high": 40}
    with pytest.raises(BundleError) as refused:
        encoding_from({**NOTES, **change})
    assert "\n" not in refused.value.text
    assert refused.value.hint


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_json_value_is_built_or_refused(data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(NOTES)))
    try:
        encoding = encoding_from({**NOTES, field: data.draw(json_values)})
    except BundleError as refused:
        assert len(refused.text.splitlines()) == 1  # noqa: PT017
    else:
        assert encoding_from(json.loads(json.dumps(encoding.description()))) == encoding


@pytest.mark.parametrize("tokens", [[54], [-1], [0.5], [[0, 1]], ["C4"]])
def test_tokens_outside_the_vocabulary_are_refused(tokens: list[object]) -> None:
    with pytest.raises(UsageError):
        NotesEncoding().decode(tokens)  # type: ignore[arg-type]


def test_durations_ascend() -> None:
    assert all(a < b for a, b in pairwise(NotesEncoding().durations))
