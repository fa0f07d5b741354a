"""`cantilena listen`: a study from its creation to a report, power analysis, and wrong usage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.io import write
from cantilena.music import Key, Melody


def write_melodies(path: Path, first: int) -> str:
    for seed in range(first, first + 5):
        pitches = np.random.default_rng(seed).choice([60, 62, 64, 65, 67, 69, 72], 8)
        write(
            Melody.from_pitches([*((int(p), 24) for p in pitches), (60, 72), (None, 24)] * 2, key=Key()),
            path / f"{seed}.mid",
        )
    return str(path)


def test_a_study_is_created_rehearsed_and_analysed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arms = [f"--arm=human={write_melodies(tmp_path / 'a', 0)}", f"--arm=lstm={write_melodies(tmp_path / 'b', 10)}"]
    design = "--clips 4 --trials 8 --listeners 6 --shortest 2 --longest 3 --tempo 240".split()
    study, answers, report = (str(tmp_path / name) for name in ("study.zip", "answers", "report"))
    assert main(["listen", "create", *arms, *design, "--out", study, "--json"]) == 0
    digest = json.loads(capsys.readouterr().out)["digest"]
    shares = ["--share", "human=0.7", "--share", "lstm=0.3", "--careless", "0"]
    assert main(["listen", "rehearse", study, *shares, "--out", answers, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["simulated"] is True
    assert main(["listen", "analyse", study, answers, "--out", report, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert (results["study"], results["simulated"]) == (digest, True)
    assert set(results["arms"]) == {"human", "lstm"}
    assert {path.name for path in Path(report).iterdir()} >= {"report.html", "results.json", "arms.csv", "clips.png"}
    assert main(["listen", "analyse", study, answers, "--out", report]) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.e2e
def test_power_analysis_creates_nothing_and_needs_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "listen",
        "create",
        "--arm",
        "human=x",
        "--arm",
        "lstm=y",
        "--power",
        "--studies",
        "10",
        "--promise",
        "0.5",
    ]
    assert main([*words, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [claim["independent_trials"] for claim in results["claims"]] == [92, 215]
    assert all(claim["listeners"] * 20 >= 60 for claim in results["claims"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "--arm", "human", "--out", "x"], "is not NAME=DIR"),
        (["create", "--arm", "human=a", "--arm", "human=b", "--out", "x"], "given twice"),
        (["create", "--arm", "human=a", "--arm", "<b>=b", "--out", "x"], "is not a valid name of an arm"),
        (["create", "--arm", "human=a", "--arm", "b=b"], "--out is missing"),
        (["create", "--arm", "human=a", "--arm", "b=b", "--out", "x", "--right", "0.6"], "without --power"),
        (["create", "--arm", "human=a", "--arm", "b=b", "--out", "x", "--accept", "taste"], "arms may differ in"),
        (["create", "--arm", "human=a", "--arm", "b=b", "--out", "x", "--trials", "7"], "cannot be balanced"),
    ],
)
def test_wrong_usage_gives_a_message(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_study_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", "analyse", str(tmp_path / "no.zip"), str(tmp_path), "--debug"]) == 1
    assert "there is no study" in capsys.readouterr().err
