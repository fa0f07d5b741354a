"""Chord symbols that are written and read back: MusicXML, ABC and MIDI, by our readers and by others."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mido
import pytest
import symusic
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cantilena.data import read_melody
from cantilena.errors import UsageError
from cantilena.io import PATTERNS, Score, abc, accompaniment, midi_bytes, musicxml, write
from cantilena.io.midi.reader import read_midi
from cantilena.io.notation.abc_reader import read_abc_tune
from cantilena.io.notation.musicxml_reader import read_musicxml
from cantilena.music import CHORD_TONES, Chord, Key, Melody, Meter

FORMATS = {
    "musicxml": lambda melody: read_musicxml(musicxml(melody).encode()),
    "abc": lambda melody: read_abc_tune(abc(melody)),
    "mid": lambda melody: read_midi(midi_bytes(melody)),
}
CHORDS = st.one_of(
    st.builds(
        Chord, st.integers(0, 11), st.sampled_from(sorted(CHORD_TONES)), st.one_of(st.none(), st.integers(0, 11))
    ),
    st.just(Chord(None)),
)


@st.composite
def lead_sheets(draw: st.DrawFn, grid: int = 1) -> Melody:
    """Melodies with rests, and chords that change on a grid, within notes and rests too."""
    pairs = draw(
        st.lists(
            st.tuples(st.one_of(st.none(), st.integers(50, 90)), st.sampled_from([6, 12, 24, 36, 48, 96, 144])),
            min_size=1,
            max_size=12,
        )
    )
    pairs.append((60, 24))
    melody = Melody.from_pitches(
        pairs,
        key=draw(st.sampled_from([Key(), Key.parse("D minor"), Key.parse("Ab major"), Key.parse("E major")])),
        meter=draw(st.sampled_from([Meter(), Meter(3, 4), Meter(6, 8), Meter(2, 2)])),
        pickup=draw(st.sampled_from([0, 12, 24])),
    )
    places = draw(st.sets(st.integers(0, (melody.length - 1) // grid), max_size=10))
    return replace(melody, chords=tuple((place * grid, draw(CHORDS)) for place in sorted(places)))


def chords_of(score: Score) -> list[tuple[int | Fraction, Chord]]:
    return [(Fraction(tick * 24, score.resolution), chord) for tick, chord in score.chords]


def notes_of(score: Score) -> list[tuple[int, int, int]]:
    columns = [(part.onset.tolist(), part.duration.tolist(), part.pitch.tolist()) for part in score.parts]
    scale = score.resolution // 24
    found = (note for column in columns for note in zip(*column, strict=True))
    return sorted((onset // scale, lasts // scale, pitch) for onset, lasts, pitch in found)


@pytest.mark.parametrize("suffix", FORMATS)
@given(melody=lead_sheets())
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read_back(suffix: str, melody: Melody) -> None:
    score = FORMATS[suffix](melody)
    assert chords_of(score) == list(melody.chords)
    assert notes_of(score) == [(note.onset, note.duration, note.top) for note in melody.sounding]
    assert not score.doubts


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_chord_there_is_comes_back_from_a_file(tmp_path: Path, suffix: str) -> None:
    every = [
        Chord(root, quality, bass % 12) for quality in CHORD_TONES for root in range(12) for bass in (root, root + 10)
    ]
    every.append(Chord(None))
    melody = Melody.from_pitches(
        [(72, 24)] * len(every), key=Key.parse("F major"), chords=tuple((24 * at, one) for at, one in enumerate(every))
    )
    write(melody, tmp_path / f"tune.{suffix}")
    back = read_melody(tmp_path / f"tune.{suffix}")
    assert tuple(back.chords) == tuple(melody.chords)
    assert back.notes == melody.notes


@pytest.mark.parametrize("suffix", FORMATS)
def test_chords_from_the_end_of_the_melody_on_are_left_out(suffix: str) -> None:
    melody = Melody.from_pitches([(60, 96)], chords=((0, Chord.parse("C")), (96, Chord.parse("G"))))
    assert chords_of(FORMATS[suffix](melody)) == [(0, Chord.parse("C"))]


def music21_chords(text: str, kind: str) -> list[tuple[Fraction, tuple[int, ...], int | None]]:
    """Tick, pitch classes and bass of each chord symbol, as music21 reads them."""
    music21 = pytest.importorskip("music21")
    part = music21.converter.parse(text, format=kind).parts[0].flatten()
    found = []
    for symbol in part.getElementsByClass("ChordSymbol"):
        is_silent = isinstance(symbol, music21.harmony.NoChord)
        pitch_classes = () if is_silent else tuple(sorted({pitch.pitchClass for pitch in symbol.pitches}))
        found.append((Fraction(symbol.offset) * 24, pitch_classes, None if is_silent else symbol.bass().pitchClass))
    return found


def sounded(melody: Melody) -> list[tuple[Fraction, tuple[int, ...], int | None]]:
    return [
        (
            Fraction(tick),
            tuple(sorted({*chord.pitch_classes, *([] if chord.bass is None else [chord.bass])})),
            chord.bass,
        )
        for tick, chord in melody.chords
    ]


@given(lead_sheets(grid=6))
@settings(max_examples=25, deadline=None)
def test_music21_reads_the_chords_of_musicxml(melody: Melody) -> None:
    # It takes an added seventh for a major one; by the standard it is that of a dominant chord.
    assume(all(chord.quality != "7sus4" for _, chord in melody.chords))
    assert music21_chords(musicxml(melody), "musicxml") == sounded(melody)


def test_music21_reads_the_chords_of_abc() -> None:
    symbols = [(0, "C"), (36, "F"), (60, "G7"), (96, "Dm7"), (120, "Em"), (160, "Am"), (168, "F#m7"), (192, "Bb")]
    melody = Melody.from_pitches(
        [(60, 96), (64, 48), (None, 16), (65, 8), (67, 24), (72, 96)],
        key=Key(),
        chords=tuple((tick, Chord.parse(name)) for tick, name in symbols),
    )
    assert music21_chords(abc(melody), "abc") == sounded(melody)


def test_abc_cuts_a_held_note_where_the_chord_changes() -> None:
    chords = ((0, Chord.parse("C")), (48, Chord.parse("F")), (72, Chord.parse("G7/B")), (96, Chord(None)))
    text = abc(Melody.from_pitches([(60, 96), (None, 96)], key=Key(), chords=chords))
    assert text.splitlines()[-1] == '"C"C4- "F"C2- "G7/B"C2 | "N.C."z8 |]'


def midi_tracks(content: bytes) -> list[list[Any]]:
    return [list(track) for track in mido.MidiFile(file=io.BytesIO(content)).tracks]


@given(lead_sheets())
@settings(max_examples=25, deadline=None)
def test_mido_reads_the_symbols_and_the_notes_of_the_chord_track(melody: Melody) -> None:
    tracks = midi_tracks(midi_bytes(melody))
    if not melody.chords:
        assert len(tracks) == 1
        return
    assert [message.name for message in tracks[1] if message.type == "track_name"] == ["Chords"]
    now, symbols, sounding, notes = 0, [], {}, set()
    for message in tracks[1]:
        now += message.time
        if message.type == "marker":
            symbols.append((now / 20, Chord.parse(message.text)))
        elif message.type == "note_on":
            assert message.channel == 1
            sounding[message.note] = now
        elif message.type == "note_off":
            notes.add((sounding.pop(message.note) // 20, now // 20, message.note))
    assert symbols == list(melody.chords)
    assert notes == {(note.onset, note.end, pitch) for note in accompaniment(melody) for pitch in note.pitches}
    assert not sounding
    assert {message.channel for message in tracks[0] if message.type == "note_on"} == {0}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_symusic_finds_two_tracks_and_the_markers(pattern: Any) -> None:
    melody = Melody.from_pitches([(72, 96)] * 4, chords=((0, Chord.parse("C")), (200, Chord.parse("G7"))))
    score = symusic.Score.from_midi(midi_bytes(melody, pattern=pattern))
    assert [track.name for track in score.tracks if track.notes] == ["", *["Chords"] * (pattern != "none")]
    assert [(marker.time, marker.text) for marker in score.markers] == [(0, "C"), (4000, "G7")]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_chord_track_is_no_melody(tmp_path: Path, pattern: Any) -> None:
    melody = Melody.from_pitches(
        [(48, 96), (None, 192), (50, 96)], title="Low", chords=((0, Chord.parse("C")), (96, Chord.parse("F7")))
    )
    write(melody, tmp_path / "low.mid", accompaniment=pattern)
    back = read_melody(tmp_path / "low.mid")
    assert back.notes == melody.notes
    assert tuple(back.chords) == tuple(melody.chords)
    assert back.title == "Low"


def test_another_track_of_that_name_is_music() -> None:
    """Only a track whose markers are all chord symbols is one of chords."""
    melody = Melody.from_pitches([(60, 96)], title="Chords")
    assert len(read_midi(midi_bytes(melody)).parts) == 1
    ours = midi_bytes(replace(melody, chords=((0, Chord.parse("C")),)))
    assert len(read_midi(ours).parts) == 1
    other = read_midi(ours.replace(b"\xff\x06\x01C", b"\xff\x06\x01V"))
    assert len(other.parts) == 2
    assert other.chords == ()


def test_chords_without_a_melody_are_kept_as_notes() -> None:
    score = read_midi(midi_bytes(Melody((), length=96, chords=((0, Chord.parse("C")),))))
    assert [part.pitch.tolist() for part in score.parts] == [[48, 55, 60, 64]]
    assert chords_of(score) == [(0, Chord.parse("C"))]


@pytest.mark.parametrize("suffix", ["mid", "musicxml", "abc", "svg", "wav"])
def test_a_melody_without_chords_is_written_as_if_there_were_none(tmp_path: Path, suffix: str) -> None:
    melody = Melody.from_pitches([(60, 24), (64, 72)], key=Key())
    written = set()
    for number, pattern in enumerate(PATTERNS):
        write(melody, tmp_path / f"{number}.{suffix}", accompaniment=pattern)
        written.add((tmp_path / f"{number}.{suffix}").read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("pattern", [pattern for pattern in PATTERNS if pattern != "none"])
@given(melody=lead_sheets(grid=12))
@settings(max_examples=15, deadline=None)
def test_a_second_staff_changes_neither_melody_nor_chords(pattern: Any, melody: Melody) -> None:
    lower = accompaniment(melody, pattern)
    score = read_musicxml(musicxml(melody, lower=lower).encode())
    assert chords_of(score) == list(melody.chords)
    names = [part.name for part in score.parts]
    assert names.count("Melody") == 1
    assert set(names) <= {"Melody", "Accompaniment"}
    upper = replace(score, parts=tuple(part for part in score.parts if part.name == "Melody"))
    assert notes_of(upper) == [(note.onset, note.duration, note.top) for note in melody.sounding]
    below = notes_of(replace(score, parts=tuple(part for part in score.parts if part.name != "Melody")))
    assert below == sorted((note.onset, note.duration, pitch) for note in lower for pitch in note.pitches)
    assert not score.doubts


def test_two_staves_need_chords(tmp_path: Path) -> None:
    melody = Melody.from_pitches([(72, 96)], chords=((0, Chord.parse("C")),))
    for suffix in ("musicxml", "svg"):
        write(melody, tmp_path / f"two.{suffix}", staves=2)
    assert tuple(read_melody(tmp_path / "two.musicxml").notes) == melody.notes
    for one, options in (
        (replace(melody, chords=()), {}),
        (melody, {"accompaniment": "none"}),
        (melody, {"staves": 3}),
    ):
        with pytest.raises(UsageError, match=r"staves|second staff"):
            write(one, tmp_path / "none.svg", **{"staves": 2, **options})
    with pytest.raises(UsageError, match="not a pattern"):
        write(melody, tmp_path / "none.mid", accompaniment="waltz")  # type: ignore[arg-type]
    assert not (tmp_path / "none.mid").exists()
