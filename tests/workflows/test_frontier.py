"""The frontier in small: every kind of point, and the same results after an interruption."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.errors import RunError, UsageError
from cantilena.models import Bundle, Network, NetworkOptions, find_bundle
from cantilena.music import Key, Meter
from cantilena.rl import TuningOptions, music_reward
from cantilena.rules import Context
from cantilena.tokenizers import GridEncoding
from cantilena.workflows import run_frontier
from cantilena.workflows.data import Excerpts
from cantilena.workflows.evaluate.counts import Sample
from cantilena.workflows.tune import frontier
from cantilena.workflows.tune.frontier import _Points

ASKED = TuningOptions(updates=4, melodies=8, steps=16, device="cpu")
WORDS = ["--updates", "4", "--melodies", "8", "--steps", "16", "--device", "cpu"]
TUNED = ["rloo c 3", "rloo c 6", "ppo", "g", "rejection 1", "rejection 2", "rejection 4"]
POINTS = ["human", "lstm", "vae", "best of 2", "best of 4", "constrained", *TUNED]


class StopError(Exception):
    pass


def shrink(patch: pytest.MonkeyPatch) -> None:
    sizes = {"COUNTED": 12, "STRENGTHS": (1.0, 2.0), "OTHERS": ("ppo", "g"), "GROUPS": (2, 4), "_POOL": 48}
    for name, size in sizes.items():
        patch.setattr(frontier, name, size)
    patch.setattr(frontier, "shipped_vae_of", lambda _: Bundle.load(find_bundle("tunes-vae")))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    network = Network(NetworkOptions(width=8, embedding=8), 38, seed=3)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    Bundle(network.options, network.numpy_weights(), GridEncoding().description()).save(path)
    return str(path)


@pytest.fixture(scope="module")
def whole(model: str, corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the command that nobody interrupted; what it answered is beside it, in `answer.json`."""
    out = tmp_path_factory.mktemp("frontier") / "whole"
    with pytest.MonkeyPatch.context() as patch, out.with_name("answer.json").open("w") as answer:
        shrink(patch)
        with contextlib.redirect_stdout(answer):
            assert main(command(model, corpus_file, out)) == 0
    return out


def command(model: str, corpus_file: Path, out: Path) -> list[str]:
    return ["tune", model, "--frontier", *WORDS, "--against", str(corpus_file), "--out", str(out), "--json"]


def results(folder: Path) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in results.json")

    systems: dict[str, Any] = json.loads((folder / "results.json").read_text(), parse_constant=refuse)["systems"]
    return systems


def test_every_kind_of_point_is_there_and_defined(whole: Path) -> None:
    systems = results(whole)
    assert list(systems) == POINTS
    for name, row in systems.items():
        assert row["melodies"] == 12 or name == "human", name
        assert math.isfinite(row["reward"])
        assert 0 < row["metrics"]["different_melodies"]["value"] <= 1
        assert (row["metrics"]["kl_per_step"]["value"] is None) == (name in ("human", "vae"))
        assert ("auc" in row) == (name != "human")
        assert name == "human" or "needs at least 60" in row["auc"]["reason"]
    assert systems["lstm"]["metrics"]["kl_per_step"]["value"] == pytest.approx(0, abs=1e-6)
    best = [systems[name]["reward"] for name in ("lstm", "best of 2", "best of 4")]
    assert best == sorted(best)
    assert [systems[name]["curve"] for name in TUNED] == ["rloo", "rloo", "ppo", "g", *["rejection"] * 3]
    assert [systems[name]["c"] for name in TUNED[:4]] == [3.0, 6.0, 3.0, 0.5]
    for name in ("frontier.png", "table.md"):
        assert (whole / name).stat().st_size > 0


