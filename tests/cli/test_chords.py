"""`cantilena chords`: its table, its answer, and what it says to files that it cannot use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cantilena.cli import main
from cantilena.io import write
from cantilena.music import Key, Melody

TUNE = Melody.from_pitches(
    [((48, 64, 67, 72), 96), ((43, 62, 65, 71), 96), ((48, 64, 67, 72), 96)],
    key=Key.parse("C major"),
    title="Three bars",
)
SHEET = 'X:1\nT:A sheet\nM:4/4\nL:1/4\nK:Am\n"Am"A2 c2|"E7/G#"B2 ^G2|"N.C."A4|\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(TUNE, "three.musicxml")
    Path("sheet.abc").write_text(SHEET)
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


@pytest.mark.usefixtures("here")
def test_symbols_that_cannot_be_read_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("gap.abc").write_text('X:1\nT:gap\nM:4/4\nL:1/4\nK:C\n"C"CDEF|"Fxyz"F4|"G13b9"G4|"C"C4|\n')
    found = answer(capsys, "chords", "gap.abc")
    assert [chord["symbol"] for chord in found["chords"]] == ["C", "G7", "C"]
    assert len(found["doubts"]) == 1
    assert "Fxyz" in found["doubts"][0]
    assert main(["chords", "gap.abc"]) == 0
    assert "note: " in capsys.readouterr().out
    assert answer(capsys, "chords", "sheet.abc")["doubts"] == []


@pytest.mark.usefixtures("here")
def test_inferred_chords(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "chords", "three.musicxml")
    assert (found["source"], found["key"], found["meter"]) == ("parts", "C major", "4/4")
    assert found["chords"][1] == {
        "onset": 4.0, "duration": 4.0, "root": 7, "quality": "7", "bass": 7, "symbol": "G7", "roman": "V7",
    }  # fmt: skip
    assert main(["chords", "three.musicxml", "--every", "bar"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Three bars: C major, 4/4; inferred from the parts"
    assert [line.split() for line in lines[2:]] == [
        ["bar", "chords", "numerals"], ["1", "C", "I"], ["2", "G7", "V7"], ["3", "C", "I"],
    ]  # fmt: skip


@pytest.mark.usefixtures("here")
def test_written_chords(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "chords", "sheet.abc")
    assert found["source"] == "written"
    assert [row["symbol"] for row in found["chords"]] == ["Am", "E7/G#", "N.C."]
    assert [row["roman"] for row in found["chords"]] == ["i", "V65", None]
    assert (found["chords"][2]["root"], found["chords"][2]["quality"], found["chords"][2]["bass"]) == (None, None, None)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["nothing.mid", "notes.txt", "empty.mid"])
def test_files_that_cannot_be_used(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("notes.txt").write_text("C | F")
    Path("empty.mid").write_bytes(b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0")
    capsys.readouterr()
    assert main(["chords", name, "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"error", "hint"}
    assert name in said["error"]
    assert said["hint"]


@pytest.mark.usefixtures("here")
def test_an_unknown_step_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chords", "three.musicxml", "--every", "minute"]) == 2
    assert "half-bar" in "".join(capsys.readouterr())
