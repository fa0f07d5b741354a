"""Rules: pure functions of a line and its context, with a name, a source and parameters."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.rules.context import Context

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
        >>> rule = Rule.of(no_b)
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
    def of(cls, judge: RuleFunction, *, name: str | None = None, source: str = "") -> Rule:
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
        return Rule.of(judge, name=name, source=source)

    return made
