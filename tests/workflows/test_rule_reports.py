"""Rules listed, explained and drawn; examples with their rewards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cantilena.errors import RunError, UsageError
from cantilena.metrics.per_note import GRID
from cantilena.music import Key
from cantilena.rules import MORE_EXAMPLES, RULE_SETS, Context, Rule
from cantilena.workflows import draw_example, explain_rules, list_rules, listed_text
from cantilena.workflows.rules.explain import example_melody, example_of, short_source

EVERY = [(name, rule) for name, rules in RULE_SETS.items() for rule in rules.rules]


def test_the_list_has_one_line_for_each_rule() -> None:
    rows = list_rules()
    assert [(row.rules, row.rule.name) for row in rows] == [(name, rule.name) for name, rule in EVERY]
    lines = listed_text(rows).splitlines()
    for name, rules in RULE_SETS.items():
        start = lines.index(f"{name}: {len(rules.rules)} rules") + 1
        assert [line.split()[0] for line in lines[start : start + len(rules.rules)]] == list(rules.names)
    assert all(short_source(rule.source) for _, rule in EVERY)


@pytest.mark.parametrize(("name", "rule"), EVERY, ids=[f"{name}:{rule.name}" for name, rule in EVERY])
def test_every_rule_gives_rewards_for_its_own_example(name: str, rule: Rule) -> None:
    assert rule.rule_set == name
    assert rule.example is not None
    evaluated = example_of(rule)
    assert evaluated is not None
    assert evaluated.example == rule.example
    melody = example_melody(rule.example)
    assert melody.length % melody.meter.ticks_per_bar == 0
    tokens = GRID.encode(melody)
    assert evaluated.tokens == [GRID.vocabulary[token] for token in tokens]
    context = Context(Key.parse(rule.example.key), melody.meter, melody.meter.ticks_per_bar // 6)
    line = GRID.line(tokens[None, :]).with_chords([melody.chords], GRID.ticks_per_step)
    (rewards,) = rule.rewards(line, context)
    np.testing.assert_allclose(evaluated.scored.rewards[rule.name], rule.weight * rewards)
    assert rewards.any()
    lines = evaluated.lines()
    assert lines[0].startswith("notes   ")
    assert sum(line.startswith("reward  ") for line in lines) > 0
    assert max(map(len, lines)) <= 120


def test_titles_of_examples_are_unique_and_their_bars_complete() -> None:
    examples = {*(rule.example for _, rule in EVERY if rule.example), *MORE_EXAMPLES}
    assert len({example.title for example in examples}) == len(examples)
    for example in examples:
        melody = example_melody(example)
        assert melody.length % melody.meter.ticks_per_bar == 0, example.title


def test_a_users_rule_gets_an_example_too() -> None:
    high = Rule.from_function(lambda line, context, *, reward=2.0: reward * (line.pitch > 84), name="high")
    example = example_of(high)
    assert example is not None
    assert example.example.title == "over three octaves"
    assert example.scored.given("high") == 2.0
    assert example_of(Rule.from_function(lambda line, context: 0.0 * line.pitch, name="never")) is None


def test_names_that_are_explained() -> None:
    assert [one.name for one in explain_rules("key")] == ["paper:key", "rl-tuner:key", "cantilena:key"]
    assert [one.name for one in explain_rules("rl-tuner:leap")] == ["rl-tuner:leap"]
    assert [one.name for one in explain_rules("paper")] == ["paper:key", "paper:tonic", "paper:repetition"]
    with pytest.raises(UsageError) as refused:
        explain_rules("leep")
    assert "did you mean leap?" in refused.value.hint
    with pytest.raises(UsageError):
        explain_rules("rl-tuner:leep")


@pytest.mark.parametrize(("name", "rule"), EVERY, ids=[f"{name}:{rule.name}" for name, rule in EVERY])
def test_an_explanation_is_whole(name: str, rule: Rule) -> None:
    (one,) = explain_rules(f"{name}:{rule.name}")
    text, value = one.text(), one.to_json()
    assert value["name"] == f"{name}:{rule.name}"
    assert value["parameters"] == dict(rule.parameters)
    for part in (one.name, rule.source, *rule.parameters):
        assert part in text
    assert sum(value["example"]["steps"]) == pytest.approx(value["example"]["total"])
    assert len(value["example"]["steps"]) == len(value["example"]["tokens"])
    for section in ("Args:", "Raises:", ">>>"):
        assert section not in text


def test_an_example_is_engraved_with_its_numbers(tmp_path: Path) -> None:
    out = tmp_path / "leap.svg"
    draw_example(explain_rules("leap"), out)
    text = out.read_text()
    assert text.count('class="words"') >= 2
    for part in ("−5", "+5", 'class="note gain"', 'class="note loss"', "rl-tuner:leap"):
        assert part in text
    with pytest.raises(RunError, match="exists already"):
        draw_example(explain_rules("leap"), out)
    draw_example(explain_rules("leap"), out, force=True)
    with pytest.raises(UsageError, match="3 rules"):
        draw_example(explain_rules("key"), tmp_path / "key.svg")
    with pytest.raises(UsageError, match="SVG"):
        draw_example(explain_rules("leap"), tmp_path / "leap.png")


def test_sources_are_short() -> None:
    assert short_source("R. Gauldin, A Practical Approach, 1988, by way of others, 2016") == "Gauldin 1988"
    assert short_source("G. van Rossum, J. de la Cruz, A book, 1999") == "van Rossum 1999"
    assert short_source("the author's taste, and that of all of his many friends") == "the author's taste, and tha…"
    assert short_source("") == ""
