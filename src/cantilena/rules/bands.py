"""Bands: rules that penalise a feature of the whole melody where it leaves the range measured in human melodies."""

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
from cantilena.rules.rule import Context, Example, Metric, Rewards, Rule, RuleSet, Unit

MEASURED = -1.0
"""Stands for the measured value of a bound, which is 0 or more."""

ANY_METER = "any"
"""The name of the bands over all meters."""

LOW, HIGH = 10, 90
"""The percentiles that bound a band."""

INSIDE = "_inside"
"""Suffix of a feature's name: the metric for the share of melodies inside its band."""


@dataclass(frozen=True, slots=True)
class Band:
    """The range of a feature in human melodies.

    Args:
        low: its 10th percentile.
        high: its 90th percentile.
        spread: its standard deviation, the unit of distances from the band.

    Examples:
        >>> Band(7.0, 14.0, 3.5).deviations(np.array([3.5, 7.0, 21.0])).tolist()
        [1.0, 0.0, 2.0]
    """

    low: float
    high: float
    spread: float

    def inside(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each value lies within the bounds; NaN does not."""
        return (values >= self.low) & (values <= self.high)

    def deviations(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The distance of each value from the band, in spreads (1 where that is 0); 0 inside, and for NaN."""
        unit = self.spread if self.spread > 0 else 1.0
        return np.nan_to_num(np.maximum(np.maximum(self.low - values, values - self.high), 0.0)) / unit

    def filled_from(self, other: Band | None) -> Band:
        """Take the numbers that are below 0 from another band; without one, the band is unbounded."""
        measured = other or Band(0.0, math.inf, 1.0)
        return Band(
            self.low if self.low >= 0 else measured.low,
            self.high if self.high >= 0 else measured.high,
            self.spread if self.spread >= 0 else measured.spread,
        )


@dataclass(frozen=True)
class Bands:
    """Bands by feature, meter and length.

    Args:
        table: by feature, by meter (`4/4`, or `any` for all together), by number of bars.

    Examples:
        >>> bands = Bands({"range": {"any": {4: Band(7, 14, 3), 8: Band(9, 16, 3)}}})
        >>> bands.lookup("range", Context(), 96)
        Band(low=9, high=16, spread=3)
    """

    table: Mapping[str, Mapping[str, Mapping[int, Band]]]

    def lookup(self, feature: str, context: Context, steps: int) -> Band | None:
        """Find the band of a feature for melodies of so many steps; None where it was not measured.

        Takes the number of bars with the nearest ratio, of the meter or, where that meter has none, of all meters. If
        steps are not timed, the number of bars is estimated from the density of notes.
        """
        by_meter = self.table.get(feature, {})
        known = sorted({bars for by_bars in by_meter.values() for bars in by_bars})
        if not known:
            return None
        wanted = max(steps / self._steps_per_bar(context), 1e-9)
        bars = min(known, key=lambda each: abs(math.log(each / wanted)))
        for meter in (str(context.meter), ANY_METER):
            if bars in by_meter.get(meter, {}):
                return by_meter[meter][bars]
        return None

    def _steps_per_bar(self, context: Context) -> float:
        density = self.table.get("density", {}).get(ANY_METER, {})
        if context.timed or not density:
            return context.steps_per_bar
        notes = [(band.low + band.high) / 2 for band in density.values()]
        return max(float(np.mean(notes)), 1e-3) * context.meter.ticks_per_bar / 24

    def to_toml(self) -> str:
        """Write a table for each feature with a row for each meter: `[bars, low, high, spread]`, three digits each."""
        lines = []
        for feature, by_meter in self.table.items():
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
            UsageError: the text has another form.

        Examples:
            >>> Bands.from_toml('[range]\nany = [[4, 7, 14, 3.0]]').table["range"]["any"]
            {4: Band(low=7.0, high=14.0, spread=3.0)}
        """
        try:
            return cls(
                {
                    str(feature): {str(meter): _parse_rows(rows) for meter, rows in by_meter.items()}
                    for feature, by_meter in tomllib.loads(text).items()
                }
            )
        except (ValueError, TypeError, AttributeError) as error:
            hint = "write a table for each feature with rows [bars, low, high, spread]: any = [[8, 7.0, 16.0, 3.2]]"
            raise UsageError("the text is not a table of bands", hint) from error


def _parse_rows(rows: list[Any]) -> dict[int, Band]:
    bands = {}
    for bars, low, high, spread in rows:
        if int(bars) < 1 or not float(low) <= float(high) or not float(spread) >= 0:
            raise ValueError(rows)
        bands[int(bars)] = Band(float(low), float(high), float(spread))
    return bands


@lru_cache(maxsize=1)
def human_bands() -> Bands:
    """The bands of the built-in corpus, as measured by `scripts/measure_bands.py`.

    Examples:
        >>> human_bands().lookup("range", Context(), 128).low > 5
        True
    """
    return Bands.from_toml(resources.files("cantilena.rules").joinpath("bands.toml").read_text(encoding="utf-8"))


Feature = Callable[[Line, Context], NDArray[np.float64]]
"""`feature(line, context)`: one number for each melody, `(melodies,)`, 0 or more; NaN where it is undefined."""


@dataclass(frozen=True)
class TwoSidedRule(Rule):
    """A rule on one feature of whole melodies, made by `two_sided`.

    Args:
        feature: computes the feature.
    """

    feature: Feature | None = None


def two_sided(
    name: str,
    feature: Feature,
    description: str,
    *,
    source: str,
    label: str = "",
    definition: str = "",
    unit: Unit = "share",
    rule_set: str = "",
    example: Example | None = None,
    needs_chords: bool = False,
) -> TwoSidedRule:
    """Make a rule that is 0 while a feature lies within its band and negative outside, on the last step.

    The penalty is proportional to the distance from the band, in standard deviations of human melodies, limited to
    `worst`. `low`, `high` and `spread` (the deviation) are measured, for the same meter and the nearest number of bars,
    unless they are given as 0 or more. The reward is 0 where the feature is NaN.

    Args:
        name: of the rule and of its band.
        feature: computes the feature.
        description: one line.
        source: where the idea was published.
        label: what tables call the feature.
        definition: of its mean over melodies, one sentence.
        unit: of the feature.
        rule_set: as in `rule`.
        example: as in `rule`.
        needs_chords: as in `rule`.
    """

    def rewards(
        line: Line,
        context: Context,
        *,
        low: float = MEASURED,
        high: float = MEASURED,
        spread: float = MEASURED,
        penalty: float = -2.0,
        worst: float = -4.0,
    ) -> Rewards:
        distance = deviations(name, feature(line, context), line, context, Band(low, high, spread))
        return np.where(last_steps(line), np.maximum(penalty * distance, worst)[:, None], 0.0)

    metrics = (
        Metric(name, label or name, definition, unit=unit),
        Metric(
            name + INSIDE,
            f"{label.partition(',')[0] or name} like people's",
            "Share of melodies in which that number lies between the 10th and the 90th percentile of human melodies of "
            "the same meter and about the same length.",
            better="more",
        ),
    )
    parameters = Rule.from_function(rewards).parameters
    return TwoSidedRule(
        name, description, source, rewards, parameters,
        rule_set=rule_set, metrics=metrics, example=example, needs_chords=needs_chords, feature=feature,
    )  # fmt: skip


_MEASURED_BAND = Band(MEASURED, MEASURED, MEASURED)


def deviations(
    name: str,
    values: NDArray[np.float64],
    line: Line,
    context: Context,
    own: Band = _MEASURED_BAND,
) -> NDArray[np.float64]:
    """Compute how far a feature lies outside its band, in standard deviations of human melodies, `(melodies,)`.

    Args:
        name: of the rule on that feature.
        values: `(melodies,)`, the feature; NaN gives 0.
        line: the melodies; their lengths select the band.
        context: its meter selects the band.
        own: numbers that replace the measured ones, where they are 0 or more.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1]]))
        >>> deviations("range", np.array([2.0]), line, Context(), Band(5.0, 12.0, 1.5)).tolist()
        [2.0]
    """
    length, outside = lengths(line), np.zeros(line.melodies)
    for steps in np.unique(length):
        rows = length == steps
        band = own.filled_from(human_bands().lookup(name, context, int(steps)))
        outside[rows] = band.deviations(values[rows])
    return outside


def features_of(rules: RuleSet) -> dict[str, Feature]:
    """The features of the two-sided rules of a set, by the name of the rule, in order.

    Examples:
        >>> from cantilena.rules import RULE_SETS
        >>> list(features_of(RULE_SETS["cantilena"]))[:2]
        ['range', 'motion']
    """
    return {rule.name: rule.feature for rule in rules.rules if isinstance(rule, TwoSidedRule) and rule.feature}


def with_bands(rules: RuleSet, bands: Bands, context: Context, steps: int) -> RuleSet:
    """Return the same rules, the two-sided ones with the bands for melodies of so many steps."""

    def replaced(rule: Rule) -> Rule:
        band = bands.lookup(rule.name, context, steps) if isinstance(rule, TwoSidedRule) else None
        return rule if band is None else rule.with_parameters(low=band.low, high=band.high, spread=band.spread)

    return replace(rules, rules=tuple(replaced(rule) for rule in rules.rules))


def measure_bands(rules: RuleSet, excerpts: Iterable[tuple[Line, Context]], *, least: int = 200) -> Bands:
    """Measure the bands of the two-sided rules of a set, by meter and number of bars.

    Args:
        rules: the set.
        excerpts: lines of whole bars; all melodies of a line have the same length, meter and key.
        least: how many excerpts of one meter and length give it a band of its own; all count in the bands over all
            meters.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> tunes = GridEncoding().line(np.array([[14] + [1] * 7 + [21] + [1] * 7] * 2))
        >>> from cantilena.rules import RULE_SETS
        >>> measure_bands(RULE_SETS["cantilena"], [(tunes, Context())], least=3).table["range"]
        {'any': {1: Band(low=7.0, high=7.0, spread=0.0)}}
    """
    features = features_of(rules)
    values: dict[tuple[str, str, int], list[NDArray[np.float64]]] = {}
    for line, context in excerpts:
        if not line.melodies:
            continue
        bars = max(round(int(lengths(line).max()) / context.steps_per_bar), 1)
        for name, feature in features.items():
            numbers = feature(line, context)
            for meter in (ANY_METER, str(context.meter)):
                values.setdefault((name, meter, bars), []).append(numbers[~np.isnan(numbers)])
    order = list(features)
    bands: dict[str, dict[str, dict[int, Band]]] = {}
    for (name, meter, bars), parts in sorted(
        values.items(), key=lambda item: (order.index(item[0][0]), item[0][1] != ANY_METER, item[0][1:])
    ):
        pooled = np.concatenate(parts)
        if len(pooled) and (meter == ANY_METER or len(pooled) >= least):
            low, high = np.percentile(pooled, (LOW, HIGH))
            band = Band(float(low), float(high), float(pooled.std()))
            bands.setdefault(name, {}).setdefault(meter, {})[bars] = band
    return Bands(bands)
