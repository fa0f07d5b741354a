"""`cantilena train` in several processes, as a user starts it: it speaks once, and its processes end together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

COMMAND = """
import dataclasses, os, sys, time
from pathlib import Path
import cantilena.training.course as course, cantilena.training.keeping as keeping
import cantilena.training.distributed as processes
import cantilena.workflows.train.run as run
from datetime import timedelta
rank = os.environ["RANK"]
Path(os.environ["FOLDER"], f"pid.{rank}").write_text(str(os.getpid()))
processes._PATIENCE = timedelta(seconds=float(os.environ.get("PATIENCE", "300")))
shape = run.shape_and_training
def often(request):
    network, training = shape(request)
    return network, dataclasses.replace(training, checkpoint_seconds=0.0)
run.shape_and_training = often
save = keeping.save_checkpoint
def slowly(*args, **named):
    save(*args, **named)
    time.sleep(float(os.environ.get("SLOW", "0")))
keeping.save_checkpoint = slowly
update = course.Course.update
def failing(self, *args):
    if os.environ.get("FAIL") == rank and self.standing.updates == 3:
        raise OSError(12, "the card is full")
    update(self, *args)
course.Course.update = failing
measure = run.scores_of
def measured(*args):
    Path(os.environ["FOLDER"], "measuring").touch()
    time.sleep(float(os.environ.get("MEASURE", "0")))
    return measure(*args)
run.scores_of = measured
from cantilena.cli import main
sys.exit(main(sys.argv[1:]))
"""

WORDS = (
    "train --corpus chorales --budget 50000 --width 16 --dropout 0 --precision float32 --device cpu --json --out"
).split()


@pytest.fixture
def command(torchrun: Any) -> Any:
    """The command in two processes: `command(folder, *words, VARIABLE=value)`."""
    return lambda folder, *words, **variables: torchrun(folder, COMMAND, *words, FOLDER=str(folder), **variables)


@pytest.fixture
def by_hand(surroundings: dict[str, str]) -> Any:
    """One process of two without torchrun, as a cluster's own starter does it."""

    def started(folder: Path, rank: int, port: int, *words: str, **variables: str) -> subprocess.Popen[str]:
        script = folder / "program.py"
        script.write_text(COMMAND)
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        master = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        return subprocess.Popen(
            [sys.executable, str(script), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**surroundings, **place, **master, "FOLDER": str(folder), **variables},
        )

    return started


def until_a_checkpoint(process: subprocess.Popen[str], run: Path) -> None:
    checkpoint, before = run / "checkpoint.safetensors", time.time_ns()
    for _ in range(2400):
        if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    raise AssertionError("no checkpoint")


def said(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith(("error:", "hint:", "A network"))]


@pytest.mark.slow
def test_the_command_speaks_once_and_gives_what_one_process_gives(tmp_path: Path, command: Any) -> None:
    from cantilena.cli import main

    process = command(tmp_path, *WORDS, str(tmp_path / "two"), "--batch", "3")
    assert main([*WORDS, str(tmp_path / "one"), "--batch", "6"]) == 0
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    answer = json.loads(out)  # one object and nothing else
    assert len(said(err)) == 1
    assert "2 processes" in said(err)[0]
    one, two = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two"))
    assert two["options"]["processes"] == 2
    for part in ("valid", "test"):
        assert answer[part] == pytest.approx(one[part], abs=1e-4)
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    for part, weight in weights[0].items():
        if weight.is_floating_point():
            torch.testing.assert_close(weights[1][part], weight, atol=1e-4, rtol=0)
    assert not list((tmp_path / "two").glob(".*.draft"))


@pytest.mark.slow
def test_what_cannot_be_is_said_once(tmp_path: Path, command: Any) -> None:
    for words, text in [
        (["train", "--corpus", str(tmp_path / "none")], "there is no corpus"),
        (["train", "--corpus", "chorales", "--wdth", "3"], "unknown: --wdth 3"),
        (["train", "--corpus", "chorales", "--copy-head", "--input", "paper"], "the paper's input with"),
    ]:
        process = command(tmp_path, *words, "--out", str(tmp_path / "run"), "--json")
        out, err = process.communicate(timeout=300)
        assert process.returncode == 1
        assert [line.partition(":")[0] for line in said(err)] == ["error", "hint"], err
        assert text in json.loads(out)["error"]
        assert not (tmp_path / "run").exists()
    process = command(tmp_path, "train", "--corpus", "chorales", "--model", "ngram", "--out", str(tmp_path / "run"))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.count("nats a step") == 2


