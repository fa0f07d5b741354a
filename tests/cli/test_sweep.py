"""`cantilena sweep` in small: resumed after kills, in several processes, with trainings that fail."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.io import write
from cantilena.models import Bundle, find_bundle
from cantilena.music import Melody
from cantilena.workflows.train.blend import score
from cantilena.workflows.train.config import load_encoded
from cantilena.workflows.train.options import NetworkTraining

SPACE = """
[learning_rate]
low = 1e-3
high = 5e-2
log = true
[width]
low = 8
high = 16
step = 4
[look_back]
choices = [[], [1, 2]]
"""
TINY = ["--embedding", "8", "--epochs", "3", "--batch", "8", "--device", "cpu", "--precision", "float32"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder, rng = tmp_path_factory.mktemp("scores"), np.random.default_rng(1)
    for number in range(20):
        write(Melody.from_pitches([(int(pitch), 12) for pitch in rng.integers(60, 73, 40)]), folder / f"{number}.mid")
    path = tmp_path_factory.mktemp("corpus") / "tunes.arrow"
    assert main(["corpus", "read", str(folder), "--out", str(path), "--jobs", "1"]) == 0
    return str(path)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("space") / "mine.toml"
    path.write_text(SPACE)
    return str(path)


@pytest.fixture(scope="module")
def whole(corpus: str, space: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that nobody interrupted, in one process."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert main(words(corpus, space, out)) == 0
    return out


def words(corpus: str, space: str, out: Path, *more: str) -> list[str]:
    return ["sweep", "--corpus", corpus, *TINY, "--search", space, "--trials", "6", "--out", str(out), *more]


def asked(capsys: pytest.CaptureFixture[str], line: list[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = main([*line, "--json"])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    return status, answer


def trials(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((out / "sweep.json").read_text(), parse_constant=pytest.fail)["trials"]
    return rows


def told(out: Path) -> list[tuple[Any, ...]]:
    """Parameters and results of the trials, without their times, and without those that were tried again."""
    kept = ("parameters", "state", "valid", "losses")
    return [tuple(row[name] for name in kept) for row in trials(out) if row["state"] != "interrupted"]


def started(line: list[str]) -> subprocess.Popen[str]:
    program = "import sys; from cantilena.cli import main; sys.exit(main(sys.argv[1:]))"
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", program, *line], **pipes)


def workers_of(parent: int) -> list[int]:
    """The child processes of a search."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found


def wait_for_trials(process: subprocess.Popen[str], out: Path, count: int) -> None:
    for _ in range(1200):
        if (out / "sweep.json").exists() and len(trials(out)) >= count:
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    pytest.fail("no trial came to its end")


def gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


