"""Rules as values: names, parameters, weights, the catalogue; and the cost of importing them."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

from cantilena.errors import UsageError
from cantilena.music import ON, Line
from cantilena.rules import RULE_SETS, Context, Metric, Rule, RuleSet, RuleSets, rule, tonality
from cantilena.rules.catalogue import collect
from cantilena.tokenizers import GridEncoding

LINE = GridEncoding().line(np.random.default_rng(5).integers(0, 38, (20, 32)))


def test_every_rule_has_a_description_and_a_source() -> None:
    for rules in RULE_SETS.values():
        for one in rules.rules:
            assert one.description.endswith(".")
            assert "\n" not in one.description
            assert one.source
            assert one.parameters
            with pytest.raises(TypeError):
                one.parameters["penalty"] = 1.0  # type: ignore[index]


def test_every_built_in_rule_has_a_metric_and_an_example() -> None:
    names = {(name, one.name) for name, rules in RULE_SETS.items() for one in rules.rules if not one.metrics}
    assert names == {("rl-tuner", "intervals")}  # RL Tuner does not count it
    assert all(one.example and one.rule_set == name for name, rules in RULE_SETS.items() for one in rules.rules)


def test_a_rule_joins_its_set_where_it_is_defined() -> None:
    module = ModuleType("pulse")
    metric = Metric(
        "pulse", "Pulse", "Share of steps at which a note begins.", count=lambda line, _: (line.event == ON, line.valid)
    )
    pulse = rule("pulse", source="none", rule_set="cantilena", metric=metric)(lambda line, context: line.event == ON)
    vars(module).update(pulse=pulse, metric=metric)
    assert collect("cantilena", tonality, module) == (*collect("cantilena", tonality), pulse)
    assert collect("paper", module) == ()
    assert pulse.metrics == (metric,)


def test_weights_multiply_the_published_values() -> None:
    rules = RULE_SETS["rl-tuner"]
    weighted = rules.with_weights(tonic=3.0, repetition=0.01)
    plain, heavy = rules.rewards(LINE), weighted.rewards(LINE)
    np.testing.assert_allclose(heavy["tonic"], 3 * plain["tonic"])
    np.testing.assert_allclose(heavy["repetition"], 0.01 * plain["repetition"])
    np.testing.assert_array_equal(heavy["leap"], plain["leap"])
    np.testing.assert_allclose(weighted.total(LINE), sum(heavy.values()))
    np.testing.assert_array_equal(weighted["tonic"].rewards(LINE), plain["tonic"])  # a rule's own value is unweighted
    assert rules.with_weights() == rules
    assert weighted.with_weights(key=2.0)["tonic"].weight == 3.0


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_weights_are_finite(weight: float) -> None:
    with pytest.raises(UsageError, match="weight"):
        RULE_SETS["paper"].with_weights(key=weight)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as missing:
        RULE_SETS["magenta"]
    assert "rl-tuner" in missing.value.hint
    rules = RULE_SETS["paper"]
    for ask in (lambda: rules.with_weights(leap=1.0), lambda: rules.only("leap"), lambda: rules["leap"]):
        with pytest.raises(UsageError) as missing:
            ask()
        assert "repetition" in missing.value.hint
    with pytest.raises(UsageError) as missing:
        rules["key"].with_parameters(reward=1.0)
    assert "penalty" in missing.value.hint


def test_parameters_can_be_changed_on_a_copy() -> None:
    strict = RULE_SETS["rl-tuner"]["repetition"].with_parameters(in_a_row=1, penalty=-1.0)
    line = GridEncoding().line(np.array([[14, 14, 14, 14]]))
    assert strict.rewards(line).tolist() == [[0, 0, -1, -1]]
    assert RULE_SETS["rl-tuner"]["repetition"].rewards(line).tolist() == [[0, 0, 0, 0]]


def test_a_users_function_is_a_rule() -> None:
    def no_tritones(line: Line, context: Context) -> np.ndarray:
        "No augmented fourths."
        return np.full(line.event.shape, True)

    own = RuleSet("own", (*RULE_SETS["paper"].rules, Rule.from_function(no_tritones)))
    assert own.names[-1] == "no_tritones"
    assert own["no_tritones"].description == "No augmented fourths."
    assert own.rewards(LINE)["no_tritones"].dtype == np.float64


def test_a_rule_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(UsageError, match="shape"):
        Rule.from_function(lambda line, context: np.zeros(3), name="short").rewards(LINE)


def test_sets_are_registered_once() -> None:
    @rule("louder", source="here")
    def louder(line: Line, context: Context, *, reward: float = 1.0) -> np.ndarray:
        """Louder is better."""
        return np.full(line.event.shape, reward)

    sets = RuleSets()
    assert sets.register(RuleSet("mine", (louder,))) is sets["mine"]
    assert "mine" in sets
    assert sets.get("yours") is None
    with pytest.raises(UsageError, match="already"):
        sets.register(RuleSet("mine", ()))
    with pytest.raises(UsageError, match="two rules"):
        RuleSet("twice", (louder, louder))
    assert RuleSet("none", ()).total(LINE).shape == LINE.event.shape


def test_a_bar_has_steps() -> None:
    with pytest.raises(UsageError, match="0 steps"):
        Context(steps_per_bar=0)


def test_importing_the_rules_does_not_import_the_compiler() -> None:
    code = "import sys; from cantilena.rules import RULE_SETS; RULE_SETS['rl-tuner']; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_loops_compile_without_a_place_to_keep_them() -> None:
    from cantilena.runtime import compiled

    namespace: dict[str, object] = {}
    exec(compile("def twice(x):\n    return 2 * x", "<nowhere>", "exec"), namespace)  # no file: nothing can be kept
    assert compiled(namespace["twice"])(21) == 42  # type: ignore[type-var, operator]
