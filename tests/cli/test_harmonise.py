"""`cantilena harmonise`: its files and its answer, its alias, and what it says to input that it cannot use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cantilena
from cantilena.cli import main
from cantilena.io import write
from cantilena.music import CHORD_TONES, Key, Melody

TUNE = Melody.from_pitches(
    [(67, 24), (72, 48), (71, 24), (72, 24), (74, 48), (72, 24), (71, 24), (72, 24), (69, 24), (67, 24), (60, 96)],
    key=Key.parse("C major"), title="A tune",
)  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(TUNE, "tune.musicxml")
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["harmonise", "harmonize"])
def test_harmonies_are_files_with_chords_the_most_probable_first(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    found = answer(capsys, command, "tune.musicxml", "-n", "3", "--style", "chorale", "--out", "out")["harmonies"]
    assert len(found) == 3
    likelihoods = [one["log_likelihood"] for one in found]
    assert likelihoods == sorted(likelihoods, reverse=True)
    for row in found:
        assert all(Path(row[kind]).is_file() for kind in ("mid", "musicxml", "svg", "wav"))
        assert sum(chord["duration"] for chord in row["chords"]) == TUNE.length / 24
        assert {chord["quality"] for chord in row["chords"]} <= set(CHORD_TONES)
        assert all(chord["roman"] and chord["symbol"] for chord in row["chords"])
    assert len({json.dumps(row["chords"]) for row in found}) == 3
    again = cantilena.read(found[0]["musicxml"])
    assert [str(chord) for _, chord in again.chords] == [chord["symbol"] for chord in found[0]["chords"]]
    assert [note.pitches for note in again.notes] == [note.pitches for note in TUNE.notes]


@pytest.mark.usefixtures("here")
def test_the_same_seed_gives_the_same_chords_and_python_the_same_as_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("harmonise", "tune.musicxml", "-n", "4", "--every", "half-bar", "--seed", "7")
    one, other = (answer(capsys, *words, "--out", folder)["harmonies"] for folder in ("one", "other"))
    assert [row["chords"] for row in one] == [row["chords"] for row in other]
    mine = cantilena.harmonise(cantilena.read("tune.musicxml"), 4, every="half-bar", seed=7)
    assert [melody.chords_json() for melody in mine] == [row["chords"] for row in one]
    assert all(chord["onset"] % 2 == 0 for row in one for chord in row["chords"])


@pytest.mark.usefixtures("here")
def test_notes_may_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["harmonise", "C4 E4 G4/2 F4 D4 C4/2", "-n", "1", "--out", "typed"]) == 0
    assert "001  " in capsys.readouterr().out
    melody = cantilena.harmonise("C4 E4 G4/2 F4 D4 C4/2")[0]
    melody.save("typed.svg")
    assert "<svg" in Path("typed.svg").read_text(encoding="utf-8")


@pytest.mark.usefixtures("here")
def test_a_melody_alone_has_the_chords_that_harmonise_finds(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "chords", "tune.musicxml", "--every", "half-bar")
    assert found["source"] == "melody"
    best = cantilena.harmonise(cantilena.read("tune.musicxml"), every="half-bar")[0]
    assert found["chords"] == best.chords_json()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["none.mid"], 2, "there is no file none.mid"),
        (["C4 E4 X"], 2, "'X' is not a note"),
        (["r/4"], 2, "holds no note"),
        (["tune.musicxml", "-n", "101"], 2, "101"),
        (["tune.musicxml", "--every", "minute"], 2, "minute"),
        (["tune.musicxml", "--style", "jazz"], 2, "jazz"),
    ],
)
def test_what_cannot_be_harmonised_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], words: list[str], status: int, says: str
) -> None:
    assert main(["harmonise", *words]) == status
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
