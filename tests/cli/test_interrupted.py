"""Ctrl-C and kill -9 in the middle of a run: --resume ends with the identical model."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.io import write
from cantilena.models import NetworkOptions
from cantilena.music import Melody
from cantilena.training import TrainingOptions
from cantilena.workflows import TrainOptions
from cantilena.workflows.train import run as train_run
from cantilena.workflows.train.config import shape_and_training


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder, rng = tmp_path_factory.mktemp("scores"), np.random.default_rng(1)
    for number in range(16):
        write(Melody.from_pitches([(int(pitch), 12) for pitch in rng.integers(60, 73, 40)]), folder / f"{number}.mid")
    path = folder.parent / "interrupted.arrow"
    assert main(["corpus", "read", str(folder), "--out", str(path), "--force", "--jobs", "1"]) == 0
    return str(path)


def words(corpus: str, out: Path, *more: str) -> list[str]:
    shape = ["--width", "8", "--epochs", "6", "--batch", "4", "--device", "cpu", "--precision", "float32"]
    return ["train", "--corpus", corpus, *shape, "--out", str(out), *more]


def often(request: TrainOptions) -> tuple[NetworkOptions, TrainingOptions]:
    """A checkpoint after every batch, so that there is one to go on from."""
    network, training = shape_and_training(request)
    return network, replace(training, checkpoint_seconds=0.0)


def started(line: list[str]) -> subprocess.Popen[str]:
    # A checkpoint after every batch here too, and batches slow enough to be interrupted.
    program = (
        "import sys, time, dataclasses\n"
        "import cantilena.training.loop as keeping, cantilena.workflows.train.run as run\n"
        "shape = run.shape_and_training\n"
        "def often(request):\n"
        "    network, training = shape(request)\n"
        "    return network, dataclasses.replace(training, checkpoint_seconds=0.0)\n"
        "run.shape_and_training = often\n"
        "save = keeping.save_checkpoint\n"
        "def slowly(*args, **named):\n"
        "    save(*args, **named)\n"
        "    time.sleep(0.15)\n"
        "keeping.save_checkpoint = slowly\n"
        "from cantilena.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", program, *line], **pipes)


@pytest.mark.e2e
def test_an_interrupted_and_killed_training_ends_with_the_same_model(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted, more = tmp_path / "halted", []
    for sign, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        process = started(words(corpus, halted, *more))
        checkpoint, before = halted / "checkpoint.safetensors", time.time_ns()
        for _ in range(600):
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
                break
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        process.send_signal(sign)
        _, err = process.communicate(timeout=60)
        assert process.returncode == status, err
        if sign is signal.SIGINT:
            assert err.splitlines()[-2] == "error: interrupted"
            assert "--resume" in err.splitlines()[-1]
        assert not (halted / "model.safetensors").exists()
        more = ["--resume"]
    # The rest, and a training that nobody disturbed, need no process of their own.
    monkeypatch.setattr(train_run, "shape_and_training", often)
    assert main(words(corpus, halted, "--resume")) == 0
    assert main(words(corpus, tmp_path / "whole")) == 0
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (halted / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list(halted.glob(".*.draft"))
