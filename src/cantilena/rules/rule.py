"""Rules, sets of rules, and what belongs to a rule: its context, its metrics, its example and its source."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Key, Line, Meter


@dataclass(frozen=True, slots=True)
class Context:
    """The key, the meter and the bar length in which a line is evaluated, and its style if that is known.

    Args:
        key: the key of all melodies of the line.
        meter: the time signature.
        steps_per_bar: steps of the line in one bar, 16 for sixteenths in 4/4.
        timed: whether steps have equal duration. They have not in the events encoding, where a step is a note and
            rules about time return 0.
        style: of the melodies, a collection of the built-in corpus such as `chorales`; "" for any. It selects what
            people's melodies are compared with (`Bands`).

    Raises:
        UsageError: `steps_per_bar` is below 1.

    Examples:
        >>> Context(Key.parse("D minor")).tonic_pitch
        62
    """

    key: Key = field(default_factory=Key)
    meter: Meter = field(default_factory=Meter)
    steps_per_bar: int = 16
    timed: bool = True
    style: str = ""

    def __post_init__(self) -> None:
        if self.steps_per_bar < 1:
            raise UsageError(f"{self.steps_per_bar} steps a bar", "a bar must have at least 1 step")

    @property
    def tonic_pitch(self) -> int:
        """The tonic in the octave C4..B4, as a MIDI number: 60 in C."""
        return 60 + self.key.tonic

    @property
    def mediant(self) -> int:
        """The pitch class of the third degree: E in C major, C in A minor."""
        return (self.key.tonic + (3 if self.key.is_minor else 4)) % 12

    @property
    def dominant(self) -> int:
        """The pitch class of the fifth degree: G in C major."""
        return (self.key.tonic + 7) % 12


Unit = Literal["share", "correlation", "nats", "number"]

Counter = Callable[[Line, Context], tuple[NDArray[np.generic], NDArray[np.generic]]]
"""`count(line, context)`: what is counted and out of what, each `(melodies,)`, or `(melodies, steps)` to be summed."""


@dataclass(frozen=True)
class Metric:
    """A metric as tables and reports show it and, where it is a ratio of counts per melody, how to count it.

    Args:
        name: its key in results.json. A rule gives it without the prefix of its set.
        label: the heading of its row in tables.
        definition: one sentence.
        better: the direction that is wanted, `less` or `more`; `people` for the share of melodies with an event that
            is wanted as often as people's melodies have it (`Bands.share`); `none` for a value to compare with the
            reference's.
        unit: `share` of steps, notes or melodies, `correlation` from -1 to 1, `nats` a step, or a `number`.
        group: the section of the table; that of its set for a rule.
        count: numerators and denominators in each melody; None for metrics that are computed otherwise.
    """

    name: str
    label: str
    definition: str
    better: Literal["less", "more", "people", "none"] = "none"
    unit: Unit = "share"
    group: str = ""
    count: Counter | None = None

    @property
    def sign(self) -> str:
        """An arrow in the direction that is wanted, or nothing."""
        return {"less": "↓", "more": "↑"}.get(self.better, "")


@dataclass(frozen=True, slots=True)
class Example:
    """A few bars that show what rules respond to.

    Args:
        title: what happens in them.
        notes: as typed for a primer: `C4 E4/8 r/4`.
        key: their key.
        meter: their time signature.
        chords: over them, as a lead sheet: `C | G7`; "" for none.
    """

    title: str
    notes: str
    key: str = "C major"
    meter: str = "4/4"
    chords: str = ""


Rewards = NDArray[np.float64]
"""`(melodies, steps)`: the reward of each step, 0 where the rule does not apply, and in the padding."""

RuleFunction = Callable[..., NDArray[np.generic]]
"""`function(line, context, **parameters)`: numbers or booleans `(melodies, steps)`, causal in the steps."""


@dataclass(frozen=True)
class Rule:
    """One rule of music theory.

    Args:
        name: its name in flags, tables and figures.
        description: one line.
        source: where it was published.
        function: computes the rewards.
        parameters: the keyword arguments of the function.
        weight: multiplies the rewards.
        rule_set: the built-in set that it belongs to; "" for a user's own.
        metrics: how often melodies follow it.
        example: bars to which it responds.
        needs_chords: whether it gives 0 wherever no chord sounds.

    Examples:
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
    function: RuleFunction
    parameters: Mapping[str, float] = field(default_factory=dict)
    weight: float = 1.0
    rule_set: str = ""
    metrics: tuple[Metric, ...] = ()
    example: Example | None = None
    needs_chords: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise UsageError(f"the weight of the rule '{self.name}' is {self.weight}", "give a finite number")
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))

    @classmethod
    def from_function(cls, function: RuleFunction, *, name: str | None = None, source: str = "") -> Rule:
        """Make a rule of a function; its docstring is the description, its keyword-only arguments the parameters."""
        parameters = {
            parameter.name: parameter.default
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        description = (inspect.getdoc(function) or "").partition("\n")[0]
        return cls(name or str(getattr(function, "__name__", "rule")), description, source, function, parameters)

    def rewards(self, line: Line, context: Context | None = None) -> Rewards:
        """Compute the reward of each step, before the weight, `(melodies, steps)`.

        Raises:
            UsageError: the function returned another shape.
        """
        values = np.asarray(self.function(line, context or Context(), **self.parameters))
        if values.shape != line.event.shape:
            raise UsageError(
                f"the rule '{self.name}' returned shape {values.shape} for a line of shape {line.event.shape}",
                "return one number for each melody and step",
            )
        return np.where(line.valid, values, 0.0).astype(np.float64) + 0.0  # + 0.0: no negative zeros

    def with_parameters(self, **parameters: float) -> Rule:
        """Return the same rule with other parameters.

        Raises:
            UsageError: the rule has no such parameter.
        """
        unknown = sorted(set(parameters) - set(self.parameters))
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise UsageError(f"the rule '{self.name}' has no parameter '{unknown[0]}'", f"its parameters: {known}")
        return replace(self, parameters={**self.parameters, **parameters})


def rule(
    name: str,
    *,
    source: str,
    rule_set: str = "",
    metric: Metric | Sequence[Metric] = (),
    example: Example | None = None,
    needs_chords: bool = False,
) -> Callable[[RuleFunction], Rule]:
    """Turn the decorated function into a rule.

    Args:
        name: of the rule.
        source: where it was published.
        rule_set: the built-in set that it joins (`catalogue.py` collects them); "" for a user's own rule.
        metric: one or several that count how often melodies follow it, for a rule of a built-in set.
        example: bars to which it responds.
        needs_chords: whether it gives 0 wherever no chord sounds; it is left out where no chords are known.

    Examples:
        >>> @rule("silence", source="none; an example")
        ... def silence(line, context, *, reward=1.0):
        ...     "Silence is golden."
        ...     return reward * (line.event == 0)
        >>> silence.description
        'Silence is golden.'
    """

    def decorate(function: RuleFunction) -> Rule:
        metrics = (metric,) if isinstance(metric, Metric) else tuple(metric)
        plain = Rule.from_function(function, name=name, source=source)
        return replace(plain, rule_set=rule_set, metrics=metrics, example=example, needs_chords=needs_chords)

    return decorate


@dataclass(frozen=True)
class RuleSet:
    """Rules whose rewards are added.

    Args:
        name: its name in flags and tables.
        rules: with distinct names.
        scale: the size of its rewards relative to RL Tuner's; the default c of tuning is multiplied by it.

    Raises:
        UsageError: two rules have the same name.

    Examples:
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
            raise UsageError(f"two rules of the set '{self.name}' have the same name", "give each rule its own name")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the rules, in order."""
        return tuple(rule.name for rule in self.rules)

    def __getitem__(self, name: str) -> Rule:
        """The rule of that name."""
        self._check((name,))
        return self.rules[self.names.index(name)]

    def rewards(self, line: Line, context: Context | None = None) -> dict[str, Rewards]:
        """Compute the weighted rewards of each rule, `(melodies, steps)` by name."""
        return {rule.name: rule.weight * rule.rewards(line, context) + 0.0 for rule in self.rules}

    def total(self, line: Line, context: Context | None = None) -> Rewards:
        """Compute the sum over the rules, `(melodies, steps)`."""
        return reduce(np.add, self.rewards(line, context).values(), np.zeros(line.event.shape))

    def with_weights(self, /, **weights: float) -> RuleSet:
        """Return the same rules with other weights; a rule that is not named keeps its own.

        Raises:
            UsageError: there is no such rule, or a weight is not finite.
        """
        self._check(tuple(weights))
        rules = tuple(replace(rule, weight=float(weights.get(rule.name, rule.weight))) for rule in self.rules)
        return replace(self, rules=rules)

    def only(self, *names: str) -> RuleSet:
        """Return the named rules, in the order of the set.

        Raises:
            UsageError: there is no such rule.
        """
        self._check(names)
        return replace(self, rules=tuple(rule for rule in self.rules if rule.name in names))

    def without_chords(self) -> RuleSet:
        """Return the rules that need no chords.

        Examples:
            >>> from cantilena.rules import RULE_SETS
            >>> rules = RULE_SETS["cantilena"]
            >>> [name for name in rules.names if name not in rules.without_chords().names]
            ['chord_tones', 'non_chord_tones', 'harmonic_cadence']
        """
        if not any(rule.needs_chords for rule in self.rules):
            return self
        return replace(self, rules=tuple(rule for rule in self.rules if not rule.needs_chords))

    def _check(self, names: tuple[str, ...]) -> None:
        unknown = next((name for name in names if name not in self.names), None)
        if unknown is not None:
            raise UsageError(
                f"the rule set '{self.name}' has no rule '{unknown}'", f"its rules: {', '.join(self.names)}"
            )


class RuleSets(dict[str, RuleSet]):
    """Rule sets by name; an unknown name raises a UsageError that lists the known ones.

    Examples:
        >>> from cantilena.rules import RULE_SETS
        >>> list(RULE_SETS)
        ['paper', 'rl-tuner', 'cantilena']
    """

    def __init__(self, *sets: RuleSet) -> None:
        super().__init__()
        for rules in sets:
            self.register(rules)

    def register(self, rules: RuleSet) -> RuleSet:
        """Add a set under its name.

        Raises:
            UsageError: the name is taken.
        """
        if rules.name in self:
            raise UsageError(f"there is already a rule set '{rules.name}'", "choose another name")
        self[rules.name] = rules
        return rules

    def __missing__(self, name: str) -> RuleSet:
        raise UsageError(f"there is no rule set '{name}'", f"choose one of {', '.join(self)}")


# Sources: where rules were published.
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
KRUMHANSL = f"C. L. Krumhansl, Cognitive Foundations of Musical Pitch, 1990, on the durations of tones in a key{_OURS}"
SHANNON = f"C. E. Shannon, A Mathematical Theory of Communication, 1948, the entropy of a source{_OURS}"
TEMPERLEY = (
    "D. Temperley, The Cognition of Basic Musical Structures, 2001, on harmony: dissonance is weak in the meter and "
    f"resolved by step{_OURS}"
)
KOSTKA_PAYNE = f"S. Kostka, D. Payne, Tonal Harmony, 1984, on nonchord tones{_OURS}"
HARMONIC_PRACTICE = f"R. Gauldin, Harmonic Practice in Tonal Music, 1997, on cadences{_OURS}"
PRACTICE = "the built-in corpus: no theorist gives a number, so it was measured (rules/bands.toml)"
