"""The tuning loop: adaptive c, history, checkpoints, and runs that resume bit-identically."""

from __future__ import annotations

import errno
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cantilena.errors import InputError, RunError
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.rl import (
    LEARNERS,
    PolicyOptions,
    ReferenceLearner,
    TuningHistory,
    TuningOptions,
    UpdateStats,
    ValueOptions,
    WatchOptions,
    next_c,
    tune,
    tune_module,
)
from cantilena.tokenizers import GridEncoding, NotesEncoding

GRID = GridEncoding()
SMALL = NetworkOptions(width=16, embedding=12)
OPTIONS = TuningOptions(
    updates=4,
    melodies=8,
    steps=8,
    learning_rate=0.01,
    value=ValueOptions(replay=24, exploration_share=0.3),
    policy=PolicyOptions(passes=2, minibatches=2),
    watch=WatchOptions(look=0),
    device="cpu",
)


def bundle() -> Bundle:
    return Bundle(SMALL, Network(SMALL, 38, seed=3).numpy_weights(), GRID.description())


def notes_bundle() -> Bundle:
    notes = NotesEncoding()
    shape = replace(SMALL, durations=notes.durations, pitches=36)
    return Bundle(shape, Network(shape, len(notes.vocabulary), seed=3).numpy_weights(), notes.description())


def test_c_rises_while_the_target_is_exceeded_and_falls_back() -> None:
    options = TuningOptions(c=2.0, target_kl=0.4)
    risen = next_c(2.0, 0.8, options)
    assert risen == pytest.approx(2.04)
    assert next_c(risen, 0.44, options) == pytest.approx(2.04 * 1.01)
    assert next_c(risen, 0.1, options) == 2.0
    assert next_c(2.0, 9.0, replace(options, target_kl=None)) == 2.0


def test_c_is_bounded() -> None:
    c = 3.0
    for _ in range(2000):
        c = next_c(c, 9.0, TuningOptions(target_kl=0.1))
    assert c == 1e6


def test_numbers_that_are_not_finite_are_null_in_the_metrics(tmp_path: Path) -> None:
    history = TuningHistory()
    history.add(8, UpdateStats({"key": 1.0}, log_p=-1.0, kl=math.nan, entropy=math.inf, loss=0.0), 3.0)
    history.write(tmp_path / "metrics.jsonl")
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert (row["kl"], row["entropy"], row["log_p"]) == (None, None, -1.0)


@pytest.mark.parametrize("algorithm", ["rloo", "ppo", "q", "g"])
def test_a_loss_that_is_nan_is_reported(algorithm: str, tmp_path: Path) -> None:
    network = Network(SMALL, 38, seed=3)
    with torch.no_grad():
        network.head.bias[3] = math.nan
    with pytest.raises(RunError, match="the loss became nan at update 1"):
        tune_module(network, GRID, replace(OPTIONS, algorithm=algorithm), folder=tmp_path)  # type: ignore[arg-type]
    assert not (tmp_path / "metrics.jsonl").exists()


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "rloo"},
        {"algorithm": "ppo"},
        {"algorithm": "q", "value": ValueOptions(replay=24, priority=0.6)},
        {"algorithm": "double-q"},
        {"algorithm": "psi"},
        {"algorithm": "g", "target_kl": 0.05},
        {"algorithm": "rejection"},
        {"algorithm": "g", "reference_mode": True, "melodies": 10},
        {"algorithm": "rloo", "melodies": 32, "watch": WatchOptions(look=2, watched=32)},
        {"notes": True, "algorithm": "rloo", "rules": "paper", "watch": WatchOptions(look=2, watched=16, stop=False)},
        pytest.param({"notes": True, "algorithm": "ppo", "rules": "paper"}, marks=pytest.mark.e2e),
        pytest.param(
            {"notes": True, "algorithm": "q", "rules": "paper", "value": ValueOptions(replay=24, priority=0.6)},
            marks=pytest.mark.e2e,
        ),
    ],
    ids=lambda changes: "-".join(map(str, changes.values()))[:40],
)
def test_an_interrupted_run_resumes(changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    untuned = notes_bundle() if "notes" in changes else bundle()
    options = replace(OPTIONS, **{name: value for name, value in changes.items() if name != "notes"})
    whole = tune(untuned, options)

    class InterruptedHereError(Exception):
        pass

    learner = ReferenceLearner if options.reference_mode else LEARNERS[options.algorithm]
    update, calls = learner.update, []  # type: ignore[union-attr]

    def stop_at_the_fourth(self: object, progress: float) -> object:
        calls.append(progress)
        if len(calls) == 4:
            raise InterruptedHereError
        return update(self, progress)

    monkeypatch.setattr(learner, "update", stop_at_the_fourth)
    with pytest.raises(InterruptedHereError):
        tune(untuned, options, folder=tmp_path)
    monkeypatch.setattr(learner, "update", update)
    resumed = tune(untuned, options, folder=tmp_path, resume=True)
    for name, weight in whole.bundle.weights.items():
        np.testing.assert_array_equal(resumed.bundle.weights[name], weight)
    assert resumed.history.terms == whole.history.terms
    assert resumed.checks == whole.checks
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 4


def test_a_damaged_checkpoint_is_reported(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not tensors")
    with pytest.raises(RunError, match="damaged"):
        tune(bundle(), OPTIONS, folder=tmp_path, resume=True)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    tune(bundle(), replace(OPTIONS, updates=1), folder=tmp_path)
    with pytest.raises(RunError, match="another run"):
        tune(bundle(), replace(OPTIONS, updates=1, algorithm="ppo"), folder=tmp_path, resume=True)


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as half:
            half.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"cannot write .*checkpoint.*No space left"):
        tune(bundle(), OPTIONS, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_drafts_of_killed_processes_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    (tmp_path / ".checkpoint.safetensors.0a1b2c3d.draft").write_bytes(b"half")
    tune(bundle(), OPTIONS, folder=tmp_path, resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.safetensors", "metrics.jsonl"]
