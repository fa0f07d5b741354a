"""Primers: as typed, from files, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cantilena.errors import CantilenaError, InputError, UsageError
from cantilena.generation import read_primer, typed_notes
from cantilena.io import READABLE, write
from cantilena.music import Key, Melody, Meter, Tempo

IDEA = Melody.from_pitches(
    [(62, 24), (64, 12), (None, 12), (69, 48), (65, 24), (64, 24), (62, 48)],
    key=Key.parse("D minor"),
    meter=Meter(3, 4),
    tempo=Tempo.constant(90),
)


def test_values_dots_rests_and_chords() -> None:
    melody = read_primer("  C4 Bb3/8. r/16 C4+E4+G4/2 F#5/1\n")
    assert [(note.pitches, note.duration) for note in melody.notes if not note.is_rest] == [
        ((60,), 24),
        ((58,), 18),
        ((60, 64, 67), 48),
        ((78,), 96),
    ]
    assert [note.onset for note in melody.sounding] == [0, 24, 48, 96]
    assert melody.key is not None


def test_the_key_is_found() -> None:
    assert read_primer("G4 A4 B4 C5 D5 E5 F#5 G5 D5 B4 G4").key == Key.parse("G major")


def test_typed_notes_are_heard_in_the_key_that_is_told_and_a_file_in_its_own(tmp_path: Path) -> None:
    assert read_primer("D4 E4 F4", Key.parse("A minor")).key == Key.parse("A minor")
    write(IDEA, tmp_path / "idea.mid")
    assert read_primer(str(tmp_path / "idea.mid"), Key.parse("A minor")).key == Key.parse("D minor")


@pytest.mark.parametrize(
    "text",
    [
        "H4",
        "C",
        "C4/3",
        "C4/",
        "C4/8....",
        "C4/32..",
        "r r/8",
        "C4+",
        "C400",
        "4",
        "/",
        "C4/0",
        "C4,D4",
        "\x00",
        "é" * 300,
    ],
)
def test_what_is_no_primer_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_primer(text)
    assert refused.value.text
    assert refused.value.hint


def test_too_much_is_refused() -> None:
    with pytest.raises(UsageError, match="10001 notes"):
        read_primer("C4 " * 10_001)


@pytest.mark.parametrize("suffix", [".mid", ".musicxml"])
def test_a_file_keeps_its_first_and_last_note_key_meter_and_tempo(tmp_path: Path, suffix: str) -> None:
    if suffix == ".musicxml":
        pytest.importorskip("music21")
    path = tmp_path / f"my idea{suffix}"
    write(IDEA, path)
    read = read_primer(str(path))
    assert [(n.pitches, n.onset, n.duration) for n in read.sounding] == [
        (n.pitches, n.onset, n.duration) for n in IDEA.sounding
    ]
    assert read.key == IDEA.key
    assert read.meter == IDEA.meter
    assert read.tempo.initial == pytest.approx(90, abs=0.01)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        read_primer(str(tmp_path / "missing.mid"))
    broken = tmp_path / "broken.mid"
    broken.write_bytes(b"MThd\x00\x00")
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "text.txt").write_text("C4")
    for path in (broken, tmp_path / "folder.mid", tmp_path / "text.txt"):
        with pytest.raises(InputError) as refused:
            read_primer(str(path))
        assert isinstance(refused.value, CantilenaError)
        assert refused.value.hint


def test_a_folder_named_like_a_note_does_not_hide_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "C4").mkdir()
    assert read_primer("C4").sounding[0].name == "C4"


@pytest.mark.parametrize("suffix", READABLE)
def test_the_suffix_of_any_score_names_a_file(suffix: str) -> None:
    for text in (f"missing{suffix}", f"missing{suffix}#2", f"missing{suffix}:An Air"):
        with pytest.raises(UsageError, match=f"there is no file missing{re.escape(suffix)}$"):
            read_primer(text)


@pytest.mark.parametrize("text", ["[C4 E4 G4] D4", "C4+E4+G4 D4", "[ C4  E4 G4 ]/4 D4/4", "[C4+E4 G4] D4"])
def test_chords_may_be_written_in_brackets(text: str) -> None:
    assert typed_notes(text) == typed_notes("C4+E4+G4 D4")


@pytest.mark.parametrize("text", ["[C4 E4", "C4 E4]", "[]", "[C4 [E4] G4"])
def test_brackets_that_hold_no_chord_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a note"):
        typed_notes(text)
