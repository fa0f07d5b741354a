"""The chords of notes: what a few bars of plain harmony imply, and laws of the inference."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.music import (
    MOST_SLICES,
    QUALITIES,
    Chord,
    ChordModel,
    ChordTrack,
    Key,
    Meter,
    chord_model,
    chord_path,
    infer_chords,
)

FOUR = Meter(4, 4)
BAR = FOUR.ticks_per_bar


def arrays(notes):
    """Pitch, onset and duration of (pitch, onset, duration)."""
    return tuple(np.array(notes, dtype=np.int64).reshape(-1, 3).T)


def block(symbols, length=BAR):
    """Chords in close position over their bass, one after the other."""
    notes = []
    for place, symbol in enumerate(symbols):
        chord = Chord.parse(symbol)
        notes += [(36 + chord.bass, place * length, length)]
        notes += [(60 + tone, place * length, length) for tone in chord.pitch_classes]
    return arrays(notes)


def symbols(track):
    return [str(chord) for _, chord in track]


@pytest.mark.parametrize(
    "names",
    [
        ["C", "F", "G7", "C"],
        ["Am", "Dm", "E7", "Am"],
        ["C", "Am", "Dm7", "G7", "C"],
        ["Eb", "Cm", "Fm/Ab", "Bb7", "Eb"],
        ["Dm", "Em7b5", "A7/C#", "Dm"],
        ["C", "C#dim7", "Dm", "G7", "C"],
    ],
)
def test_plain_chords_are_found(names):
    track = infer_chords(*block(names), FOUR)
    assert symbols(track) == symbols(ChordTrack(tuple((place, Chord.parse(name)) for place, name in enumerate(names))))
    assert [tick for tick, _ in track] == [place * BAR for place in range(len(names))]


def test_a_broken_chord_is_one_chord():
    notes = [(pitch, place * 12, 12) for place, pitch in enumerate([48, 55, 60, 64, 55, 60, 64, 60] * 2)]
    assert symbols(infer_chords(*arrays(notes), FOUR)) == ["C"]


def test_a_passing_note_changes_no_chord():
    upper = [(72, 0, 24), (71, 24, 12), (69, 36, 12), (67, 48, 48)]
    held = [(48, 0, 96), (55, 0, 96), (64, 0, 96)]
    assert symbols(infer_chords(*arrays(upper + held), FOUR)) == ["C"]


@given(st.integers(-5, 6), st.lists(st.sampled_from(["C", "F", "G7", "Am", "Dm"]), min_size=2, max_size=6))
@settings(max_examples=30, deadline=None)
def test_transposed_notes_have_transposed_chords(semitones, names):
    pitch, onset, duration = block(["C", *names, "C"])
    key = Key.parse("C major")
    here = infer_chords(pitch, onset, duration, FOUR, key=key)
    there = infer_chords(pitch + semitones, onset, duration, FOUR, key=key.transposed(semitones))
    assert there == here.transposed(semitones)


@given(st.lists(st.tuples(st.integers(30, 90), st.integers(0, 700), st.integers(1, 200)), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_whatever_sounds_has_chords_from_the_start_in_order(notes):
    track = infer_chords(*arrays(notes), Meter(6, 8), pickup=24)
    ticks = [tick for tick, _ in track]
    assert ticks[0] == 0
    assert ticks == sorted(set(ticks))
    assert track == track.merged()
    shuffled = infer_chords(*arrays(notes[::-1]), Meter(6, 8), pickup=24)
    assert shuffled == track


@pytest.mark.parametrize(("every", "step"), [("beat", 24), ("half-bar", 48), ("bar", 96)])
def test_chords_change_only_where_they_may(every, step):
    rng = np.random.default_rng(1)
    notes = [(int(pitch), place * 12, 12) for place, pitch in enumerate(rng.integers(48, 72, 64))]
    track = infer_chords(*arrays(notes), FOUR, every=every)
    assert len(track) > 1
    assert all(tick % step == 0 for tick, _ in track)


def test_a_bar_of_silence_has_no_chord():
    pitch, onset, duration = block(["C", "C", "G"])
    late = onset >= 2 * BAR
    track = infer_chords(pitch[~late], onset[~late], duration[~late], FOUR, length=4 * BAR)
    assert symbols(track) == ["C", "N.C."]
    assert track[1][0] == 2 * BAR


def test_nothing_has_no_chords():
    assert len(infer_chords(*arrays([]), FOUR)) == 0


def test_a_diminished_seventh_leads_to_the_chord_after_it():
    assert symbols(infer_chords(*block(["C", "C#dim7", "Dm"]), FOUR))[1] == "C#dim7"
    assert symbols(infer_chords(*block(["Am", "G#dim7", "Am"]), FOUR))[1] == "Abdim7"


def test_a_melody_alone_is_harmonised_plainly():
    tune = [(67, 0, 48), (64, 48, 48), (65, 96, 24), (67, 120, 24), (71, 144, 48), (72, 192, 96)]
    track = infer_chords(*arrays(tune), FOUR, key=Key.parse("C major"), melody_only=True)
    assert track.at(0) == Chord(0)
    assert track.at(250) == Chord(0)
    assert all(set(chord.pitch_classes) <= set(Key.parse("C major").pitch_classes) for _, chord in track)
    assert all(chord.bass == chord.root for _, chord in track)


def test_bars_of_changing_length_count_from_their_barlines():
    names = ["C", "F", "G", "C"]
    starts = [0, 96, 168, 240]
    notes = []
    for start, end, name in zip(starts, [*starts[1:], 336], names, strict=True):
        notes += [(48 + tone, start, end - start) for tone in Chord.parse(name).pitch_classes]
    track = infer_chords(*arrays(notes), FOUR, bar_starts=starts, every="bar")
    assert [tick for tick, _ in track] == starts


def test_long_music_and_unknown_steps_are_refused():
    with pytest.raises(UsageError, match="too long for its chords"):
        infer_chords(*arrays([(60, 12 * MOST_SLICES, 24)]), FOUR)
    with pytest.raises(UsageError, match="cannot change every 'beet'") as refused:
        infer_chords(*arrays([(60, 0, 24)]), FOUR, every="beet")
    assert "did you mean beat?" in refused.value.hint


def test_the_tables_are_probabilities():
    model = chord_model()
    assert model.tones.shape == model.bass.shape == (len(QUALITIES), 12)
    for table in (model.tones, model.bass, model.degrees, model.transitions):
        np.testing.assert_allclose(np.exp(table).sum(axis=-1), 1.0, atol=0.02)
    assert ChordModel.from_json(model.to_json()).to_json() == model.to_json()


def test_what_the_tables_learned():
    model = chord_model()
    names = list(QUALITIES)
    major = model.tones[names.index("maj")]
    assert set(np.argsort(major)[-3:]) == {0, 4, 7}
    assert model.bass[names.index("maj")].argmax() == 0
    tonic, dominant = 0 * len(names) + names.index("maj"), 7 * len(names) + names.index("7")
    after_dominant = model.transitions[0, dominant]
    assert after_dominant.argmax() == tonic


def test_hundred_bars_take_well_under_a_tenth_of_a_second():
    notes = block(["C", "Am", "Dm7", "G7"] * 25)
    infer_chords(*notes, FOUR)
    started = time.perf_counter()
    infer_chords(*notes, FOUR)
    assert time.perf_counter() - started < 0.1


def test_local_keys_follow_a_modulation():
    path = chord_path(*block(["C", "F", "G7", "C"] * 2 + ["G", "C", "D7", "G"] * 3 + ["A", "D", "E7", "A"] * 3), FOUR)
    tonics = [int(key) % 12 for key in path.keys[:: 8 * 2]]
    assert tonics[0] == 0
    assert tonics[-1] == 9


@pytest.mark.parametrize("duration", [1, 5, 13])
def test_the_shortest_music_has_a_chord(duration: int) -> None:
    track = infer_chords(np.array([60, 64, 67]), np.zeros(3, dtype=np.int64), np.full(3, duration), Meter())
    assert [str(chord) for _, chord in track] == ["C"]
