"""Bands: between which bounds people keep a feature of their melodies.

Rules with two sides: a feature of the whole melody that people keep within a band, where more is not better.

Measure between which bounds a set of melodies keeps its features.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.rules.notes import last_steps, lengths
from cantilena.rules.rule import Context, Rewards, Rule, RuleSet

PEOPLES_OWN = -1.0
"""In place of a number of a band, which is 0 or more: the one that was measured."""

ANY_METER = "any"
"""The name under which the bands over all meters are kept."""


@dataclass(frozen=True, slots=True)
class Band:
    """Where people keep a feature.

    Args:
        low: its 10th percentile.
        high: its 90th percentile.
        spread: its standard deviation: the unit in which distances from the band are told.

    Example:
        >>> Band(7.0, 14.0, 3.5).deviations(np.array([3.5, 7.0, 21.0])).tolist()
        [1.0, 0.0, 2.0]
    """

    low: float
    high: float
    spread: float

    def inside(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which values lie within the bounds; NaN does not."""
        return (values >= self.low) & (values <= self.high)

    def deviations(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far outside each value lies, in spreads (in ones where that is 0); 0 inside, and where it is NaN."""
        unit = self.spread if self.spread > 0 else 1.0
        return np.nan_to_num(np.maximum(np.maximum(self.low - values, values - self.high), 0.0)) / unit

    def completed(self, other: Band | None) -> Band:
        """The same band with another's numbers where its own are below 0; with no bounds where there is none."""
        theirs = other or Band(0.0, math.inf, 1.0)
        return Band(
            self.low if self.low >= 0 else theirs.low,
            self.high if self.high >= 0 else theirs.high,
            self.spread if self.spread >= 0 else theirs.spread,
        )


@dataclass(frozen=True)
class Bands:
    """The bands of features by meter and length.

    Args:
        found: by feature, by meter as written (`4/4`, or `any` for all together), by number of bars.

    Example:
        >>> bands = Bands({"range": {"any": {4: Band(7, 14, 3), 8: Band(9, 16, 3)}}})
        >>> bands.lookup("range", Context(), 96)
        Band(low=9, high=16, spread=3)
    """

    found: Mapping[str, Mapping[str, Mapping[int, Band]]]

    def lookup(self, feature: str, context: Context, steps: int) -> Band | None:
        """The band of a feature for melodies of so many steps; None where none was measured.

        It is that of the nearest number of bars, as a ratio, of the meter, or of all meters where the meter's own were
        too few at that length. Where steps tell no time, they are taken for bars by how many notes a bar has.
        """
        by_meter = self.found.get(feature, {})
        lengths = sorted({bars for some in by_meter.values() for bars in some})
        if not lengths:
            return None
        wanted = max(steps / self._steps_per_bar(context), 1e-9)
        bars = min(lengths, key=lambda each: abs(math.log(each / wanted)))
        for meter in (str(context.meter), ANY_METER):
            if bars in by_meter.get(meter, {}):
                return by_meter[meter][bars]
        return None

    def _steps_per_bar(self, context: Context) -> float:
        density = self.found.get("density", {}).get(ANY_METER, {})
        if context.timed or not density:
            return context.steps_per_bar
        notes = [(band.low + band.high) / 2 for band in density.values()]
        return max(float(np.mean(notes)), 1e-3) * context.meter.ticks_per_bar / 24

    def to_toml(self) -> str:
        """As text: a table a feature, a row a meter: `[bars, low, high, spread]`, three digits each."""
        lines = []
        for feature, by_meter in self.found.items():
            lines.append(f"[{feature}]")
            for meter, by_bars in by_meter.items():
                rows = ", ".join(
                    f"[{bars}, {band.low:.3g}, {band.high:.3g}, {band.spread:.3g}]" for bars, band in by_bars.items()
                )
                lines.append(f'"{meter}" = [{rows}]')
            lines.append("")
        return "\n".join(lines)

    @classmethod
    def from_toml(cls, text: str) -> Bands:
        r"""Read what `to_toml` wrote.

        Raises:
            UsageError: it is something else.

        Example:
            >>> Bands.from_toml('[range]\nany = [[4, 7, 14, 3.0]]').found["range"]["any"]
            {4: Band(low=7.0, high=14.0, spread=3.0)}
        """
        try:
            return cls(
                {
                    str(feature): {str(meter): _by_bars(rows) for meter, rows in by_meter.items()}
                    for feature, by_meter in tomllib.loads(text).items()
                }
            )
        except (ValueError, TypeError, AttributeError) as error:
            hint = "write a table a feature with rows like any = [[8, 7.0, 16.0, 3.2]]: bars, low, high, spread"
            raise UsageError("these are not bands of features", hint) from error


def _by_bars(rows: list[Any]) -> dict[int, Band]:
    found = {}
    for bars, low, high, spread in rows:
        if int(bars) < 1 or not float(low) <= float(high) or not float(spread) >= 0:
            raise ValueError(rows)
        found[int(bars)] = Band(float(low), float(high), float(spread))
    return found


@lru_cache(maxsize=1)
def human_bands() -> Bands:
    """The bands of the built-in corpus, which `scripts/measure_bands.py` measured.

    Example:
        >>> human_bands().lookup("range", Context(), 128).low > 5
        True
    """
    return Bands.from_toml(resources.files("cantilena.rules").joinpath("bands.toml").read_text(encoding="utf-8"))


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

    parameters = Rule.from_function(judge).parameters
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


LOW, HIGH = 10, 90
"""The percentiles that bound a band."""


def measure_bands(rules: RuleSet, excerpts: Iterable[tuple[Line, Context]], *, least: int = 200) -> Bands:
    """The bands of all features that the rules of a set judge two-sidedly, by meter and number of bars.

    Args:
        rules: the set.
        excerpts: lines of whole bars; all melodies of one are of one length, meter and key.
        least: how many excerpts of one meter and length it takes to give them bands of their own; all count in the
            bands over all meters.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> tunes = GridEncoding().line(np.array([[14] + [1] * 7 + [21] + [1] * 7] * 2))
        >>> from cantilena.rules import RULE_SETS
        >>> measure_bands(RULE_SETS["cantilena"], [(tunes, Context())], least=3).found["range"]
        {'any': {1: Band(low=7.0, high=7.0, spread=0.0)}}
    """
    features = features_of(rules)
    values: dict[tuple[str, str, int], list[NDArray[np.float64]]] = {}
    for line, context in excerpts:
        if not line.melodies:
            continue
        bars = max(round(int(lengths(line).max()) / context.steps_per_bar), 1)
        for name, feature in features.items():
            found = feature(line, context)
            for meter in (ANY_METER, str(context.meter)):
                values.setdefault((name, meter, bars), []).append(found[~np.isnan(found)])
    order = list(features)
    bands: dict[str, dict[str, dict[int, Band]]] = {}
    for (name, meter, bars), parts in sorted(
        values.items(), key=lambda item: (order.index(item[0][0]), item[0][1] != ANY_METER, item[0][1:])
    ):
        together = np.concatenate(parts)
        if len(together) and (meter == ANY_METER or len(together) >= least):
            low, high = np.percentile(together, (LOW, HIGH))
            band = Band(float(low), float(high), float(together.std()))
            bands.setdefault(name, {}).setdefault(meter, {})[bars] = band
    return Bands(bands)
