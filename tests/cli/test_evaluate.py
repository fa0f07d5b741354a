"""`cantilena evaluate`: what it refuses with which exit status, and its answers."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from cantilena.cli import main
from cantilena.io import midi_bytes
from cantilena.metrics import overlaps
from cantilena.music import Melody


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, shift in (("a/same", 0), ("b/same", 2)):
        (tmp_path / name).mkdir(parents=True)
        for k in range(3):
            tune = Melody.from_pitches([(60 + shift + (j * j + k) % 9, 12) for j in range(48)])
            (tmp_path / name / f"{k}.mid").write_bytes(midi_bytes(tune))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _few_subsamples_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals of overlaps from 20 subsamples go the way that those from 200 would."""
    monkeypatch.setattr("cantilena.workflows.evaluate.compare.overlaps", partial(overlaps, draws=20))


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ([], 2, "nothing to evaluate"),
        (["a/same", "b/same"], 2, "both called same"),
        (["x=a/same", "x=b/same"], 2, "both called x"),
        (["..=a/same"], 2, "cannot be the name"),
        (["missing"], 1, "nothing to evaluate at 'missing'"),
        (["empty"], 1, "holds no score"),
        (["a/same", "--against", "missing"], 1, "no corpus 'missing'"),
        (["a/same", "--reference", "missing"], 1, "no bundle 'missing'"),
        (["a/same", "--steps", "3"], 2, "steps must be"),
        (["a/same", "--melodies", "1"], 2, "melodies must be 2 to 10000, got 1"),
        (["a/same", "--key", "H major"], 2, "H"),
        (["a/same", "--temperature", "0"], 2, "temperature"),
        (["a/same", "--force"], 2, "--out"),
        (["a/same", "--test", "b"], 2, "--likelihood"),
        (["tunes", "--likelihood"], 2, "--test"),
        (["tunes", "--likelihood", "--test", "a/same", "--listener"], 2, "alone"),
        (["tunes", "--likelihood", "--test", "a/same", "--out", "x"], 2, "alone"),
        (["human=tunes", "a/same"], 2, "cannot replace the human melodies"),
        (["human=a/same"], 2, "nothing to compare with human"),
        (["a" * 300 + "=a/same"], 2, "cannot be the name"),
        (["tunes", "--key", "banana"], 2, "banana"),
        (["tunes", "--likelihood", "--test", "missing"], 1, "missing"),
        (["a/same", "--likelihood", "--test", "b/same"], 2, "only models have likelihoods"),
    ],
)
def test_wrong_usage_is_refused(
    folders: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, text: str
) -> None:
    assert main(["evaluate", *words]) == status
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("error", "hint"))]
    assert len(said) == 2
    assert text in said[0] + said[1]


def test_json_is_one_object_with_the_names_that_were_given(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "one=a/same", "other=b/same", "--against", "chorales", "--melodies", "30", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer["systems"]) == ["human", "one", "other"]
    for system in answer["systems"].values():
        for entry in system["metrics"].values():
            assert set(entry) >= {"value", "low", "high"}
            assert entry["value"] is not None or entry["reason"]
    assert answer["systems"]["one"]["melodies"] == 3


def test_a_terminal_reads_verdicts_and_a_table(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "a/same", "--against", "chorales", "--melodies", "30"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("same: 3 melodies: too few to conclude anything")
    assert "Distance to the data" in said
    assert "nan" not in said.lower().replace("dominant", "")


def test_nats_a_step_of_a_bundle(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "tunes", "--likelihood", "--test", "a/same", "--json"]) == 0
    system = json.loads(capsys.readouterr().out)["systems"]["tunes"]
    assert system["test"]["nats_per_step"] == pytest.approx(system["metrics"]["nats_per_step"]["value"], abs=1e-6)
    assert system["melodies"] == 3
