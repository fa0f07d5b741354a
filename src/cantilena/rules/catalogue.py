"""The built-in rule sets.

A rule joins a set by `@rule(..., rule_set="cantilena")` in a file of its subject. To add a rule, write it there; a new
file is added to the modules below. Rewards are summed in the order of the modules and, within each, of definition:
sums of floats, and so results, depend on it.
"""

from __future__ import annotations

from types import ModuleType

from cantilena.rules import contour, harmony, meter, motifs, repetition, rhythm, tonality
from cantilena.rules.rule import Example, Rule, RuleSet, RuleSets


def collect(rule_set: str, *modules: ModuleType) -> tuple[Rule, ...]:
    """The rules of a set that modules define, in order.

    Examples:
        >>> [rule.name for rule in collect("cantilena", tonality, repetition)]
        ['key', 'opening', 'cadence', 'tonic_share', 'repetition']
    """
    defined = (value for module in modules for value in vars(module).values())
    return tuple(value for value in defined if isinstance(value, Rule) and value.rule_set == rule_set)


_ALL = (tonality, repetition, contour, meter, motifs, rhythm, harmony)

RULE_SETS = RuleSets(
    RuleSet("paper", collect("paper", *_ALL)),
    RuleSet("rl-tuner", collect("rl-tuner", tonality, repetition, motifs, contour, meter, rhythm)),
    RuleSet("cantilena", collect("cantilena", *_ALL), scale=0.2),
)
"""`paper`: the paper's three rules. `rl-tuner`: the nine of Magenta's RL Tuner, exactly. `cantilena`: our own."""

MORE_EXAMPLES = (
    Example("a leap, and back to where it began", "C4 A4 G4/8 E4/8 C4"),
    Example("a leap that nothing answers", "C4 E4 B4 C5 D5 E5 F5/2"),
    Example("a melody that holds and rests", "C4 E4/2 r/4 G4/2 r/2"),
    Example("a leading tone that does not lead", "A4 G#4 F4 E4 A4/1", key="A minor"),
    Example("a waltz", "C4 E4 E4 D4 F4 F4 B3 D4 D4 C4/2.", meter="3/4"),
    Example("an old tune", rhythm.OLD_TUNE),
)
"""Bars for users' rules, besides the examples of the rules above."""
