"""Rules as hard constraints: of the tokens that could come next, only those that break the fewest rules are drawn.

Each candidate is judged at its own step, after all tokens before it (a primer included), in a line of the final length,
so that rules about the end know how many steps are left. Holds follow the candidate; the value of a rule at a step may
not depend on them.

With v(x) the weighted value of a rule for candidate x at this step, x breaks the rule if

    v(x) < 0                                                       the rule forbids it, or
    v(x) = 0, v(y) > 0 for some y, v >= 0 for all, and the rule only rewards        the rule asks for another.

The second line is for rules without penalties, such as RL Tuner's tonic, which would otherwise not constrain anything.
A rule only rewards if none of its parameters, times its weight, is negative. Rules that reward and penalise, such as RL
Tuner's leaps and intervals, only forbid what they penalise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import HOLD, Line
from cantilena.rules import Context, Rule, RuleSet, load_rules
from cantilena.tokenizers import Encoding

OUTSIDE = 2**31
"""What `Constraints.broken` counts for a token that is not allowed at all."""

MAX_STEPS = 4096
"""Longest melody that may be constrained: each step is judged in a line of the whole length."""

_MAX_CELLS = 200_000
"""Steps that are judged at once: fits a processor's cache, and bounds the memory."""


@dataclass(frozen=True)
class Constraints:
    """Rules that a melody keeps while it is drawn, at each step at which some token keeps them.

    Args:
        rules: with their weights; rules of weight 0 are ignored.
        encoding: of the tokens.
        context: the key and bars of the tokens.
        steps: length of the final melody, the primer included; at most `MAX_STEPS`.

    Raises:
        UsageError: the melody is too long.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.rules import RULE_SETS
        >>> grid = GridEncoding()
        >>> constraints = Constraints((RULE_SETS["rl-tuner"]["tonic"],), grid, Context(), steps=32)
        >>> [grid.vocabulary[token] for token in np.flatnonzero(constraints.allowed(np.zeros((1, 0), dtype=int))[0])]
        ['C4']
    """

    rules: tuple[Rule, ...]
    encoding: Encoding
    context: Context
    steps: int

    def __post_init__(self) -> None:
        if self.steps > MAX_STEPS:
            raise UsageError(
                f"rules cannot constrain a melody of {self.steps} steps",
                f"compose {MAX_STEPS} steps at most, the primer included, or leave --constrain out",
            )
        object.__setattr__(self, "rules", tuple(rule for rule in self.rules if rule.weight != 0.0))

    @classmethod
    def from_rules(cls, rules: str | RuleSet, encoding: Encoding, context: Context, steps: int) -> Constraints | None:
        """Constraints from a rule set or its name; None for an empty name."""
        if isinstance(rules, str):
            if not rules.strip():
                return None
            rules = load_rules(rules)
        return cls(rules.rules, encoding, context, steps)

    def broken(self, before: NDArray[np.int64], among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Number of rules that each token would break if it came next.

        Args:
            before: `(melodies, steps so far)` tokens.
            among: `(vocabulary,)`: which tokens are allowed at all; a rule cannot ask for another.

        Returns:
            `(melodies, vocabulary)`, `OUTSIDE` for tokens that are not allowed.

        Raises:
            UsageError: the melodies already have their final length.
        """
        melodies, step = before.shape
        if step >= self.steps:
            raise UsageError(
                f"step {step} is beyond the {self.steps} of the constraints", "give them the length of the whole melody"
            )
        size = len(self.encoding.vocabulary)
        tokens = np.arange(size) if among is None else np.flatnonzero(among)
        broken = np.full((melodies, size), OUTSIDE, dtype=np.int64)
        at_once = max(_MAX_CELLS // max(len(tokens) * self.steps, 1), 1)
        for first in range(0, melodies, at_once):
            broken[first : first + at_once, tokens] = self._count(before[first : first + at_once], tokens)
        return broken

    def allowed(self, before: NDArray[np.int64], among: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """`(melodies, vocabulary)`: the tokens that break the fewest rules; arguments as of `broken`."""
        return fewest(self.broken(before, among))

    def _count(self, before: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """`(melodies, tokens)`: how many rules each of some tokens would break."""
        line = self._candidates(before, tokens)
        broken = np.zeros((len(before), len(tokens)), dtype=np.int64)
        for rule in self.rules:
            values = rule.weight * rule.rewards(line, self.context)[:, before.shape[1]].reshape(broken.shape)
            forbidden, wanted = np.asarray(values < 0), np.asarray(values > 0)
            broken += forbidden
            if only_rewards(rule):
                asks = wanted.any(axis=1, keepdims=True) & ~forbidden.any(axis=1, keepdims=True)
                broken += asks & ~wanted
        return broken

    def _candidates(self, before: NDArray[np.int64], tokens: NDArray[np.int64]) -> Line:
        """A line of `melodies x tokens` rows: each melody so far, each token after it, and holds to the end."""
        step = before.shape[1]
        shape = (len(before), len(tokens), self.steps)

        def filled(of_token: NDArray[np.integer], afterwards: int) -> NDArray[np.integer]:
            values = np.full(shape, afterwards, dtype=of_token.dtype)
            values[:, :, :step] = of_token[before][:, None, :]
            values[:, :, step] = of_token[tokens]
            return values.reshape(-1, self.steps)

        single = self._single_tokens
        return Line.from_events(
            filled(single.event[0], HOLD), filled(single.pitch[0], -1), filled(single.pitch_classes[0], 0)
        )

    @cached_property
    def _single_tokens(self) -> Line:
        """All tokens as one row."""
        return self.encoding.line(np.arange(len(self.encoding.vocabulary))[None, :])


def fewest(broken: NDArray[np.int64]) -> NDArray[np.bool_]:
    """`(melodies, vocabulary)`: which tokens break the fewest rules, from the counts of `Constraints.broken`."""
    least: NDArray[np.bool_] = (broken == broken.min(axis=1, keepdims=True)) & (broken < OUTSIDE)
    return least


def only_rewards(rule: Rule) -> bool:
    """Whether a rule has no penalty, so that as a constraint it asks for what it rewards.

    Examples:
        >>> from cantilena.rules import RULE_SETS
        >>> rules = RULE_SETS["rl-tuner"]
        >>> [rule.name for rule in rules.rules if only_rewards(rule)]
        ['tonic', 'motif', 'repeated_motif', 'extremes']
    """
    return all(rule.weight * value >= 0 for value in rule.parameters.values())
