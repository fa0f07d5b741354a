"""The whole experiment in small: every file, every number, the same again, resumed to the same."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cantilena.errors import RunError, UsageError
from cantilena.metrics.registry import PAPER_PREFIX
from cantilena.models import NetworkOptions
from cantilena.music import Melody
from cantilena.rl import TuningOptions
from cantilena.runtime import write_json
from cantilena.training import TrainingOptions
from cantilena.workflows import ReproduceOptions, reproduce
from cantilena.workflows.evaluate import compare
from cantilena.workflows.reproduce import run as pipeline
from cantilena.workflows.reproduce.options import Plan, plan

SYSTEMS = {"human", "oracle", "random-top10", "rnn", "ngram", "lstm", "lstm+rl"}
METRICS = [
    "excessively_repeated",
    "not_in_key",
    "starts_on_tonic",
    "ends_on_tonic",
    "leaps_resolved",
    "unique_max",
    "unique_min",
    "in_motif",
    "in_repeated_motif",
    "autocorrelation_1",
    "autocorrelation_2",
    "autocorrelation_3",
    "different_melodies",
    "distinct_4",
    "kl_per_step",
    "log_likelihood_per_step",
]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, corpus_file: Path) -> ReproduceOptions:
    """A corpus of 24 tunes and networks of 8 cells."""

    def tiny(options: ReproduceOptions) -> Plan:
        training = TrainingOptions(epochs=1, batch=8, seed=options.seed, device="cpu", precision="float32")
        tuning = TuningOptions(updates=2, melodies=8, steps=16, seed=options.seed, device="cpu")
        return replace(
            plan(options),
            network=NetworkOptions(width=8, embedding=4),
            training=training,
            rnn=NetworkOptions(core="rnn", width=8, embedding=4, bar_position=False, look_back=()),
            rnn_training=training,
            tuning=tuning,
            events_tuning=replace(tuning, rules="paper"),
        )

    monkeypatch.setattr(pipeline, "plan", tiny)
    return ReproduceOptions(corpus=str(corpus_file), counted=20, heard=1, device="cpu")


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


def check_results(folder: Path, systems: set[str]) -> None:
    results = strict((folder / "results.json").read_text())
    assert set(results["systems"]) == systems
    for name, row in results["systems"].items():
        assert row["melodies"] == 20 or name == "human"
        for metric in METRICS:
            entry = row["metrics"][metric]
            assert {"value", "low", "high"} <= set(entry)
            if entry["value"] is None:
                assert entry["reason"]
            else:
                assert math.isfinite(entry["value"])
        assert [metric for metric in row["metrics"] if metric.startswith(PAPER_PREFIX)]
    assert results["systems"]["lstm"]["metrics"]["kl_per_step"]["value"] == 0.0
    assert (folder / "run.json").is_file()
    for model in systems & {"lstm", "lstm+rl", "lstm-events", "lstm-events+rl"}:
        assert (folder / "models" / f"{model}.safetensors").is_file()
    for word in (str(folder), "seconds", "time"):
        assert word not in (folder / "results.json").read_text()


def check(folder: Path, systems: set[str]) -> None:
    check_results(folder, systems)
    for system in systems:
        for suffix in ("mid", "musicxml", "svg", "wav"):
            assert (folder / "melodies" / system / f"001.{suffix}").stat().st_size > 100
    page = (folder / "report.html").read_text()
    assert 'src="http' not in page
    assert "@import" not in page
    assert list((folder / "figures").iterdir())


class StopError(Exception):
    pass


def stop(*_: object, **__: object) -> None:
    raise StopError


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither sound, scores, figures nor overlaps, which take most of the time."""

    def write_melody_sets(sets: Sequence[tuple[Path, Sequence[Melody]]]) -> None:
        for folder, melodies in sets:
            folder.mkdir(parents=True, exist_ok=True)
            names = [f"{number:03}.mid" for number, _ in enumerate(melodies, 1)]
            for name in names:
                (folder / name).touch()
            write_json(folder / "manifest.json", {"melodies": [{"mid": name} for name in names]})

    monkeypatch.setattr(pipeline, "write_melody_sets", write_melody_sets)
    monkeypatch.setattr(pipeline, "write_report", lambda *_: None)
    monkeypatch.setattr(compare.Evaluator, "_overlaps", lambda *_: {})


@pytest.mark.e2e
@pytest.mark.usefixtures("plain")
def test_an_interrupted_run_ends_with_the_same_results(
    small: ReproduceOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, halted = tmp_path / "whole", tmp_path / "halted"
    reproduce(small, whole)
    check_results(whole, SYSTEMS)
    with pytest.raises(RunError, match="finished run"):
        reproduce(small, whole)
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "tuned_model", stop)
        with pytest.raises(StopError):
            reproduce(small, halted)
    assert not (halted / "results.json").exists()
    with pytest.raises(RunError, match="unfinished"):
        reproduce(small, halted)
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "write_report", stop)
        with pytest.raises(StopError):
            reproduce(small, halted, resume=True)
    reproduce(small, halted, resume=True)
    for name in ("results.json", "models/lstm+rl.safetensors"):
        assert (halted / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.usefixtures("plain")
def test_force_takes_away_what_was_there_and_nothing_else(
    small: ReproduceOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = [tmp_path / "models" / "mine.bin", tmp_path / "melodies" / "mine.mid", tmp_path / "work" / "notes" / "a.txt"]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        reproduce(small, tmp_path)
    reproduce(replace(small, heard=2), tmp_path, force=True)
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - {*mine, tmp_path / ".lock", tmp_path / "run.json"}
    assert {tmp_path / "results.json", tmp_path / "melodies" / "lstm" / "002.mid"} < made
    monkeypatch.setattr(pipeline, "encode_on_grid", stop)
    with pytest.raises(StopError):
        reproduce(replace(small, seed=2), tmp_path, force=True)
    assert [path for path in made if path.exists()] == []
    assert not (tmp_path / "melodies" / "lstm" / "002.mid").exists()
    assert [path.read_text() for path in mine] == ["mine"] * 3


@pytest.mark.e2e
def test_every_file_is_there_and_the_same_again(small: ReproduceOptions, tmp_path: Path) -> None:
    for name in ("one", "two"):
        reproduce(small, tmp_path / name)
        check(tmp_path / name, SYSTEMS)
    for name in ("results.json", "models/lstm+rl.safetensors", "melodies/lstm/001.wav", "melodies/human/001.mid"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.e2e
def test_the_preset_paper_adds_chords_and_the_greedy_model(
    small: ReproduceOptions, tunes: Path, tmp_path: Path
) -> None:
    reproduce(replace(small, preset="paper", corpus=str(tunes)), tmp_path / "run")
    check(tmp_path / "run", SYSTEMS | {"lstm-greedy", "lstm-events", "lstm-events+rl"})


@pytest.mark.parametrize("silly", [{"counted": 1}, {"heard": 0}, {"seed": -1}, {"preset": "slow"}, {"corpus": " "}])
def test_silly_experiments_are_refused(silly: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        ReproduceOptions(**silly)
    assert refused.value.hint
