"""Three listeners, three sets of pieces; and `tune --critic` from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.data import load_builtin
from cantilena.errors import UsageError
from cantilena.models import Bundle, Network, NetworkOptions, find_bundle
from cantilena.music import Key, Meter
from cantilena.rl import CriticOptions, TuningOptions
from cantilena.rules import Context
from cantilena.tokenizers import GridEncoding
from cantilena.workflows import run_frontier
from cantilena.workflows.tune import frontier
from cantilena.workflows.tune.inputs import critic_data, peoples_melodies

HEARING = CriticOptions(critic=True, critic_start=5, critic_lessons=2, critic_members=1, critic_replay=64)
WORDS = [
    *("--updates", "4", "--melodies", "8", "--steps", "16", "--device", "cpu", "--look", "2", "--watched", "32"),
    *("--critic", "--critic-start", "5", "--critic-lessons", "2", "--critic-members", "1", "--critic-replay", "64"),
]


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


def test_a_folder_of_ones_own_is_not_taken_for_a_corpus_of_its_name() -> None:
    shipped = Bundle.load(find_bundle("tunes"))
    learned = {**dict(shipped.provenance["corpus"]), "name": "chorales"}
    with pytest.raises(UsageError, match="those that this model learned are not at hand"):
        critic_data(replace(shipped, provenance={"corpus": learned}), Context(), 32)


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


def test_only_the_meter_and_mode_that_are_asked_for_are_heard() -> None:
    corpus, minor = load_builtin("chorales"), Context(Key.parse("A minor"), Meter(4, 4), 16)
    heard = peoples_melodies(corpus, "train", GridEncoding(), minor, 32, normalized_key=True)
    assert len(heard) > 10
    assert set(heard.tonic.tolist()) == {9}
    own = peoples_melodies(corpus, "train", GridEncoding(), minor, 32, normalized_key=False)
    assert len(np.unique(own.tonic)) > 3


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
    assert answered(capsys, *words, "--out", str(tmp_path / "two"))[0] == 0
    for name in ("model.safetensors", "results.json", "metrics.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    card = Bundle.load(tmp_path / "one" / "model.safetensors").provenance["tuning"]
    assert (card["rules"], card["critic"]["critic"]) == ("none", True)


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
@pytest.mark.slow
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
