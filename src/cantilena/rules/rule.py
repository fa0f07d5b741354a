"""Rules: pure functions of a line and its context, with a name, a source and parameters.

Sets of rules, and the catalogue in which they are found by name.

What a rule must know besides the notes: the key and the bars.

Where the rules are printed, and whose numbers they carry.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Key, Line, Meter


@dataclass(frozen=True, slots=True)
class Context:
    """The key, the meter and the length of a bar that a line is judged in.

    Args:
        key: the key all melodies of the line are in.
        meter: the time signature.
        steps_per_bar: steps of the line in one bar: 16 for sixteenths in 4/4.
        timed: whether steps are equal stretches of time. In the events encoding they are not: a step is a note, and
            rules of time have nothing to say.

    Raises:
        UsageError: a bar without steps.

    Example:
        >>> Context(Key.parse("D minor")).tonic_pitch
        62
    """

    key: Key = field(default_factory=Key)
    meter: Meter = field(default_factory=Meter)
    steps_per_bar: int = 16
    timed: bool = True

    def __post_init__(self) -> None:
        if self.steps_per_bar < 1:
            raise UsageError(f"{self.steps_per_bar} steps a bar", "a bar has one step or more")

    @property
    def tonic_pitch(self) -> int:
        """The tonic in the octave C4..B4, as a MIDI number: 60 in C."""
        return 60 + self.key.tonic

    @property
    def mediant(self) -> int:
        """The pitch class of the key's third degree: E in C major, C in A minor."""
        return (self.key.tonic + (3 if self.key.is_minor else 4)) % 12

    @property
    def dominant(self) -> int:
        """The pitch class of the key's fifth degree: G in C major."""
        return (self.key.tonic + 7) % 12


Rewards = NDArray[np.float64]
"""`(melodies, steps)`: what a rule gives at each step; 0 where it says nothing, and in the padding."""

RuleFunction = Callable[..., NDArray[np.generic]]
"""`judge(line, context, **parameters)`: numbers or truth values `(melodies, steps)`, each from its step and earlier."""


@dataclass(frozen=True)
class Rule:
    """One rule of music theory.

    Args:
        name: what flags, tables and charts call it.
        description: one line.
        source: where it is printed.
        judge: the function that is the rule.
        parameters: the numbers that the function takes, frozen.
        weight: what the user makes of it: multiplies the published value.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> def no_b(line, context, *, penalty=-2.0):
        ...     "The seventh pitch class of C major is avoided."
        ...     return penalty * (line.pitch % 12 == 11) * (line.pitch >= 0)
        >>> rule = Rule.from_function(no_b)
        >>> rule.name, dict(rule.parameters)
        ('no_b', {'penalty': -2.0})
        >>> rule.rewards(GridEncoding().line(np.array([[14, 1, 13]])))
        array([[ 0.,  0., -2.]])
    """

    name: str
    description: str
    source: str
    judge: RuleFunction
    parameters: Mapping[str, float] = field(default_factory=dict)
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise UsageError(f"weight {self.weight} for the rule '{self.name}'", "give a finite number")
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))

    @classmethod
    def from_function(cls, judge: RuleFunction, *, name: str | None = None, source: str = "") -> Rule:
        """Make a rule of a function: its docstring describes it, its keywords with a default are the parameters."""
        defaults = {
            keyword.name: keyword.default
            for keyword in inspect.signature(judge).parameters.values()
            if keyword.kind is keyword.KEYWORD_ONLY
        }
        description = (inspect.getdoc(judge) or "").partition("\n")[0]
        return cls(name or str(getattr(judge, "__name__", "rule")), description, source, judge, defaults)

    def rewards(self, line: Line, context: Context | None = None) -> Rewards:
        """The published value at each step of a line, before the weight, `(melodies, steps)`.

        Raises:
            UsageError: the rule's function gave numbers of another shape.
        """
        given = np.asarray(self.judge(line, context or Context(), **self.parameters))
        if given.shape != line.event.shape:
            raise UsageError(
                f"the rule '{self.name}' gave numbers of shape {given.shape} for a line of shape {line.event.shape}",
                "return one number for each melody and step",
            )
        return np.where(line.valid, given, 0.0).astype(np.float64) + 0.0  # + 0.0: no negative zeros

    def with_parameters(self, **parameters: float) -> Rule:
        """The same rule with other parameters.

        Raises:
            UsageError: the rule has no parameter of that name.
        """
        unknown = sorted(set(parameters) - set(self.parameters))
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise UsageError(f"the rule '{self.name}' has no parameter '{unknown[0]}'", f"its parameters: {known}")
        return replace(self, parameters={**self.parameters, **parameters})


def rule(name: str, *, source: str) -> Callable[[RuleFunction], Rule]:
    """Turn the function below into a rule of that name.

    Example:
        >>> @rule("silence", source="none; an example")
        ... def silence(line, context, *, reward=1.0):
        ...     "Silence is golden."
        ...     return reward * (line.event == 0)
        >>> silence.description
        'Silence is golden.'
    """

    def made(judge: RuleFunction) -> Rule:
        return Rule.from_function(judge, name=name, source=source)

    return made


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


RL_TUNER = (
    "N. Jaques, S. Gu, R. E. Turner, D. Eck, Tuning Recurrent Neural Networks with Reinforcement Learning, "
    "arXiv:1611.02796, the music theory reward; values as in Magenta's RL Tuner at commit 526d3eb"
)
GAULDIN = f"R. Gauldin, A Practical Approach to Eighteenth-Century Counterpoint, 1988, by way of {RL_TUNER}"
PAPER = (
    "H. Qiu, C. Wang, Classic Monophonic Melody Generation with LSTM and Reinforcement Learning, section VIII.E; "
    "it prints no values, these are ours"
)

_OURS = "; the values are ours"
COUNTERPOINT = f"R. Gauldin, A Practical Approach to Eighteenth-Century Counterpoint, 1988{_OURS}"
SIXTEENTH_CENTURY = f"R. Gauldin, A Practical Approach to Sixteenth-Century Counterpoint{_OURS}"
FUX = f"J. J. Fux, Gradus ad Parnassum, 1725, on counterpoint of the first species{_OURS}"
SCHOENBERG = f"A. Schoenberg, Fundamentals of Musical Composition, 1967{_OURS}"
LERDAHL_JACKENDOFF = f"F. Lerdahl, R. Jackendoff, A Generative Theory of Tonal Music, 1983{_OURS}"
HURON = f"D. Huron, Sweet Anticipation: Music and the Psychology of Expectation, 2006{_OURS}"
LONGUET_HIGGINS_LEE = (
    "H. C. Longuet-Higgins, C. S. Lee, The Rhythmic Interpretation of Monophonic Music, Music Perception 1, 1984"
    + _OURS
)
PRACTICE = "no theorist's number: what people write, measured in the built-in corpus (rules/bands.toml)"
SHANNON = f"C. E. Shannon, A Mathematical Theory of Communication, 1948, the entropy of a source{_OURS}"
