"""MIDI files, read back with two independent readers."""

from __future__ import annotations

import io
from dataclasses import replace

import mido
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.io.midi.writer import MIDI_TICKS_PER_QUARTER, midi_bytes
from cantilena.music import Key, Melody, Meter, Note, Tempo

SCALE = MIDI_TICKS_PER_QUARTER // 24

chords = st.lists(st.integers(0, 127), min_size=1, max_size=4, unique=True).map(tuple)
tempos = st.lists(st.floats(4, 2000), min_size=1, max_size=4).map(
    lambda rates: Tempo(tuple((31 * index, rate) for index, rate in enumerate(rates)))
)


@st.composite
def melodies(draw: st.DrawFn) -> Melody:
    """Runs of chords and silences, in any key, meter and tempo, with or without a pickup."""
    pairs = draw(st.lists(st.tuples(st.none() | chords, st.integers(1, 120)), max_size=20))
    meter = draw(st.sampled_from([Meter(4, 4), Meter(3, 4), Meter(6, 8), Meter(7, 8), Meter(2, 2)]))
    key = draw(st.none() | st.builds(Key, st.integers(0, 11), st.sampled_from(["major", "minor"])))
    title = draw(st.text(max_size=30))
    pickup = draw(st.integers(0, meter.ticks_per_bar - 1))
    return Melody.from_pitches(pairs, key=key, meter=meter, tempo=draw(tempos), pickup=pickup, title=title)


def heard(melody: Melody) -> list[tuple[int, int, int]]:
    """What a file must hold: (onset, duration, pitch), in MIDI ticks."""
    return sorted(
        (note.onset * SCALE, note.duration * SCALE, pitch) for note in melody.sounding for pitch in note.pitches
    )


def by_mido(content: bytes) -> tuple[list[tuple[int, int, int]], list[tuple[int, mido.MetaMessage]]]:
    """Notes and meta messages with their times, by mido; every note on must be ended before the next of its pitch."""
    file = mido.MidiFile(file=io.BytesIO(content), charset="utf-8")
    assert len(file.tracks) == 1
    notes, metas, begun, now = [], [], {}, 0
    for message in file.tracks[0]:
        now += message.time
        if message.is_meta:
            metas.append((now, message))
        elif message.type == "note_on":
            assert message.note not in begun
            begun[message.note] = now
        elif message.type == "note_off":
            onset = begun.pop(message.note)
            notes.append((onset, now - onset, message.note))
    assert not begun
    return sorted(notes), metas


def by_symusic(content: bytes) -> list[tuple[int, int, int]]:
    score = symusic.Score.from_midi(content)
    return sorted((note.time, note.duration, note.pitch) for track in score.tracks for note in track.notes)


@settings(max_examples=30, deadline=None)
@given(melodies())
def test_two_readers_find_the_same_notes_as_were_written(melody: Melody) -> None:
    content = midi_bytes(melody)
    notes, metas = by_mido(content)
    assert notes == heard(melody)
    assert by_symusic(content) == heard(melody)
    assert metas[-1][1].type == "end_of_track"
    assert metas[-1][0] == melody.length * SCALE


@settings(max_examples=30, deadline=None)
@given(melodies())
def test_tempo_key_and_meters_come_back(melody: Melody) -> None:
    _, metas = by_mido(midi_bytes(melody))
    tempos = [(tick, mido.tempo2bpm(message.tempo)) for tick, message in metas if message.type == "set_tempo"]
    expected = [(tick * SCALE, rate) for tick, rate in melody.tempo.changes if tick <= melody.length]
    assert [tick for tick, _ in tempos] == [tick for tick, _ in expected]
    # A MIDI tempo is a whole number of microseconds a quarter.
    assert all(abs(60e6 / got - 60e6 / rate) <= 0.51 for (_, got), (_, rate) in zip(tempos, expected, strict=True))
    meters = [(tick, m.numerator, m.denominator) for tick, m in metas if m.type == "time_signature"]
    first_barline = melody.pickup if melody.pickup <= melody.length else 0
    assert meters[-1] == (first_barline * SCALE, melody.meter.numerator, melody.meter.denominator)
    assert len(meters) == (2 if first_barline else 1)
    assert [message.type for _, message in metas].count("key_signature") == (melody.key is not None)


