"""Rules with two sides: a feature of the whole melody that people keep within a band, where more is not better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.bands import PEOPLES_OWN, Band, Bands, human_bands
from cantilena.rules.context import Context
from cantilena.rules.reading import last_steps, lengths
from cantilena.rules.rule import Rewards, Rule
from cantilena.rules.rule_set import RuleSet

Feature = Callable[[Line, Context], NDArray[np.float64]]
"""`feature(line, context)`: one number for each melody, `(melodies,)`, 0 or more; NaN where it cannot be told."""

PEOPLES_BAND = Band(PEOPLES_OWN, PEOPLES_OWN, PEOPLES_OWN)
"""No numbers of one's own."""


@dataclass(frozen=True)
class TwoSidedRule(Rule):
    """A rule that judges one feature of whole melodies by a band; made by `two_sided`.

    Args:
        feature: what is judged.
    """

    feature: Feature | None = None


def two_sided(name: str, feature: Feature, description: str, *, source: str) -> TwoSidedRule:
    """A rule that is silent while a feature lies within its band and penalises what lies outside, on the last step.

    The penalty grows with the distance from the band, in standard deviations of people's melodies, down to `worst`.
    `low`, `high` and `spread` (the deviation) are people's own, of excerpts of the same meter and of the nearest number
    of bars, unless other numbers are given, 0 or more. Nothing is said where the feature is NaN.

    Args:
        name: of the rule, and of its band.
        feature: what is judged.
        description: one line.
        source: where the idea is printed.
    """

    def judge(
        line: Line,
        context: Context,
        *,
        low: float = PEOPLES_OWN,
        high: float = PEOPLES_OWN,
        spread: float = PEOPLES_OWN,
        penalty: float = -2.0,
        worst: float = -4.0,
    ) -> Rewards:
        outside = deviations(name, feature(line, context), line, context, Band(low, high, spread))
        earned = np.maximum(penalty * outside, worst)
        return np.where(last_steps(line), earned[:, None], 0.0)

    parameters = Rule.of(judge).parameters
    return TwoSidedRule(name, description, source, judge, parameters, feature=feature)


def deviations(
    name: str,
    values: NDArray[np.float64],
    line: Line,
    context: Context,
    own: Band = PEOPLES_BAND,
) -> NDArray[np.float64]:
    """How far a feature lies outside its band, in standard deviations of people's melodies, `(melodies,)`.

    Args:
        name: of the rule that judges the feature.
        values: `(melodies,)`, what the feature is; 0 is answered for NaN.
        line: the melodies, whose lengths choose the band.
        context: their meter chooses too.
        own: what replaces people's bounds, where it is 0 or more.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1]]))
        >>> deviations("range", np.array([2.0]), line, Context(), Band(5.0, 12.0, 1.5)).tolist()
        [2.0]
    """
    length, outside = lengths(line), np.zeros(line.melodies)
    for steps in np.unique(length):
        rows = length == steps
        band = own.completed(human_bands().lookup(name, context, int(steps)))
        outside[rows] = band.deviations(values[rows])
    return outside


def features_of(rules: RuleSet) -> dict[str, Feature]:
    """The features that the two-sided rules of a set judge, by the rule's name, in order.

    Example:
        >>> from cantilena.rules import RULE_SETS
        >>> list(features_of(RULE_SETS["cantilena"]))[:2]
        ['range', 'motion']
    """
    return {rule.name: rule.feature for rule in rules.rules if isinstance(rule, TwoSidedRule) and rule.feature}


def only_where(defined: NDArray[np.bool_] | np.bool_, values: NDArray[np.generic]) -> NDArray[np.float64]:
    """The values where they are defined, else NaN."""
    return np.where(defined, values, np.nan).astype(np.float64)


def with_bands(rules: RuleSet, bands: Bands, context: Context, steps: int) -> RuleSet:
    """The same rules, the two-sided ones judging by other bands.

    Args:
        rules: any set; rules without a band stay as they are.
        bands: such as `measure_bands` finds in a corpus of one's own.
        context: of the melodies to be judged.
        steps: how long they are.
    """

    def judging(rule: Rule) -> Rule:
        band = bands.lookup(rule.name, context, steps) if isinstance(rule, TwoSidedRule) else None
        return rule if band is None else rule.with_parameters(**_parameters(band))

    return replace(rules, rules=tuple(judging(rule) for rule in rules.rules))


def _parameters(band: Band) -> Mapping[str, float]:
    return {"low": band.low, "high": band.high, "spread": band.spread}
