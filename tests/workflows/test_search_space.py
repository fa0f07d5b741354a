"""Search spaces as people and enemies write them: what is there is found, and everything else is one line."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from cantilena.errors import UsageError
from cantilena.models import NetworkOptions
from cantilena.runtime import record_name
from cantilena.training import TrainingOptions
from cantilena.workflows import TrainRequest
from cantilena.workflows.sweep.run import _checked, _free
from cantilena.workflows.sweep.space import Parameter, SearchSpace, kind_of, load_space, space_of
from cantilena.workflows.train.options import OF_A_NETWORK


def test_every_option_of_networks_and_training_has_its_flag_and_can_be_searched() -> None:
    known = {record_name(field) for options in (NetworkOptions, TrainingOptions) for field in fields(options)}
    assert known - set(OF_A_NETWORK) == {"seed", "device", "checkpoint_seconds", "conditions", "styles"}
    assert set(OF_A_NETWORK) <= known
    assert set(OF_A_NETWORK) <= {field.name for field in fields(TrainRequest)}
    assert {kind_of(name) for name in OF_A_NETWORK} == {int, float, bool, str, tuple}


@pytest.mark.parametrize("name", ["default", "memory"])
def test_the_spaces_that_ship_hold_what_networks_can_have(name: str) -> None:
    space = load_space(name)
    first = _checked(space, TrainRequest("tunes"))
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
        _checked(space, TrainRequest("tunes"))


def test_what_a_flag_gives_is_not_searched(capsys: pytest.CaptureFixture[str]) -> None:
    space = SearchSpace("mine", (Parameter("width", low=8, high=16, step=1), Parameter("echoes", choices=(0, 2))))
    left = _free(space, TrainRequest("tunes", width=12))
    assert [parameter.name for parameter in left.parameters] == ["echoes"]
    assert "width is given" in capsys.readouterr().err
    with pytest.raises(UsageError, match="every parameter of 'mine'"):
        _free(space, TrainRequest("tunes", width=12, echoes=0))
