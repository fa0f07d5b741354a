"""Rules by name, from files, and several together; and rules written down whole."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.rules import RULE_SETS, Rule, RuleSet, load_rules, rules_toml
from cantilena.tokenizers import GridEncoding

LINE = GridEncoding().line(np.random.default_rng(5).integers(0, 38, (20, 32)))

OWN = '''
from cantilena.rules import rule

def loud(line, context, *, reward=1.0, least: int = 60):
    """Notes from middle C up are rewarded."""
    return reward * (line.pitch >= least)

@rule("tonic", source="the author's taste")
def home(line, context, *, reward=1.0):
    """The tonic is rewarded wherever it is."""
    return reward * (line.pitch % 12 == context.key.tonic) * (line.pitch >= 0)
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rules.py").write_text(OWN)
    return tmp_path


def refused(text: str) -> tuple[str, str]:
    with pytest.raises(UsageError) as error:
        load_rules(text)
    assert error.value.text
    assert error.value.hint
    assert "\n" not in error.value.text + error.value.hint
    return error.value.text, error.value.hint


def toml(text: str | bytes, name: str = "mine.toml") -> str:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_a_set_by_name_is_that_very_set() -> None:
    for name, rules in RULE_SETS.items():
        assert load_rules(name) is rules
        assert load_rules(f" {name} ") is rules


def test_the_larger_part_of_several_says_how_large_rewards_are_in_any_order() -> None:
    ours, single = RULE_SETS["cantilena"], "rl-tuner:tonic"
    assert load_rules(f"cantilena+{single}").scale == load_rules(f"{single}+cantilena").scale == ours.scale
    assert load_rules("rl-tuner+cantilena:density").scale == load_rules("cantilena:density+rl-tuner").scale == 1.0
    assert load_rules("rl-tuner:tonic+cantilena:density").scale == 1.0


def test_several_together(here: Path) -> None:
    for text in ("rl-tuner+my_rules.py:loud", "rl-tuner, my_rules.py:loud", " rl-tuner + ./my_rules.py:loud "):
        rules = load_rules(text)
        assert rules.name == "rl-tuner+loud"
        assert rules.names == (*RULE_SETS["rl-tuner"].names, "loud")
    assert load_rules("my_rules.py:loud").name == "loud"
    assert load_rules("my_rules.py").names == ("tonic",)
    assert load_rules("rl-tuner:leap+paper:tonic+my_rules.py:loud").names == ("leap", "tonic", "loud")


def test_rules_of_one_name_clash(here: Path) -> None:
    assert refused("rl-tuner+paper")[0] == "'rl-tuner' and 'paper' have a rule 'key'"
    assert refused("paper+my_rules.py")[0] == "'paper' and 'my_rules.py' have a rule 'tonic'"
    assert refused("paper:key+paper:key")[0] == "'paper:key', which is named twice, have a rule 'key'"


@pytest.mark.parametrize(
    ("text", "said", "advice"),
    [
        ("", "names no rules", "name a set"),
        ("rl-tuner+", "has an empty part", "join several"),
        ("rltuner", "no rule set 'rltuner'", "did you mean rl-tuner?"),
        ("rl-tuner:leep", "no rule 'leep'", "did you mean leap?"),
        ("rl-tuner:", "no rule ''", "its rules"),
        ("my_rules.py:lout", "has no 'lout'", "did you mean loud?"),
        ("my_rules.py:", "names no rule", "FILE.py:NAME"),
        ("missing.py:loud", "no file missing.py", "path"),
        ("missing.toml", "no file missing.toml", "path"),
        ("rules.json", "not a file of rules", "FILE.toml"),
        ("some/folder", "not a file of rules", "FILE.toml"),
        ("a\0b", "no rule set", "the sets"),
        ("x" * 5000, "no rule set", "the sets"),
    ],
)
def test_what_names_no_rules(here: Path, text: str, said: str, advice: str) -> None:
    told, hint = refused(text)
    assert said in told
    assert advice in hint


def test_a_path_with_a_plus_in_it(here: Path) -> None:
    (here / "c++, mine").mkdir()
    (here / "c++, mine" / "own.py").write_text(OWN)
    assert load_rules("c++, mine/own.py:loud").names == ("loud",)


def test_a_file_of_rules(here: Path) -> None:
    (here / "below").mkdir()
    (here / "below" / "more.py").write_text(OWN)
    text = """
        set = "rl-tuner"
        rules = ["more.py:loud"]
        [weights]
        tonic = 2
        loud = 0.5
        [parameters.leap]
        patience = 4
        [parameters.loud]
        least = 72
    """
    rules = load_rules(toml(text, "below/mine.toml"))
    assert rules.name == "mine"
    assert rules.names == (*RULE_SETS["rl-tuner"].names, "loud")
    assert [rules[name].weight for name in ("tonic", "loud", "key")] == [2.0, 0.5, 1.0]
    assert dict(rules["leap"].parameters) == {**RULE_SETS["rl-tuner"]["leap"].parameters, "patience": 4}
    assert rules.rewards(LINE)["loud"].sum() == 0.5 * (LINE.pitch >= 72).sum()
    assert load_rules("my_rules.py:home+" + toml('rules = ["paper:key"]')).names == ("tonic", "key")
    assert load_rules(toml('name = "other"\nrules = ["paper"]')).name == "other"


@pytest.mark.parametrize(
    ("text", "said", "advice"),
    [
        ("", "it names no rules", "rules = "),
        ("rules = []", "it names no rules", "rules = "),
        ("set = \nrules = []", "not TOML: Invalid value (at line 1, column 7)", "docs/rules.md"),
        ("set = 'paper'\nset = 'paper'\n", "not TOML: Cannot overwrite a value (at line 2", "docs/rules.md"),
        (b"\xff\xfe", "not text in UTF-8", "UTF-8"),
        (b"\x00" * 99, "not TOML", "docs/rules.md"),
        ("a = " + "[" * 100_000, "not TOML", "docs/rules.md"),
        ("rules = 'paper'", "'rules' is not a list", 'rules = ["rl-tuner"]'),
        ("rules = [3]", "3 in 'rules'", "rules = "),
        ("set = 3", "'set' is not a text", "set = "),
        ("set = 'papier'", "no rule set 'papier'", "did you mean paper?"),
        ("rules = ['other.toml']", "not a file of rules", "FILE.py:NAME"),
        ("rules = ['my_rules.py:lout']", "has no 'lout'", "did you mean loud?"),
        ("rules = ['paper', 'my_rules.py']", "have a rule 'tonic'", "SET:RULE"),
        ("set = 'paper'\nweight = 3", "no key 'weight'", "did you mean weights?"),
        ("set = 'paper'\nweights = 3", "'weights' is not a table", "[weights]"),
        ("set = 'paper'\n[weights]\ntonik = 2", "[weights] names 'tonik'", "did you mean tonic?"),
        ("set = 'paper'\n[weights]\ntonic = nan", "the weight of 'tonic' is nan", "finite"),
        ("set = 'paper'\n[weights]\ntonic = -inf", "the weight of 'tonic' is -inf", "finite"),
        ("set = 'paper'\n[weights]\ntonic = 1e999", "the weight of 'tonic' is inf", "finite"),
        ("set = 'paper'\n[weights]\ntonic = '2'", "the weight of 'tonic' is '2'", "finite"),
        ("set = 'paper'\n[weights]\ntonic = true", "the weight of 'tonic' is True", "finite"),
        ("set = 'paper'\n[weights]\ntonic = 1" + "0" * 400, "the weight of 'tonic' is 1", "finite"),
        ("set = 'paper'\n[weights.tonic]\na = 1", "the weight of 'tonic' is {'a': 1}", "finite"),
        ("set = 'paper'\n[parameters]\ntonic = 2", "parameters of 'tonic' are not a table", "[parameters.tonic]"),
        ("set = 'paper'\n[parameters.tonik]", "[parameters] names 'tonik'", "did you mean tonic?"),
        ("set = 'paper'\n[parameters.tonic]\nrewards = 2", "no parameter 'rewards'", "did you mean reward?"),
        ("set = 'paper'\n[parameters.tonic]\nreward = nan", "'reward' of 'tonic' is nan", "finite"),
        ("set = 'paper'\n[parameters.repetition]\nin_a_row = 3.5", "'in_a_row' of 'repetition' is 3.5", "whole"),
    ],
)
def test_files_of_rules_that_cannot_be_used(here: Path, text: str | bytes, said: str, advice: str) -> None:
    told, hint = refused(toml(text))
    assert told.startswith("mine.toml")
    assert said in told
    assert advice in hint
    assert len(told) < 600


def test_large_files_and_odd_files(here: Path) -> None:
    assert "larger than 1 MB" in refused(toml(b"#" * (2**20 + 1)))[0]
    (here / "folder.toml").mkdir()
    os.mkfifo("pipe.toml")
    assert "not an ordinary file" in refused("folder.toml")[0]
    assert "not an ordinary file" in refused("pipe.toml")[0]


def same(one: RuleSet, other: RuleSet) -> bool:
    return one.name == other.name and [(r.name, r.weight, dict(r.parameters), r.function) for r in one.rules] == [
        (r.name, r.weight, dict(r.parameters), r.function) for r in other.rules
    ]


@pytest.mark.parametrize("text", [*RULE_SETS, "rl-tuner+my_rules.py:loud", "my_rules.py", "paper:key+my_rules.py"])
def test_what_is_written_down_gives_the_same_rules_again(here: Path, text: str) -> None:
    rules = load_rules(text)
    weighted = rules.with_weights(**{name: 0.1 + index for index, name in enumerate(rules.names)})
    (here / "runs").mkdir()
    for folder in (Path(), Path("runs")):
        path = folder / "record.toml"
        path.write_text(rules_toml(weighted, folder))
        again = load_rules(str(path))
        assert same(again, weighted)
        np.testing.assert_array_equal(again.total(LINE), weighted.total(LINE))
    assert set(tomllib.loads(path.read_text())["weights"]) == set(rules.names)


@given(name=st.text(max_size=8), weight=st.floats(allow_nan=False, allow_infinity=False))
def test_names_and_weights_survive_toml(name: str, weight: float) -> None:
    text = rules_toml(RuleSet(name, RULE_SETS["paper"].only("key").with_weights(key=weight).rules))
    read = tomllib.loads(text)
    assert read["name"] == name
    assert read["weights"]["key"] == weight


def test_a_rule_made_in_python_is_told(here: Path) -> None:
    own = RuleSet("own", (Rule.from_function(lambda line, context: line.event, name="made"), *RULE_SETS["paper"].rules))
    text = rules_toml(own)
    assert '# "made" was made in Python' in text
    assert "'made', which is no rule" in refused(toml(text))[0]
