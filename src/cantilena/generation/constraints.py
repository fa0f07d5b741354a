"""Rules as hard constraints: of the tokens that could come next, only those that break the fewest rules are drawn.

Every candidate is judged as a rule judges any melody: at its own step, after all that has been heard (a primer
included), in a line of the length that the whole melody will have, so that a rule of the end knows how many steps are
left. What stands after the candidate is a hold; a rule's value at a step may not depend on it.

With v(x) the weighted value of one rule for candidate x at this step, x breaks the rule if

    v(x) < 0                                                       the rule forbids it, or
    v(x) = 0, v(y) > 0 for some y, v >= 0 for all, and the rule only rewards        the rule asks for another.

The second line is for rules that know no penalty, such as RL Tuner's tonic: as a constraint they would otherwise say
nothing. A rule only rewards if none of its parameters, times its weight, is negative. Rules that reward and penalise,
such as RL Tuner's leaps and intervals, forbid what they penalise and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import HOLD, Line
from cantilena.rules import Context, Rule
from cantilena.tokenizers import Encoding

OUTSIDE = 2**31
"""What `Constraints.broken` says of a token that may not come at all."""

LONGEST = 4096
"""Steps of the longest melody that may be constrained: each step is judged in a line of the whole length."""

_CELLS = 200_000
"""Steps that are judged in one call: what fits a processor's cache, and bounds the memory."""


@dataclass(frozen=True)
class Constraints:
    """Rules that a melody keeps while it is drawn, wherever some token keeps them.

    Args:
        rules: the rules, each with its weight; one of weight 0 says nothing.
        encoding: what the tokens mean.
        context: key and bars in which the rules judge: those that the model thinks in.
        steps: how long the whole melody will be, the primer included; `LONGEST` at the most.

    Raises:
        UsageError: longer melodies.

    Example:
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
        if self.steps > LONGEST:
            raise UsageError(
                f"rules as constraints on a melody of {self.steps} steps",
                f"compose {LONGEST} steps at the most, the primer included, or leave --constrain out",
            )
        object.__setattr__(self, "rules", tuple(rule for rule in self.rules if rule.weight != 0.0))

    def broken(self, heard: NDArray[np.int64], among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """How many rules each token would break if it came next.

        Args:
            heard: `(melodies, steps so far)` tokens.
            among: `(vocabulary,)`: which tokens may come at all; a rule cannot ask for another.

        Returns:
            `(melodies, vocabulary)`, `OUTSIDE` for tokens that may not come.

        Raises:
            UsageError: the melodies are as long already as they were to become.
        """
        melodies, step = heard.shape
        if step >= self.steps:
            raise UsageError(
                f"a step beyond the {self.steps} of the constraints", "give them the whole melody's length"
            )
        size = len(self.encoding.vocabulary)
        tokens = np.arange(size) if among is None else np.flatnonzero(among)
        broken = np.full((melodies, size), OUTSIDE, dtype=np.int64)
        at_once = max(_CELLS // max(len(tokens) * self.steps, 1), 1)
        for first in range(0, melodies, at_once):
            broken[first : first + at_once, tokens] = self._broken(heard[first : first + at_once], tokens)
        return broken

    def allowed(self, heard: NDArray[np.int64], among: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """`(melodies, vocabulary)`: the tokens that break the fewest rules; arguments as of `broken`."""
        return fewest(self.broken(heard, among))

    def _broken(self, heard: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """`(melodies, tokens)`: how many rules each of some tokens would break."""
        line = self._continued(heard, tokens)
        broken = np.zeros((len(heard), len(tokens)), dtype=np.int64)
        for rule in self.rules:
            values = rule.weight * rule.rewards(line, self.context)[:, heard.shape[1]].reshape(broken.shape)
            forbidden, wanted = np.asarray(values < 0), np.asarray(values > 0)
            broken += forbidden
            if only_rewards(rule):
                asks = wanted.any(axis=1, keepdims=True) & ~forbidden.any(axis=1, keepdims=True)
                broken += asks & ~wanted
        return broken

    def _continued(self, heard: NDArray[np.int64], tokens: NDArray[np.int64]) -> Line:
        """A line of `melodies x tokens` rows: each melody so far, each token after it, and holds to the end."""
        step = heard.shape[1]
        shape = (len(heard), len(tokens), self.steps)

        def filled(of_token: NDArray[np.integer], afterwards: int) -> NDArray[np.integer]:
            values = np.full(shape, afterwards, dtype=of_token.dtype)
            values[:, :, :step] = of_token[heard][:, None, :]
            values[:, :, step] = of_token[tokens]
            return values.reshape(-1, self.steps)

        alone = self._alone
        return Line.of(filled(alone.event[0], HOLD), filled(alone.pitch[0], -1), filled(alone.pitch_classes[0], 0))

    @cached_property
    def _alone(self) -> Line:
        """What each token sounds, as one row."""
        return self.encoding.line(np.arange(len(self.encoding.vocabulary))[None, :])


def fewest(broken: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which tokens break the fewest rules, `(melodies, vocabulary)`, from what `Constraints.broken` counted."""
    least: NDArray[np.bool_] = (broken == broken.min(axis=1, keepdims=True)) & (broken < OUTSIDE)
    return least


def only_rewards(rule: Rule) -> bool:
    """Whether a rule knows no penalty: then it asks for what it rewards.

    Example:
        >>> from cantilena.rules import RULE_SETS
        >>> rules = RULE_SETS["rl-tuner"]
        >>> [rule.name for rule in rules.rules if only_rewards(rule)]
        ['tonic', 'motif', 'repeated_motif', 'extremes']
    """
    return all(rule.weight * value >= 0 for value in rule.parameters.values())