@pytest.mark.parametrize(
    ("pickup", "short_bar"), [(24, (1, 4)), (12, (1, 8)), (36, (3, 8)), (6, (1, 16)), (3, (1, 32)), (8, (3, 32))]
)
def test_a_pickup_is_a_short_first_bar(pickup: int, short_bar: tuple[int, int]) -> None:
    tune = Melody.from_pitches([(67, pickup), (72, 72)], meter=Meter(3, 4), pickup=pickup)
    score = symusic.Score.from_midi(midi_bytes(tune))
    meters = [(meter.time, meter.numerator, meter.denominator) for meter in score.time_signatures]
    assert meters == [(0, *short_bar), (pickup * SCALE, 3, 4)]
    assert score.tracks[0].notes[0].time == 0


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("mode", ["major", "minor"])
def test_key_signatures_name_the_key(tonic: int, mode: str) -> None:
    tune = Melody.from_pitches([(60, 24)], key=Key(tonic, mode))  # type: ignore[arg-type]
    _, metas = by_mido(midi_bytes(tune))
    (name,) = [message.key for _, message in metas if message.type == "key_signature"]
    assert Key.parse(name) == tune.key


def test_music21_hears_the_same() -> None:
    music21 = pytest.importorskip("music21")
    tune = Melody.from_pitches(
        [(67, 24), ((60, 64, 67), 36), (62, 12), (None, 24), (59, 48)],
        meter=Meter(3, 4),
        pickup=24,
        tempo=Tempo.constant(90),
    )
    # Without quantisation: music21 rounds to its own idea of a grid by default.
    score = music21.converter.parseData(midi_bytes(tune), format="midi", quantizePost=False)
    got = sorted(
        (float(note.offset) * 24, float(note.quarterLength) * 24, pitch.midi)
        for note in score.stripTies().flatten().notes
        for pitch in note.pitches
    )
    assert got == sorted((note.onset, note.duration, pitch) for note in tune.sounding for pitch in note.pitches)


def test_first_and_last_note_stay_where_silence_surrounds_them() -> None:
    tune = replace(Melody.from_pitches([(None, 96), (60, 1), (None, 48), (127, 7)]), length=400)
    assert by_mido(midi_bytes(tune))[0] == by_symusic(midi_bytes(tune)) == heard(tune)


def test_overlapping_notes_stay_whole_but_a_key_is_struck_once() -> None:
    tune = Melody((Note((60,), 0, 96), Note((64,), 24, 96), Note((60, 67), 48, 96), Note((67,), 48, 12)))
    expected = sorted([(0, 48, 60), (24, 96, 64), (48, 96, 60), (48, 96, 67)])
    scaled = [(onset * SCALE, duration * SCALE, pitch) for onset, duration, pitch in expected]
    assert by_mido(midi_bytes(tune))[0] == by_symusic(midi_bytes(tune)) == scaled


def test_velocities_can_be_one_for_each_note() -> None:
    tune = Melody.from_pitches([(60, 24), ((62, 65), 24)])
    score = symusic.Score.from_midi(midi_bytes(tune, velocity=[33, 99]))
    assert [note.velocity for note in score.tracks[0].notes] == [33, 99, 99]
    assert [note.velocity for note in symusic.Score.from_midi(midi_bytes(tune)).tracks[0].notes] == [80, 80, 80]
    for wrong in ([33], [0, 80], [80, 128], 0):
        with pytest.raises(UsageError, match="velocities"):
            midi_bytes(tune, velocity=wrong)


@pytest.mark.parametrize(
    ("title", "name"),
    [("Für Élise ♪", "Für Élise ♪"), ("a\x00b\r\nc", "a b c"), ("\udcff.mid", ".mid"), ("x" * 300, "x" * 199 + "…")],
)
def test_the_title_is_the_name_of_the_track(title: str, name: str) -> None:
    content = midi_bytes(Melody.from_pitches([(60, 24)], title=title))
    assert symusic.Score.from_midi(content).tracks[0].name == name
    assert [message.name for _, message in by_mido(content)[1] if message.type == "track_name"] == [name]


def test_nothing_at_all_is_a_file_too() -> None:
    notes, metas = by_mido(midi_bytes(Melody((), length=96)))
    assert notes == []
    assert metas[-1][0] == 96 * SCALE
    assert by_mido(midi_bytes(Melody(())))[1][-1][0] == 0


def test_what_midi_cannot_say_is_refused() -> None:
    with pytest.raises(UsageError, match="too long"):
        midi_bytes(Melody((), length=2**28))
    with pytest.raises(UsageError, match="slow"):
        midi_bytes(Melody.from_pitches([(60, 24)], tempo=Tempo.constant(2)))


def test_ten_thousand_notes() -> None:
    tune = Melody.from_pitches([(21 + 7 * index % 88, 6) for index in range(10_000)])
    assert by_symusic(midi_bytes(tune)) == heard(tune)