def test_melodies_are_told_from_human_ones_in_the_same_meter_and_mode() -> None:
    bundle, rng = Bundle.load(find_bundle("tunes+rl-tuner")), np.random.default_rng(1)
    scale = np.array([2, 4, 6, 7, 9, 11, 13, 14])
    leaps, others = (scale[rng.integers(0, 8, (80, 16))] for _ in range(2))
    walks = (rng.integers(0, 8, (80, 1)) + rng.choice([-1, 1], (80, 16)).cumsum(axis=1)) % 14
    steps = scale[np.minimum(walks, 14 - walks)]  # by step, in the same range
    contexts = [Context()] * 80 + [Context(meter=Meter(3, 4))] * 80
    human = Excerpts(np.concatenate([leaps, steps]), np.arange(160), tuple(contexts))
    points = _Points(bundle, ASKED, music_reward(bundle, ASKED), None, human)
    told, like = (points.auc(Sample(tokens, contexts=Context())) for tokens in (steps, others))
    assert told["value"] > 0.95
    assert like["low"] < 0.5 < like["value"] + 0.1 < 0.75


def test_results_hold_no_time(whole: Path) -> None:
    assert "seconds" not in (whole / "results.json").read_text()
    assert set(json.loads((whole / "run.json").read_text())["seconds"]) == set(TUNED)


@pytest.mark.e2e
def test_an_interrupted_run_ends_with_the_same_results(
    model: str, whole: Path, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune, calls = frontier.tune, []

    def stop(*args: Any, **named: Any) -> Any:
        if len(calls) == 3:
            raise StopError
        calls.append(args)
        return tune(*args, **named)

    with monkeypatch.context() as patched:
        patched.setattr(frontier, "tune", stop)
        with pytest.raises(StopError):
            run_frontier(model, ASKED, tmp_path, against=str(corpus_file))
    assert not (tmp_path / "results.json").exists()
    with pytest.raises(RunError, match="other options"):
        run_frontier(model, replace(ASKED, seed=2), tmp_path, against=str(corpus_file), resume=True)
    run_frontier(model, ASKED, tmp_path, against=str(corpus_file), resume=True)
    assert (tmp_path / "results.json").read_bytes() == (whole / "results.json").read_bytes()
    assert (tmp_path / "table.md").read_bytes() == (whole / "table.md").read_bytes()


def test_a_forced_run_leaves_nothing_of_the_earlier_one(
    model: str, whole: Path, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("results.json", "table.md", "frontier.png", "run.json", "points/lstm.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    (tmp_path / "mine.png").write_bytes(b"mine")

    def stop(*_: Any, **__: Any) -> None:
        raise StopError

    monkeypatch.setattr(frontier, "measure", stop)
    with pytest.raises(UsageError):
        run_frontier(model, replace(ASKED, rules="jazz"), tmp_path, force=True)
    assert (tmp_path / "results.json").exists()
    with pytest.raises(StopError):
        run_frontier(model, replace(ASKED, seed=2), tmp_path, against=str(corpus_file), force=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {".lock", "run.json", "mine.png"}


def test_human_melodies_are_rewarded_in_their_own_key_and_meter(model: str) -> None:
    bundle = Bundle.load(Path(model))
    points = _Points(bundle, ASKED, music_reward(bundle, ASKED))
    tokens = np.random.default_rng(1).integers(0, 38, (6, 16))
    minor = Context(Key.parse("A minor"), Meter(3, 4), 12)
    contexts = [Context(), minor, minor, Context(), minor, Context()]
    rewards = points.rewards(Sample(tokens, contexts=contexts))
    for row, context in enumerate(contexts):
        reward = replace(points.reward, context=context)
        alone = reward.clipped(reward.terms(tokens[row : row + 1])).sum()
        assert rewards[row] == pytest.approx(alone, abs=1e-4)
    assert not np.allclose(rewards, points.rewards(Sample(tokens, contexts=Context())))


def test_the_command_answers_with_the_systems_once(
    model: str, whole: Path, corpus_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json.loads(whole.with_name("answer.json").read_text())["systems"] == results(whole)
    assert main(command(model, corpus_file, whole)) == 1
    refused = json.loads(capsys.readouterr().out)
    assert "finished" in refused["error"]
    assert refused["hint"]