@pytest.mark.slow
def test_ctrl_c_and_the_death_of_either_leave_a_run_that_goes_on_to_the_same_bytes(
    tmp_path: Path, command: Any, surroundings: dict[str, str]
) -> None:
    whole = command(tmp_path, *WORDS, str(tmp_path / "whole"), "--batch", "3", "--dropout", "0.2", "--layers", "2")
    assert whole.wait(timeout=300) == 0
    whole.communicate()
    run, more = tmp_path / "run", []
    words = [*WORDS, str(run), "--batch", "3", "--dropout", "0.2", "--layers", "2"]
    for victim in ("torchrun", "1", "0"):
        process = command(tmp_path, *words, *more, SLOW="0.2")
        until_a_checkpoint(process, run)
        if victim == "torchrun":
            process.send_signal(signal.SIGINT)
        else:
            os.kill(int((tmp_path / f"pid.{victim}").read_text()), signal.SIGKILL)
        began = time.monotonic()
        out, err = process.communicate(timeout=60)
        assert time.monotonic() - began < 20
        assert process.returncode
        expected = {"torchrun": "error: interrupted", "1": "error: another process"}
        if victim in expected:  # the dead do not speak, but torchrun tells of them
            assert said(err)[1].startswith(expected[victim])
            assert "--resume" in said(err)[2]
            assert json.loads(out)["hint"] in said(err)[2]
        assert not (run / "model.safetensors").exists()
        for rank in (0, 1):
            with pytest.raises(ProcessLookupError):
                os.kill(int((tmp_path / f"pid.{rank}").read_text()), 0)
        more = ["--resume"]
    alone = subprocess.run([sys.executable, "-m", "cantilena", *words, "--resume"], env=surroundings, check=False,
                           capture_output=True, text=True)  # fmt: skip
    assert alone.returncode == 1
    assert "other options" in alone.stderr
    last = command(tmp_path, *words, "--resume")
    _, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
def test_why_another_process_failed_is_told_by_the_first(tmp_path: Path, command: Any) -> None:
    process = command(tmp_path, *WORDS, str(tmp_path / "run"), FAIL="1")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert json.loads(out)["error"].startswith("process 1: ")
    assert "the card is full" in said(err)[1]
    assert "Traceback" not in err.partition("error:")[0]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.slow
def test_without_torchrun_they_find_each_other_and_fail_together(tmp_path: Path, by_hand: Any) -> None:
    words, port = [*WORDS, str(tmp_path / "run")], free_port()
    elsewhere = ["nowhere" if word == "chorales" else word for word in WORDS]  # as on a machine without the corpus
    both = [
        by_hand(tmp_path, 0, port, *words),
        by_hand(tmp_path, 1, port, *elsewhere, str(tmp_path / "elsewhere")),
    ]
    (out, err), silent = (process.communicate(timeout=300) for process in both)
    assert [process.returncode for process in both] == [0, 0], err
    assert json.loads(out)["epochs"] >= 1
    assert silent == ("", "")
    assert not (tmp_path / "elsewhere").exists()
    port = free_port()
    both = [by_hand(tmp_path, rank, port, *words) for rank in (0, 1)]  # the folder holds a finished run now
    (out, err), silent = (process.communicate(timeout=300) for process in both)
    assert [process.returncode for process in both] == [1, 1]
    assert "finished run" in json.loads(out)["error"]
    assert silent == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["torchrun", "by hand"])
def test_who_waits_for_the_last_work_of_process_0_ends_with_it(
    tmp_path: Path, how: str, command: Any, by_hand: Any
) -> None:
    words, more = [*WORDS, str(tmp_path / "run"), "--no-blend", "--epochs", "1"], {"MEASURE": "600"}
    port = free_port()
    if how == "torchrun":
        all_of_them = [command(tmp_path, *words, **more)]
    else:
        all_of_them = [by_hand(tmp_path, rank, port, *words, **more) for rank in (0, 1)]
    for _ in range(1200):
        if (tmp_path / "measuring").exists():
            break
        assert all_of_them[0].poll() is None
        time.sleep(0.05)
    time.sleep(1.0)  # the other waits by now
    assert all(process.poll() is None for process in all_of_them)
    os.kill(int((tmp_path / "pid.0").read_text()), signal.SIGKILL)
    began = time.monotonic()
    for process in all_of_them:
        process.communicate(timeout=60)
    assert time.monotonic() - began < 20
    assert all(process.returncode for process in all_of_them)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid.1").read_text()), 0)
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()


@pytest.mark.slow
def test_nobody_waits_for_ever(tmp_path: Path, by_hand: Any) -> None:
    words = [*WORDS, str(tmp_path / "run")]
    lonely = by_hand(tmp_path, 0, free_port(), *words, PATIENCE="3")
    _, err = lonely.communicate(timeout=120)
    assert lonely.returncode == 1
    assert "did not find each other" in said(err)[0]
    assert not (tmp_path / "run").exists()
    port = free_port()
    both = [by_hand(tmp_path, rank, port, *words, PATIENCE="10", SLOW="0.2") for rank in (0, 1)]
    until_a_checkpoint(both[0], tmp_path / "run")
    both[1].send_signal(signal.SIGSTOP)  # it lives, but is not heard any more
    try:
        _, err = both[0].communicate(timeout=60)
        assert both[0].returncode == 1
        assert "not heard any more" in said(err)[1]
    finally:
        both[1].kill()
        both[1].communicate(timeout=60)
