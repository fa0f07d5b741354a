"""Searches: spaces as users write them, the journal of trials, and the training of a trial."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from cantilena.errors import RunError, UsageError
from cantilena.models import Bundle, NetworkOptions
from cantilena.training import TrainingOptions
from cantilena.workflows import SweepOptions
from cantilena.workflows.sweep import worker
from cantilena.workflows.sweep.run import first_parameters, without_given
from cantilena.workflows.sweep.space import Parameter, SearchSpace, TrialRow, Value, kind_of, load_space, space_of
from cantilena.workflows.sweep.study import SweepStudy, TrialReporter
from cantilena.workflows.sweep.worker import Trial, TrialTask
from cantilena.workflows.train.config import load_encoded, value_of
from cantilena.workflows.train.options import OVERRIDES, NetworkTraining


def test_every_option_of_networks_and_training_can_be_searched() -> None:
    shapes = (NetworkOptions(), TrainingOptions())
    for name in OVERRIDES:
        value_of(shapes, name)  # it has one
    known = {field.name for options in shapes for field in fields(options)}
    fixed = {"seed", "device", "checkpoint_seconds", "conditions", "styles", "modes", "durations", "pitches"}
    assert len(known - fixed) == len(OVERRIDES)
    assert {kind_of(name) for name in OVERRIDES} == {int, float, bool, str, tuple}


@pytest.mark.parametrize("name", ["default", "memory"])
def test_the_spaces_that_ship_hold_what_networks_can_have(name: str) -> None:
    space = load_space(name)
    first = first_parameters(space, NetworkTraining("tunes"))
    assert len(space.parameters) >= 6
    assert all(parameter.holds(first[parameter.name]) for parameter in space.parameters)  # the preset is tried first


def test_a_file_says_it_all(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "[learning_rate]\ntype='float'\nlow=1\nhigh=2e1\nlog=true\n[width]\ntype='int'\nlow=8\nhigh=24\nstep=8\n"
        "[copy_head]\nchoices=[false,true]\n[core]\ntype='choice'\nchoices=['gru']\n"
        "[look_back]\nchoices=[[],[1,2]]\n[averaging]\nchoices=[0,0.99]\n[weight_decay]\nlow=0.0\nhigh=0.1\n"
    )
    space = load_space(str(path))
    assert space.parameters == (
        Parameter("learning_rate", low=1.0, high=20.0, log=True),
        Parameter("width", low=8, high=24, step=8),
        Parameter("copy_head", choices=(False, True)),
        Parameter("core", choices=("gru",)),
        Parameter("look_back", choices=((), (1, 2))),
        Parameter("averaging", choices=(0.0, 0.99)),
        Parameter("weight_decay", low=0.0, high=0.1),
    )
    assert space_of(space.record(), str(path)) == space
    head = space.parameters[2]
    assert head.holds(True)
    assert not head.holds(1)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("", "names no parameter", "[learning_rate]"),
        ("[lerning_rate]\nlow=1\nhigh=2", "no parameter 'lerning_rate'", "did you mean learning_rate?"),
        ("[seed]\nlow=1\nhigh=2", "no parameter 'seed'", "the parameters"),
        ("[device]\nchoices=['cpu']", "no parameter 'device'", "the parameters"),
        ("width = 3", "'width' is no table", "[width]"),
        ("[width]\nlow=8\nhihg=16", "a key 'hihg'", "did you mean high?"),
        ("[width]\nlow=8", "has no high", "low and high"),
        ("[width]\nlow=16\nhigh=8", "the low of 'width' is 16, the high 8", "lower first"),
        ("[width]\nlow=8\nhigh=8", "the low of 'width' is 8, the high 8", "lower first"),
        ("[width]\nlow=8.0\nhigh=16", "the low of 'width' is 8.0", "a whole number"),
        ("[width]\nlow='8'\nhigh=16", "the low of 'width' is '8'", "a whole number"),
        ("[width]\nlow=true\nhigh=16", "the low of 'width' is True", "a whole number"),
        ("[width]\nlow=8\nhigh=99999999999999999999999", "the high of 'width'", "a whole number"),
        ("[width]\nlow=8\nhigh=16\nstep=3", "the step of 'width' is 3", "from low to high"),
        ("[width]\nlow=8\nhigh=16\nstep=0", "the step of 'width' is 0", "from low to high"),
        ("[width]\nlow=8\nhigh=16\nstep=true", "the step of 'width' is True", "from low to high"),
        ("[width]\nlow=8\nhigh=16\nlog=true\nstep=2", "'width' has a step", "choices"),
        ("[width]\ntype='float'\nlow=8\nhigh=16", "the type of 'width' is 'float'", "it is int"),
        ("[width]\ntype=[]\nlow=8\nhigh=16", "the type of 'width' is []", "it is int"),
        ("[dropout]\nlow=nan\nhigh=0.4", "the low of 'dropout' is nan", "a finite number"),
        ("[dropout]\nlow=0.0\nhigh=inf", "the high of 'dropout' is inf", "a finite number"),
        ("[dropout]\nlow=0\nhigh=1e300", "the high of 'dropout' is 1e+300", "a finite number"),
        ("[dropout]\nlow=0.0\nhigh=0.4\nlog=true", "the low of 'dropout' is 0, with log", "over 0"),
        ("[dropout]\nlow=0.0\nhigh=0.4\nlog=1", "the log of 'dropout' is 1", "true or false"),
        ("[dropout]\nlow=0.0\nhigh=0.4\nstep=0.1", "'dropout' has a step", "choices"),
        ("[core]\nlow='gru'\nhigh='lstm'", "'core' has no choices", "a text"),
        ("[copy_head]\nchoices=[0,1]", "a choice of 'copy_head' is 0", "true or false"),
        ("[echoes]\nchoices=[]", "no list of 1 to 64", "choices = [1, 2]"),
        ("[echoes]\nchoices=3", "no list of 1 to 64", "choices = [1, 2]"),
        ("[echoes]\nchoices=[0,2,0]", "hold one twice", "once"),
        ("[echoes]\nchoices=[0,2]\nlow=0", "has choices and low", "choices, or"),
        ("[look_back]\nchoices=[1,2]", "a choice of 'look_back' is 1", "a list of whole numbers"),
        ("[look_back]\nchoices=[[1,'2']]", "a choice of 'look_back' is '2'", "a whole number"),
        ("[width", "is not TOML", "docs/sweep.md"),
        ("a = " + "[" * 5000 + "]" * 5000, "is not TOML", "docs/sweep.md"),
        ("a = " + "9" * 5000, "is not TOML", "docs/sweep.md"),
        ("\n".join(f"[p{n}]" for n in range(40)), "names 40 parameters", "32 at most"),
    ],
)
def test_what_is_no_space_is_one_line(text: str, said: str, hint: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        load_space(str(path))
    assert str(path) in refused.value.text
    assert said in refused.value.text
    assert hint in refused.value.hint


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "large.toml").write_bytes(b"#" * (2**20 + 1))
    (tmp_path / "latin.toml").write_bytes(b"# \xe4")
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    for name, said in (
        ("large", "larger than 1 MB"), ("latin", "not text in UTF-8"), ("pipe", "not an ordinary file"),
        ("folder", "not an ordinary file"), ("missing", "there is no file"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            load_space(str(tmp_path / f"{name}.toml"))
    with pytest.raises(UsageError, match="no search space 'defualt'") as refused:
        load_space("defualt")
    assert "did you mean default?" in refused.value.hint
    with pytest.raises(UsageError, match="has no name"):
        load_space(" ")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"dropout": {"low": 0.0, "high": 1.5}}, "dropout is 1.5"),
        ({"echoes": {"choices": [0, 9]}}, "echoes is 9"),
        ({"core": {"choices": ["lstm", "elman"]}}, "no core 'elman'"),
        ({"look_back": {"choices": [[2, 1]]}}, "out of order"),
        ({"learning_rate": {"low": 1e-3, "high": 100.0}}, "learning rate is out of range: 100"),
    ],
)
def test_what_no_network_can_have_is_refused_before_anything_is_trained(table: object, said: str) -> None:
    space = space_of(table, "mine")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=f"in the search space 'mine': .*{said}"):
        first_parameters(space, NetworkTraining("tunes"))


def test_what_a_flag_gives_is_not_searched(capsys: pytest.CaptureFixture[str]) -> None:
    space = SearchSpace("mine", (Parameter("width", low=8, high=16, step=1), Parameter("echoes", choices=(0, 2))))
    left = without_given(space, NetworkTraining("tunes", width=12))
    assert [parameter.name for parameter in left.parameters] == ["echoes"]
    assert "width is given" in capsys.readouterr().err
    with pytest.raises(UsageError, match="every parameter of 'mine'"):
        without_given(space, NetworkTraining("tunes", width=12, echoes=0))


SPACE = space_of(
    {
        "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
        "width": {"low": 8, "high": 64, "step": 8},
        "look_back": {"choices": [[], [1, 2]]},
        "copy_head": {"choices": [False, True]},
    },
    "test",
)
FIRST: dict[str, Value] = {"learning_rate": 6e-3, "width": 128, "look_back": (), "copy_head": False}
OPTIONS = SweepOptions(trials=18)


def study(journal: Path, seed: int = 1, options: SweepOptions = OPTIONS) -> SweepStudy:
    return SweepStudy(journal, SPACE, options, seed=seed, first=FIRST)


def loss_of(parameters: dict[str, Value]) -> float:
    return abs(float(str(parameters["learning_rate"])) - 0.02) + float(str(parameters["width"])) / 100


def step(searched: SweepStudy) -> None:
    number, parameters = searched.begin()
    searched.end(number, 1.0, score={"nats_per_step": loss_of(parameters)})


def tried(searched: SweepStudy) -> list[dict[str, Value]]:
    return [dict(row.parameters) for row in searched.rows() if row.state != "interrupted"]


def test_the_same_seed_tries_the_same_and_begins_with_the_preset(tmp_path: Path) -> None:
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        searched = study(tmp_path / name, seed)
        for _ in range(OPTIONS.trials):
            step(searched)
        runs.append(tried(searched))
    assert runs[0] == runs[1] != runs[2]
    assert runs[0][0]["learning_rate"] == 6e-3
    assert runs[0][0]["look_back"] == ()
    assert runs[0][0]["width"] != 128  # the space does not hold it
    assert len({json.dumps(one) for one in runs[0]}) == OPTIONS.trials  # nothing is drawn twice
    assert all(SPACE.parameters[1].holds(one["width"]) for one in runs[0])


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("kill", ["begun", "reported", "twice", "torn", "locked"])
def test_a_search_that_was_killed_goes_on_to_the_same_trials(tmp_path: Path, kill: str) -> None:
    whole, journal = study(tmp_path / "whole"), tmp_path / "halted"
    for _ in range(OPTIONS.trials):
        step(whole)
    for done in (3, 9):  # among the first, which are drawn blindly, and later
        halted = study(journal)
        while len(tried(halted)) < done:
            step(halted)
        number, _ = halted.begin()
        if kill == "reported":
            TrialReporter(journal, number, "median").should_prune(1, 3.0)
        if kill == "twice":
            study(journal).begin()
        if kill == "torn":
            with journal.open("ab") as file:
                file.write(b'{"op_code":6,"worker_id":"')
        if kill == "locked":
            journal.with_name("halted.lock").touch()
    last = study(journal)
    while len(tried(last)) < OPTIONS.trials:
        step(last)
    assert tried(last) == tried(whole)
    interrupted = [row for row in last.rows() if row.state == "interrupted"]
    assert len(interrupted) == (4 if kill == "twice" else 2)
    assert all(row.reason for row in interrupted)


@pytest.mark.parametrize(
    "content",
    [b"la la la\n", b"[]\n", b"{}\n", b'{"op_code":99,"worker_id":"x"}\n', b"\x00\xff\n", b"[" * 3000 + b"\n"],
)
def test_a_damaged_journal_is_one_line(tmp_path: Path, content: bytes) -> None:
    journal = tmp_path / "trials.journal"
    journal.write_bytes(content * 2)
    with pytest.raises(RunError, match="is damaged"):
        study(journal)


def test_a_journal_of_another_search_is_one_line(tmp_path: Path) -> None:
    journal = tmp_path / "trials.journal"
    step(study(journal))
    other = space_of({"layers": {"choices": [1, 2]}}, "other")
    with pytest.raises(RunError, match="is damaged"):
        SweepStudy(journal, other, OPTIONS, seed=1, first={})


def test_what_is_worse_than_the_median_is_pruned(tmp_path: Path) -> None:
    judged = {}
    for pruning in ("median", "none"):
        journal = tmp_path / pruning
        searched = study(journal, options=SweepOptions(trials=18, pruning=pruning))  # type: ignore[arg-type]
        for loss in (1.0, 1.1, 1.2, 1.3):
            number, _ = searched.begin()
            reporter = TrialReporter(journal, number, pruning)
            assert not any(reporter.should_prune(epoch, loss) for epoch in (1, 2, 3))
            searched.end(number, 1.0, score={"nats_per_step": loss})
        number, _ = searched.begin()
        reporter = TrialReporter(journal, number, pruning)
        judged[pruning] = [reporter.should_prune(epoch, 9.0) for epoch in (1, 2)]
        searched.end(number, 1.0, reason="worse", pruned=True)
        number, _ = searched.begin()
        searched.end(number, 1.0, reason="late", pruned=True)
        assert [row.state for row in searched.rows()][4:] == ["pruned", "failed"]
        assert searched.rows()[4].losses == (9.0, 9.0)
        assert searched.rows()[4].record()["valid"] is None
    assert judged == {"median": [False, True], "none": [False, False]}


def test_rows_outlive_the_process(tmp_path: Path) -> None:
    searched = study(tmp_path / "journal")
    step(searched)
    number, _ = searched.begin()
    searched.end(number, 2.5, reason="the loss is NaN")
    again: list[TrialRow] = study(tmp_path / "journal").rows()
    assert again == searched.rows()
    assert [row.state for row in again] == ["finished", "failed"]
    assert (again[1].reason, again[1].seconds) == ("the loss is NaN", 2.5)


def test_half_a_line_that_a_crash_left_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    searched = study(journal)
    step(searched)
    with journal.open("ab") as file:
        file.write(b'{"op_code":7,"worker_id":"killed while it wr')
    step(searched)
    assert [row.state for row in study(journal).rows()] == ["finished", "finished"]


class Training:
    """A trial of three epochs on the little tunes, in this process."""

    def __init__(self, corpus_file: Path, folder: Path) -> None:
        tiny: dict[str, Any] = {"width": 8, "embedding": 8, "epochs": 3, "batch": 8, "precision": "float32"}
        self.options = NetworkTraining(str(corpus_file), device="cpu", **tiny)
        self.study = SweepStudy(folder / "journal", SPACE, SweepOptions(pruning="none"), seed=1, first=FIRST)
        data, facts = load_encoded(self.options)
        self.task = TrialTask(data, facts, folder / "journal", "none")
        self.number, _ = self.study.begin()
        self.bundle = folder / "trial.safetensors"

    def __call__(self) -> dict[str, float | None] | str:
        return self.task(Trial(self.number, self.options, self.bundle))

    @property
    def losses(self) -> list[float]:
        return list(self.study.rows()[self.number].losses)


@pytest.fixture
def training(corpus_file: Path, tmp_path: Path) -> Training:
    return Training(corpus_file, tmp_path)


def test_a_trial_reports_each_epoch_and_stops_if_it_is_pruned(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = training()
    assert isinstance(score, dict)
    assert len(training.losses) == 3
    assert score["nats_per_step"] == min(training.losses)
    assert Bundle.load(training.bundle).provenance["training"]["epochs_done"] == 3
    training.bundle.unlink()
    whole = training.losses
    training.study.end(training.number, 1.0, score=score)
    training.number, _ = training.study.begin()
    should_prune = TrialReporter.should_prune
    monkeypatch.setattr(
        TrialReporter, "should_prune", lambda self, epoch, loss: should_prune(self, epoch, loss) or epoch == 2
    )
    assert training() == "worse than the median after epoch 2"
    assert training.losses == whole[:2]
    assert not training.bundle.exists()


def _nan(*_: object, after_epoch: Callable[[int, float], bool], **__: object) -> None:
    after_epoch(1, math.nan)


def _memory(*_: object, **__: object) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    ("diverging", "reason"), [(_nan, "the validation loss after epoch 1 is NaN"), (_memory, "not enough memory")]
)
def test_a_training_that_cannot_go_on_is_an_error_with_advice(
    training: Training, diverging: Callable[..., None], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "learn_network", diverging)
    with pytest.raises(RunError, match=reason) as failed:
        training()
    assert failed.value.hint
    assert not training.bundle.exists()
