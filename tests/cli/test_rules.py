"""`cantilena rules`: its answers, its files, and what it says to whatever cannot be used."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cantilena.cli import main
from cantilena.io import write
from cantilena.music import Key, Melody

TUNE = Melody.from_pitches(
    [(62, 24), (64, 24), (65, 12), (67, 12), (69, 24), (73, 24), (74, 24), (69, 24), (62, 24)],
    key=Key.parse("D minor"),
    title="An idea",
)

OWN = '''
def no_leaps(line, context, *, penalty=-1.0):
    """A note in the upper octave is penalised."""
    return penalty * (line.pitch > 72)
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(TUNE, "idea.mid")
    write(TUNE, "idea.musicxml")
    Path("my_rules.py").write_text(OWN)
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def text(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main([*words]) == 0
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main([*words, "--json"])
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert set(said) == {"error", "hint"}
    assert said["error"]
    assert said["hint"]
    assert "Traceback" not in err
    assert "unexpected" not in said["error"]
    assert "\n" not in said["error"] + said["hint"]
    return status, said["error"], said["hint"]


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    rows = answer(capsys, "rules", "list")["rules"]
    assert {"set": "rl-tuner", "name": "leap", "weight": 1.0}.items() <= rows[10].items()
    assert {"description", "source"} <= set(rows[0])
    assert "Gauldin 1988" in text(capsys, "rules", "list")


def test_explain(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "reward" in text(capsys, "rules", "explain", "rl-tuner:leap")
    (own,) = answer(capsys, "rules", "explain", "my_rules.py:no_leaps")["rules"]
    assert own["name"] == "my_rules.py:no_leaps"
    assert own["source"] == "my_rules.py, line 2"
    assert own["example"]["total"] < 0
    drawn = answer(capsys, "rules", "explain", "my_rules.py:no_leaps", "--out", "own.svg")
    assert Path(drawn["svg"]).read_text().startswith("<svg")
    assert refusal(capsys, "rules", "explain", "leap", "--out", "own.svg")[0] == 1
    for name in ("leep", "my_rules.py:no_leap", "missing.py:x", "rl-tuner:leep", ""):
        assert refusal(capsys, "rules", "explain", name)[0] == 2


@pytest.mark.parametrize("file", ["idea.mid", "idea.musicxml"])
def test_score_answers_whole(here: Path, capsys: pytest.CaptureFixture[str], file: str) -> None:
    got = answer(capsys, "rules", "score", file, "--rules", "paper+my_rules.py:no_leaps")
    assert (got["file"], got["key"], got["meter"], got["set"]) == (file, "D minor", "4/4", "paper+no_leaps")
    assert [rule["name"] for rule in got["rules"]] == ["key", "tonic", "repetition", "no_leaps"]
    assert [rule["sum"] for rule in got["rules"]] == [-1.0, 6.0, 0.0, -2.0]
    assert got["total"] == 3.0
    assert [note["note"] for note in got["notes"]] == ["D4", "E4", "F4", "G4", "A4", "C♯5", "D5", "A4", "D4"]
    assert got["notes"][5]["values"] == {"key": -1.0, "no_leaps": -1.0}
    assert (got["notes"][5]["bar"], got["notes"][5]["beat"]) == (2, 1.0)
    assert len(got["rules"][0]["steps"]) == 32
    major = answer(capsys, "rules", "score", file, "--rules", "paper", "--key", "D major")
    assert major["rules"][0]["sum"] == -1.0  # F natural instead of C sharp
    short = answer(capsys, "rules", "score", file, "--rules", "paper", "--seconds", "1")
    assert len(short["notes"]) == 2


def test_score_as_a_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = text(capsys, "rules", "score", "idea.mid", "--rules", "paper").splitlines()
    assert lines[0] == "An idea (D minor, 4/4, 9 notes)"
    assert "2.1       C♯5         -1  key -1" in lines
    assert any(line.startswith("tonic") and "+6" in line for line in lines)
    assert lines[-1].split() == ["all", "rules", "+6", "-1", "+5"]


def test_score_writes_a_page_and_overwrites_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["rules", "score", "idea.mid", "--rules", "rl-tuner+my_rules.py:no_leaps", "--out", "judged"]
    got = answer(capsys, *words)
    assert sorted(path.name for path in Path("judged").iterdir()) == ["rules.toml", "score.html", "score.json"]
    assert "An idea" in Path(got["page"]).read_text()
    written = json.loads(Path(got["record"]).read_text())
    assert written["total"] == got["total"]
    again = answer(capsys, "rules", "score", "idea.mid", "--rules", got["rules_file"])
    assert again["total"] == got["total"]
    status, error, _ = refusal(capsys, *words)
    assert (status, error) == (1, "judged/score.html exists already")
    assert answer(capsys, *words, "--force") == got
    assert refusal(capsys, *words[:-1], "idea.mid")[0] == 1


def test_files_that_cannot_be_scored(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("junk.mid").write_bytes(b"MThd\x00\x00 junk")
    Path("random.mid").write_bytes(os.urandom(4096))
    Path("junk.musicxml").write_bytes(b"\x00\xff" * 1000)
    Path("empty.mid").write_bytes(b"")
    Path("huge.mid").write_bytes(bytes(17 * 2**20))
    Path("rests.abc").write_text("X:1\nT:e\nM:4/4\nL:1/8\nK:G\nz8|z8|\n")
    Path("text.txt").write_text("C4 D4")
    Path("folder.mid").mkdir()
    os.mkfifo("pipe.mid")
    names = "junk.mid random.mid junk.musicxml empty.mid huge.mid rests.abc folder.mid pipe.mid missing.mid . x\0.mid"
    for name in (*names.split(), "a" * 5000 + ".mid"):
        assert refusal(capsys, "rules", "score", name)[0] == 1, name
    assert refusal(capsys, "rules", "score", "text.txt")[0] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rules", "jazz"], "no rule set 'jazz'"),
        (["--rules", ""], "names no rules"),
        (["--rules", "rl-tuner+paper"], "have a rule 'key'"),
        (["--rules", "my_rules.py:nothing"], "has no 'nothing'"),
        (["--rules", "my_rules.toml"], "no file my_rules.toml"),
        (["--key", "H dur"], "'H dur' is not a key"),
        (["--seconds", "0"], "seconds must be above 0, got 0"),
        (["--seconds", "nan"], "seconds must be above 0, got nan"),
        (["--seconds", "soon"], "seconds"),
        (["--loud"], "--loud"),
    ],
)
def test_flags_that_cannot_be(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    status, error, _ = refusal(capsys, "rules", "score", "idea.mid", *words)
    assert status == 2
    assert said in error


def test_a_melody_that_is_too_long(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(Melody.from_pitches([(60 + index % 5, 96) for index in range(1300)]), "long.mid")
    status, error, hint = refusal(capsys, "rules", "score", "long.mid")
    assert status == 2
    assert "20,800 sixteenths" in error
    assert "--seconds" in hint
    assert answer(capsys, "rules", "score", "long.mid", "--seconds", "60", "--rules", "paper")["notes"]


def test_a_tune_with_chord_symbols_is_scored_by_the_rules_of_harmony(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    music = '"C"C2D2A2c2|"G7"D2F2"C"E2C2|]'
    Path("over.abc").write_text(f"X:1\nT:Over chords\nM:4/4\nL:1/8\nK:C\n{music}\n")
    scored = answer(capsys, "rules", "score", "over.abc")
    sums = {one["name"]: one["sum"] for one in scored["rules"]}
    assert (sums["non_chord_tones"], sums["harmonic_cadence"]) == (-2.0, 2.0)
    assert [one["note"] for one in scored["notes"] if "non_chord_tones" in one["values"]] == ["C5", "D4"]
    assert "harmonic_cadence +2 (at the end of the melody)" in text(capsys, "rules", "score", "over.abc")
    plain = answer(capsys, "rules", "score", "idea.musicxml")
    assert "chord_tones" not in {one["name"] for one in plain["rules"]}
    assert "over F G7 | C" in text(capsys, "rules", "explain", "harmonic_cadence")
