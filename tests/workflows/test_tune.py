"""Tuning runs: resumed, forced, with a critic, from Python; which human melodies each classifier of a critic gets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cantilena
from cantilena.cli import main
from cantilena.data import load_builtin
from cantilena.errors import RunError, UsageError
from cantilena.models import Bundle, Network, NetworkOptions, find_bundle
from cantilena.music import Key, Meter
from cantilena.rl import CriticOptions, TuningOptions
from cantilena.rules import RULE_SETS, Context
from cantilena.tokenizers import GridEncoding
from cantilena.workflows import run_frontier, run_tuning
from cantilena.workflows.tune import frontier
from cantilena.workflows.tune import run as tune_run
from cantilena.workflows.tune.inputs import critic_data, peoples_melodies

HEARING = CriticOptions(critic=True, critic_start=5, critic_lessons=2, critic_members=1, critic_replay=64)
WORDS = [
    *("--updates", "4", "--melodies", "8", "--steps", "16", "--device", "cpu", "--look", "2", "--watched", "32"),
    *("--critic", "--critic-start", "5", "--critic-lessons", "2", "--critic-members", "1", "--critic-replay", "64"),
]
TUNING = TuningOptions(updates=4, melodies=8, steps=16, device="cpu")


class StopError(Exception):
    pass


def stop(*_: object, **__: object) -> None:
    raise StopError


def same(*files: Path) -> bool:
    return len({file.read_bytes() for file in files}) == 1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    network = Network(NetworkOptions(width=8, embedding=8), 38, seed=3)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    Bundle(network.options, network.numpy_weights(), GridEncoding().description()).save(path)
    return str(path)


@pytest.fixture
def _few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEAST_EXCERPTS", "LEAST_PIECES"):
        monkeypatch.setattr(f"cantilena.workflows.tune.inputs.{name}", 1)


def answered(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = main(["tune", *words, "--json"])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, answer


@pytest.mark.e2e
@pytest.mark.usefixtures("no_pictures")
def test_a_forced_run_does_not_resume_the_earlier_one(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, run, expected = replace(TUNING, seed=2), tmp_path / "run", tmp_path / "expected"
    run_tuning(str(trained), other, expected)
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    run_tuning(str(trained), TUNING, run)
    assert (run / "checkpoint.safetensors").exists()
    with monkeypatch.context() as patched:
        patched.setattr(tune_run, "tune_bundle", stop)
        with pytest.raises(StopError):
            run_tuning(str(trained), other, run, force=True)
    run_tuning(str(trained), other, run, resume=True)
    assert same(run / "model.safetensors", expected / "model.safetensors")


@pytest.mark.usefixtures("no_pictures")
def test_an_interrupted_tuning_is_resumed_with_the_same_model_only(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, run = tmp_path / "model.safetensors", tmp_path / "run"
    model.write_bytes(trained.read_bytes())
    whole = run_tuning(str(model), TUNING, tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(tune_run, "measure", stop)
        with pytest.raises(StopError):
            run_tuning(str(model), TUNING, run)
    Bundle.save(replace(Bundle.load(trained), licence="another"), model)
    with pytest.raises(RunError, match="other options"):
        run_tuning(str(model), TUNING, run, resume=True)
    model.write_bytes(trained.read_bytes())
    resumed = run_tuning(str(model), TUNING, run, resume=True)
    assert same(run / "model.safetensors", tmp_path / "whole" / "model.safetensors")
    assert resumed.metrics == whole.metrics
    answer = resumed.to_dict()
    assert list(answer)[:7] == ["bundle", "steps", "steps_per_second", "c", "clip", "kl_per_step", "metrics"]
    assert set(answer["systems"]) == {"untuned", "tuned"}
    for side in ("untuned", "tuned"):
        rewards = answer["systems"][side]["rewards"]
        assert list(rewards) == list(RULE_SETS[TUNING.rules].names)
        assert all(one["low"] <= one["value"] <= one["high"] for one in rewards.values())
    assert "Reward a melody, by rule" in resumed.text
    assert answer["c"] == 3.0
    assert answer["steps"] == 4 * 8 * 16


@pytest.mark.usefixtures("no_pictures")
def test_chords_are_trained_and_tuned_too(tunes: Path, tmp_path: Path) -> None:
    tiny: dict[str, Any] = {"width": 8, "epochs": 2, "batch": 8, "device": "cpu"}
    trained = cantilena.train(tunes, encoding="events", **tiny)
    assert trained.bundle.encoding.name == "events"
    assert trained.test["nats_per_step"] == pytest.approx(trained.test["nats_per_note"])
    tuned = cantilena.tune(trained.bundle, rules="paper", algorithm="q", updates=2, melodies=8, steps=16, look=0)
    assert (tuned.path, tuned.to_dict()["c"]) == (None, 0.5)


@pytest.mark.usefixtures("no_pictures")
def test_the_function_tunes_what_the_command_tunes(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--updates", "2", "--melodies", "8", "--steps", "16", "--look", "0", "--device", "cpu"]
    status, answer = answered(capsys, str(trained), *words, "--out", str(tmp_path / "run"))
    assert status == 0
    tuned = cantilena.tune(trained, updates=2, melodies=8, steps=16, look=0, device="cpu", out=tmp_path / "again")
    assert tuned.path == tmp_path / "again" / "model.safetensors"
    assert same(tuned.path, tmp_path / "run" / "model.safetensors")
    assert tuned.to_dict()["metrics"] == answer["metrics"]
    with pytest.raises(UsageError, match="there is no option 'update'") as refused:
        cantilena.tune(trained, update=2)
    assert "did you mean updates?" in refused.value.hint


def test_an_n_gram_is_not_tuned(corpus_file: Path, tmp_path: Path) -> None:
    cantilena.train(corpus_file, model="ngram", out=tmp_path / "run")
    with pytest.raises(UsageError, match="n-gram"):
        run_tuning(str(tmp_path / "run" / "model.safetensors"), TUNING, tmp_path / "tuned")
    assert not (tmp_path / "tuned").exists()


def test_a_folder_of_ones_own_is_not_taken_for_a_corpus_of_its_name() -> None:
    shipped = Bundle.load(find_bundle("tunes"))
    learned = {**dict(shipped.provenance["corpus"]), "name": "chorales"}
    with pytest.raises(UsageError, match="does not ship with Cantilena"):
        critic_data(replace(shipped, provenance={"corpus": learned}), Context(), 32)


@pytest.mark.e2e
def test_no_piece_is_heard_in_two_roles() -> None:
    corpus, context = load_builtin("chorales"), Context(Key(), Meter(4, 4), 16)
    heard = [
        peoples_melodies(corpus, split, GridEncoding(), context, 32, normalized_key=True)
        for split in ("train", "valid", "test")
    ]
    pieces = [set(one.piece.tolist()) for one in heard]
    assert all(pieces)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert not pieces[first] & pieces[second]
    owners = dict(zip(corpus.column("piece"), corpus.column("split"), strict=True))
    assert {owners[piece] for piece in pieces[0]} == {"train"}
    assert {owners[piece] for piece in pieces[1]} == {"valid"}
    assert all((one.tonic == 0).all() and one.line.steps == 32 for one in heard)


@pytest.mark.e2e
def test_only_the_meter_and_mode_that_are_asked_for_are_heard() -> None:
    corpus, minor = load_builtin("chorales"), Context(Key.parse("A minor"), Meter(4, 4), 16)
    heard = peoples_melodies(corpus, "train", GridEncoding(), minor, 32, normalized_key=True)
    assert len(heard) > 10
    assert set(heard.tonic.tolist()) == {9}
    own = peoples_melodies(corpus, "train", GridEncoding(), minor, 32, normalized_key=False)
    assert len(np.unique(own.tonic)) > 3


@pytest.mark.e2e
@pytest.mark.usefixtures("_few_are_enough")
def test_a_critic_alone_is_told_in_results_answer_and_pictures(
    model: str, corpus_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [model, *WORDS, "--rules", "none", "--against", str(corpus_file)]
    status, answer = answered(capsys, *words, "--out", str(tmp_path / "one"))
    assert status == 0
    told = json.loads((tmp_path / "one" / "results.json").read_text())["critic"]
    assert told == answer["critic"]
    assert len(told["reward"]) == len(told["accuracy"]) == 4
    assert told["rules_reward"] == []
    assert [one["update"] for one in told["stopping_listener"]] == [2, 4]
    rows = [json.loads(line) for line in (tmp_path / "one" / "metrics.jsonl").read_text().splitlines()]
    assert [row["critic_accuracy"] for row in rows] == told["accuracy"]
    for name in ("rewards.png", "looks.png"):
        assert (tmp_path / "one" / name).stat().st_size > 0
    card = Bundle.load(tmp_path / "one" / "model.safetensors").provenance["tuning"]
    assert (card["rules"], card["critic"]["critic"]) == ("none", True)


@pytest.mark.usefixtures("_few_are_enough", "no_pictures")
@pytest.mark.e2e
def test_a_critic_judges_the_same_again(
    model: str, corpus_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in ("one", "two"):
        words = [model, *WORDS, "--rules", "none", "--against", str(corpus_file), "--out", str(tmp_path / run)]
        assert answered(capsys, *words)[0] == 0
    for name in ("model.safetensors", "results.json", "metrics.jsonl"):
        assert same(tmp_path / "one" / name, tmp_path / "two" / name)


def test_without_people_there_is_no_critic(
    model: str, corpus_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, answer = answered(capsys, model, *WORDS, "--out", str(tmp_path / "run"))
    assert (status, answer["hint"]) == (2, "name some with --against CORPUS")
    status, answer = answered(capsys, model, *WORDS, "--against", str(corpus_file), "--out", str(tmp_path / "run"))
    assert status == 1
    assert "melodies of" in answer["error"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words", [["--algorithm", "q"], ["--critic-weight", "0"], ["--critic-members", "99"], ["--critic-replay", "0"]]
)
def test_a_wrong_flag_is_one_sentence(
    words: list[str], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, answer = answered(capsys, model, *WORDS, *words, "--out", str(tmp_path / "run"))
    assert status == 2
    assert "\n" not in answer["error"]


@pytest.mark.usefixtures("_few_are_enough")
@pytest.mark.e2e
def test_critics_stand_on_the_frontier(
    model: str, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in {"COUNTED": 12, "STRENGTHS": (1.0,), "OTHERS": (), "GROUPS": (2,), "_POOL": 24}.items():
        monkeypatch.setattr(frontier, name, size)
    asked = TuningOptions(updates=2, melodies=8, steps=16, device="cpu", critic=HEARING, weights=("tonic=2",))
    swept = run_frontier(model, asked, tmp_path, against=str(corpus_file))
    assert {"critic", "rules + critic"} < set(swept.systems)
    assert swept.systems["critic"]["curve"] == "critic"
    assert swept.systems["rloo c 3"]["reward"] != swept.systems["rules + critic"]["reward"]