@pytest.mark.e2e
def test_the_best_model_is_what_the_table_says_and_what_the_command_trains(
    corpus: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = trials(whole)
    assert [row["number"] for row in rows] == list(range(6))
    finished = [row for row in rows if row["state"] == "finished"]
    best = min(finished, key=lambda row: row["valid"])
    facts = json.loads((whole / "run.json").read_text())
    assert facts["best"]["number"] == best["number"]
    assert facts["trials"] == 6 == facts["finished"] + facts["pruned"] + facts["failed"]
    assert find_bundle(whole) == whole / "model.safetensors"
    bundle = Bundle.load(whole / "model.safetensors")
    data, _ = load_encoded(NetworkTraining(corpus))
    for split, pieces in (("valid", data.valid), ("test", data.test)):
        expected = facts["best"]["valid"] if split == "valid" else facts["test"]
        assert score(bundle.model(), pieces, data) == pytest.approx(expected, abs=1e-5)
    assert facts["best"]["valid"]["nats_per_step"] == best["valid"] == min(best["losses"])
    with (whole / "sweep.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["valid"] for row in table] == ["" if row["valid"] is None else str(row["valid"]) for row in rows]
    assert (whole / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in whole.iterdir()} == {
        ".lock", "run.json", "model.safetensors", "trials.journal", "sweep.json", "sweep.csv", "sweep.png"
    }  # fmt: skip
    line = shlex.split(facts["command"])
    assert line[:2] == ["cantilena", "train"]
    line[line.index("--out") + 1] = str(tmp_path / "again")
    status, answer = asked(capsys, line[1:])
    assert status == 0
    assert answer["valid"] == facts["best"]["valid"]
    assert answer["test"] == facts["test"]
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.e2e
def test_a_search_that_was_interrupted_and_killed_ends_with_the_same_trials(
    corpus: str, space: str, whole: Path, tmp_path: Path
) -> None:
    out, more = tmp_path / "halted", []
    for count, sign in ((1, signal.SIGINT), (3, signal.SIGKILL)):
        process = started(words(corpus, space, out, *more))
        wait_for_trials(process, out, count)
        children = workers_of(process.pid)
        assert children
        process.send_signal(sign)
        _, err = process.communicate(timeout=30)
        if sign is signal.SIGINT:
            assert process.returncode == 130, err
            assert "--resume" in err.splitlines()[-1]
        for _ in range(100):
            if all(gone(child) for child in children):
                break
            time.sleep(0.1)
        assert all(gone(child) for child in children)  # no training goes on without its search
        assert not (out / "model.safetensors").exists()
        more = ["--resume"]
    assert main(words(corpus, space, out)) == 1  # an unfinished run, neither --resume nor --force
    assert main(words(corpus, space, out, "--resume", "--seed", "2")) == 1
    assert main(words(corpus, space, out, "--resume")) == 0
    assert told(out) == told(whole)
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_trial_alone(corpus: str, space: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    slow = words(corpus, space, out, "--processes", "2", "--epochs", "80", "--pruning", "none", "--patience", "80")
    process = started(slow)
    wait_for_trials(process, out, 1)
    for _ in range(3000):  # until both train: one is killed while it does
        begun = (out / "trials.journal").read_text().count('"op_code":4')
        if begun - sum(row["state"] != "running" for row in trials(out)) == 2:
            break
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    else:
        pytest.fail("two never trained at once")
    victims = workers_of(process.pid)
    assert len(victims) == 2
    os.kill(victims[0], signal.SIGKILL)
    _, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    states = [row["state"] for row in trials(out)]
    assert len(states) == 6
    assert states.count("failed") == 1
    assert states.count("finished") == 5
    reason = next(row["reason"] for row in trials(out) if row["state"] == "failed")
    assert reason == "its worker process crashed (SIGKILL)"
    told = [line for line in err.splitlines() if line.startswith("Searching")]  # one every ten seconds
    assert all(
        re.search(r"^Searching: \d/6 trials, .*(best \d\.\d{4} in trial \d|none finished yet)", line) for line in told
    )


@pytest.mark.e2e
def test_trainings_that_take_too_long_are_rows_with_a_reason(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = ["sweep", "--corpus", corpus, *TINY, "--search", "memory", "--trials", "2", "--seconds-a-trial", "0.001"]
    status, answer = asked(capsys, [*late, "--out", str(tmp_path / "late")])
    assert status == 1
    assert "no trial of 2 finished: it took longer than 0.001 s" in answer["error"]
    assert all(row["state"] == "failed" and row["valid"] is None for row in trials(tmp_path / "late"))


@pytest.mark.e2e
def test_trainings_that_cannot_be_are_rows_with_a_reason(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = tmp_path / "mixed.toml"
    mixed.write_text("[input]\nchoices=['features','paper']\n[echoes]\nchoices=[1,2]\n")
    line = ["sweep", "--corpus", corpus, "--width", "8", *TINY, "--search", str(mixed), "--trials", "5"]
    status, answer = asked(capsys, [*line, "--out", str(tmp_path / "mixed")])
    assert status == 0
    failed = [row for row in trials(tmp_path / "mixed") if row["state"] == "failed"]
    assert len(failed) == answer["failed"] > 0
    assert all("paper's input" in row["reason"] and row["parameters"]["input"] == "paper" for row in failed)
    assert answer["best"]["parameters"]["input"] == "features"
    assert math.isfinite(answer["best"]["valid"]["nats_per_step"])


def test_what_cannot_be_asked_costs_no_earlier_run(
    corpus: str, space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("model.safetensors", "sweep.json", "run.json", "trials.journal"):
        (tmp_path / name).write_text("earlier")
    for more, said in (
        (["--search", "nowhere"], "no search space 'nowhere'"),
        (["--trials", "0"], "--trials must be 1 to 10000, got 0"),
        (["--processes", "-1"], "--processes must be 0 to 256, got -1"),
        (["--seconds-a-trial", "nan"], "--seconds-a-trial must be over 0, got nan"),
        (["--corpus", "nowhere"], "no corpus 'nowhere'"),
        (["--model", "ngram"], "--model"),
        (["--width", "12", "--learning-rate", "0.01", "--look-back", "1"], "every parameter"),
        (["--width", "0"], "width is 0"),
    ):
        status, answer = asked(capsys, words(corpus, space, tmp_path, "--force", *more))
        assert status in (1, 2)
        assert said in answer["error"]
        assert "bug in Cantilena" not in answer["hint"]
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "optuna" else find(name, *more)
    )
    status, answer = asked(capsys, words(corpus, space, tmp_path, "--force"))
    assert (status, answer["hint"]) == (1, "pip install 'cantilena[sweep]'")
    assert {path.read_text() for path in tmp_path.iterdir()} == {"earlier"}
