"""Sets of rules, and the catalogue in which they are found by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.rule import Rewards, Rule


@dataclass(frozen=True)
class RuleSet:
    """Rules that judge together; their rewards are added.

    Args:
        name: what flags and tables call the set.
        rules: the rules, each name once.
        scale: how large its rewards are, beside RL Tuner's: a tuner's usual c is that many times its own.

    Raises:
        UsageError: two rules of one name.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.rules import RULE_SETS
        >>> rules = RULE_SETS["rl-tuner"].only("key", "tonic").with_weights(tonic=2.0)
        >>> rules.total(GridEncoding().line(np.array([[14, 15, 1, 14, 1, 0, 1]])))
        array([[ 6., -1.,  0.,  6.,  6.,  6.,  6.]])
    """

    name: str
    rules: tuple[Rule, ...]
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(self.rules))
        if len(set(self.names)) < len(self.names):
            raise UsageError(f"two rules of one name in the set '{self.name}'", "give each rule a name of its own")

    @property
    def names(self) -> tuple[str, ...]:
        """The rules' names, in order."""
        return tuple(rule.name for rule in self.rules)

    def __getitem__(self, name: str) -> Rule:
        """The rule of that name."""
        self._check((name,))
        return self.rules[self.names.index(name)]

    def rewards(self, line: Line, context: Context | None = None) -> dict[str, Rewards]:
        """What each rule gives at each step: weight x value, `(melodies, steps)` by rule name."""
        return {rule.name: rule.weight * rule.rewards(line, context) + 0.0 for rule in self.rules}

    def total(self, line: Line, context: Context | None = None) -> Rewards:
        """The sum over the rules, `(melodies, steps)`."""
        return reduce(np.add, self.rewards(line, context).values(), np.zeros(line.event.shape))

    def with_weights(self, /, **weights: float) -> RuleSet:
        """The same rules with other weights; a rule that is not named keeps its own.

        Raises:
            UsageError: no rule of that name, or a weight that is not finite.
        """
        self._check(tuple(weights))
        rules = tuple(replace(rule, weight=float(weights.get(rule.name, rule.weight))) for rule in self.rules)
        return replace(self, rules=rules)

    def only(self, *names: str) -> RuleSet:
        """The named rules alone, in the order of the set.

        Raises:
            UsageError: no rule of that name.
        """
        self._check(names)
        return replace(self, rules=tuple(rule for rule in self.rules if rule.name in names))

    def _check(self, names: tuple[str, ...]) -> None:
        unknown = next((name for name in names if name not in self.names), None)
        if unknown is not None:
            raise UsageError(
                f"the rule set '{self.name}' has no rule '{unknown}'", f"its rules: {', '.join(self.names)}"
            )


class RuleSets(Mapping[str, RuleSet]):
    """Rule sets by name; a name that is not there is answered with those that are.

    Example:
        >>> from cantilena.rules import RULE_SETS
        >>> list(RULE_SETS)
        ['paper', 'rl-tuner', 'cantilena']
    """

    def __init__(self, *sets: RuleSet) -> None:
        self._sets: dict[str, RuleSet] = {}
        for rules in sets:
            self.register(rules)

    def register(self, rules: RuleSet) -> RuleSet:
        """Add a set under its name.

        Raises:
            UsageError: the name is taken.
        """
        if rules.name in self._sets:
            raise UsageError(f"there is a rule set '{rules.name}' already", "give the new one another name")
        self._sets[rules.name] = rules
        return rules

    def __getitem__(self, name: str) -> RuleSet:
        """The set of that name; UsageError where there is none."""
        if name not in self._sets:
            raise UsageError(f"there is no rule set '{name}'", f"choose one of {', '.join(self._sets)}")
        return self._sets[name]

    def __contains__(self, name: object) -> bool:
        return name in self._sets

    def get(self, name: str, default: RuleSet | None = None) -> RuleSet | None:  # type: ignore[override]
        """The set of that name, or the default."""
        return self._sets.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)
