"""People's level: the range of each feature in human melodies, and how many of them have an event.

A rule made by `two_sided` penalises a feature of the whole melody where it leaves its band, the range in human
melodies. An event, such as opening on the tonic, a melody has or has not; its share says how many human melodies have
it.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from importlib import resources
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.rules.notes import last_steps, lengths, ratio, where_defined
from cantilena.rules.rule import Context, Counter, Example, Metric, Rewards, Rule, RuleSet, Unit

MEASURED = -1.0
"""Stands for the measured value of a bound, which is 0 or more."""

ANY = "any"
"""The name of the group of all melodies."""

LOW, HIGH = 10, 90
"""The percentiles that bound a band."""

INSIDE = "_inside"
"""Suffix of a feature's name: the metric for the share of melodies inside its band."""


SHARES = "shares"
"""The table of events in a file of bands."""

LEAST_BAND, LEAST_SHARE = 200, 100
"""How many excerpts of a group and length give it a band of its own, and a share of its own."""


@dataclass(frozen=True, slots=True)
class Band:
    """The range of a feature in human melodies.

    Args:
        low: its 10th percentile.
        high: its 90th percentile.
        spread: its standard deviation, the unit of distances from the band.
        mean: its mean; None if it is unknown.
        count: of excerpts that were measured; 0 if it is unknown.

    Examples:
        >>> Band(7.0, 14.0, 3.5).deviations(np.array([3.5, 7.0, 21.0])).tolist()
        [1.0, 0.0, 2.0]
    """

    low: float
    high: float
    spread: float
    mean: float | None = None
    count: int = 0

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
            measured.mean,
            measured.count,
        )


@dataclass(frozen=True, slots=True)
class Share:
    """The share of human melodies that have an event.

    Args:
        mean: 0 to 1.
        count: of melodies that were counted.
    """

    mean: float
    count: int


def groups_of(context: Context) -> tuple[str, ...]:
    """The groups of human melodies that a context belongs to, from the most specific to that of all melodies.

    Bands and shares are taken from the first of them that has any: meter, mode and style; meter and mode; meter; all.

    Examples:
        >>> groups_of(Context(style="chorales"))
        ('4/4 major chorales', '4/4 major', '4/4', 'any')
    """
    meter, mode = str(context.meter), f"{context.meter} {context.key.mode}"
    return (f"{mode} {context.style}", mode, meter, ANY) if context.style else (mode, meter, ANY)


Measured = TypeVar("Measured", Band, Share)


@dataclass(frozen=True)
class Bands:
    """Bands of features and shares of events by group of melodies and number of bars.

    Args:
        table: bands by feature, by group as in `groups_of`, by number of bars.
        shares: shares by event, by group, by number of bars.

    Examples:
        >>> bands = Bands({"range": {"any": {4: Band(7, 14, 3), 8: Band(9, 16, 3)}}})
        >>> bands.lookup("range", Context(), 96)
        Band(low=9, high=16, spread=3, mean=None, count=0)
    """

    table: Mapping[str, Mapping[str, Mapping[int, Band]]]
    shares: Mapping[str, Mapping[str, Mapping[int, Share]]] = field(default_factory=dict)

    def lookup(self, feature: str, context: Context, steps: int) -> Band | None:
        """Find the band of a feature for melodies of so many steps; None where it was not measured.

        Takes the number of bars with the nearest ratio, of the most specific group that has it. If steps are not timed,
        the number of bars is estimated from the density of notes.
        """
        return self._find(self.table.get(feature, {}), context, steps)

    def share(self, event: str, context: Context, steps: int) -> Share | None:
        """Find the share of human melodies of so many steps that have an event, as `lookup` finds bands.

        Examples:
            >>> Bands({}, {"opening": {"any": {8: Share(0.5, 900)}}}).share("opening", Context(), 128)
            Share(mean=0.5, count=900)
        """
        return self._find(self.shares.get(event, {}), context, steps)

    def _find(self, by_group: Mapping[str, Mapping[int, Measured]], context: Context, steps: int) -> Measured | None:
        known = sorted({bars for by_bars in by_group.values() for bars in by_bars})
        if not known:
            return None
        wanted = max(steps / self._steps_per_bar(context), 1e-9)
        bars = min(known, key=lambda each: abs(math.log(each / wanted)))
        return next((by_group[group][bars] for group in groups_of(context) if bars in by_group.get(group, {})), None)

    def _steps_per_bar(self, context: Context) -> float:
        density = self.table.get("density", {}).get(ANY, {})
        if context.timed or not density:
            return context.steps_per_bar
        notes = [(band.low + band.high) / 2 for band in density.values()]
        return max(float(np.mean(notes)), 1e-3) * context.meter.ticks_per_bar / 24

    def merged(self, other: Bands) -> Bands:
        """Join with others, whose features and events take the place of those of the same name."""
        return Bands({**self.table, **other.table}, {**self.shares, **other.shares})

    def to_toml(self) -> str:
        """Write a table for each feature and event with a row for each group, three digits each.

        Features have `[bars, low, high, spread, mean, count]`, without the last two where they are unknown; events, in
        tables `shares.NAME`, have `[bars, mean, count]`.
        """
        tables = {name: _rows_of(by_group) for name, by_group in self.table.items()}
        tables |= {f"{SHARES}.{name}": _rows_of(by_group) for name, by_group in self.shares.items()}
        return "\n".join(
            "\n".join([f"[{name}]", *(f'"{group}" = [{rows}]' for group, rows in by_group.items()), ""])
            for name, by_group in tables.items()
        )

    @classmethod
    def from_toml(cls, text: str) -> Bands:
        r"""Read what `to_toml` wrote.

        Raises:
            UsageError: the text has another form.

        Examples:
            >>> Bands.from_toml('[range]\nany = [[4, 7, 14, 3.0]]').lookup("range", Context(), 64)
            Band(low=7.0, high=14.0, spread=3.0, mean=None, count=0)
        """
        try:
            tables = tomllib.loads(text)
            shares = tables.pop(SHARES, {})
            return cls(_parsed(tables, _parse_band), _parsed(shares, _parse_share))
        except (ValueError, TypeError, AttributeError) as error:
            hint = "write a table for each feature with rows [bars, low, high, spread]: any = [[8, 7.0, 16.0, 3.2]]"
            raise UsageError("the text is not a table of bands", hint) from error


def _rows_of(by_group: Mapping[str, Mapping[int, Band | Share]]) -> dict[str, str]:
    """The rows of each group as text."""
    return {
        group: ", ".join(f"[{bars}, {_numbers(one)}]" for bars, one in by_bars.items())
        for group, by_bars in by_group.items()
    }


def _numbers(one: Band | Share) -> str:
    numbers = [one.low, one.high, one.spread] if isinstance(one, Band) else []
    known = [] if one.mean is None else [f"{one.mean:.3g}", f"{one.count}"]
    return ", ".join([*(f"{number:.3g}" for number in numbers), *known])


def _parsed(tables: Mapping[str, Any], parse: Callable[..., Measured]) -> dict[str, dict[str, dict[int, Measured]]]:
    return {
        str(name): {str(group): _parse_rows(rows, parse) for group, rows in by_group.items()}
        for name, by_group in tables.items()
    }


def _parse_rows(rows: list[Any], parse: Callable[..., Measured]) -> dict[int, Measured]:
    if any(int(bars) < 1 for bars, *_ in rows):
        raise ValueError(rows)
    return {int(bars): parse(*numbers) for bars, *numbers in rows}


def _parse_band(low: float, high: float, spread: float, mean: float | None = None, count: int = 0) -> Band:
    if not float(low) <= float(high) or not float(spread) >= 0:
        raise ValueError(low, high, spread)
    return Band(float(low), float(high), float(spread), None if mean is None else float(mean), int(count))


def _parse_share(mean: float, count: int) -> Share:
    if not 0 <= float(mean) <= 1:
        raise ValueError(mean)
    return Share(float(mean), int(count))


@lru_cache(maxsize=1)
def human_bands() -> Bands:
    """The bands and shares of the built-in corpus, as measured by `scripts/measure_bands.py`.

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
    `worst`. `low`, `high` and `spread` (the deviation) are measured, for the same meter and mode and the nearest number
    of bars, unless they are given as 0 or more. The reward is 0 where the feature is NaN.

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
            "the same meter and mode and about the same length.",
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
        context: its meter, mode and style select the band.
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
        ['tonic_share', 'range']
    """
    return {rule.name: rule.feature for rule in rules.rules if isinstance(rule, TwoSidedRule) and rule.feature}


def events_of(rules: RuleSet) -> dict[str, Feature]:
    """The events that should be as frequent as in human melodies, by the name of the metric that counts them.

    Each gives 1 for a melody that has the event and 0 for one that has not, NaN where it is undefined. One melody can
    have too little of an event, never too much: what to stop at is the share of melodies that have it (`Bands.share`).

    Examples:
        >>> from cantilena.rules import RULE_SETS
        >>> list(events_of(RULE_SETS["cantilena"]))
        ['opening', 'cadence', 'tonic_close', 'climax', 'motif_return']
    """
    metrics = {metric.name: metric for rule in rules.rules for metric in rule.metrics if metric.better == "people"}
    return {name: partial(_happens, metric.count) for name, metric in metrics.items() if metric.count is not None}


def _happens(count: Counter, line: Line, context: Context) -> NDArray[np.float64]:
    counted, out_of = (np.asarray(each.sum(axis=1)) if each.ndim > 1 else each for each in count(line, context))
    return where_defined(out_of.astype(np.bool_), ratio(counted, out_of))


def with_bands(rules: RuleSet, bands: Bands, context: Context, steps: int) -> RuleSet:
    """Return the same rules, the two-sided ones with the bands for melodies of so many steps."""

    def replaced(rule: Rule) -> Rule:
        band = bands.lookup(rule.name, context, steps) if isinstance(rule, TwoSidedRule) else None
        return rule if band is None else rule.with_parameters(low=band.low, high=band.high, spread=band.spread)

    return replace(rules, rules=tuple(replaced(rule) for rule in rules.rules))


def measure_bands(
    rules: RuleSet,
    excerpts: Iterable[tuple[Line, Context]],
    *,
    least: int = LEAST_BAND,
    least_share: int = LEAST_SHARE,
) -> Bands:
    """Measure the bands of the two-sided rules of a set and the shares of its events, by group and number of bars.

    Args:
        rules: the set.
        excerpts: lines of whole bars, the last of which may be incomplete; all melodies of a line have the same number
            of bars, meter, key and style.
        least: how many excerpts of one group and length give it a band of its own; all count in the bands over all
            melodies.
        least_share: the same for shares.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> tunes = GridEncoding().line(np.array([[14] + [1] * 7 + [21] + [1] * 7] * 2))
        >>> from cantilena.rules import RULE_SETS
        >>> measure_bands(RULE_SETS["cantilena"], [(tunes, Context())], least=3).table["range"]
        {'any': {1: Band(low=7.0, high=7.0, spread=0.0, mean=7.0, count=2)}}
    """
    features, events = features_of(rules), events_of(rules)
    values: dict[tuple[str, str, int], list[NDArray[np.float64]]] = {}
    for line, context in excerpts:
        if not line.melodies:
            continue
        bars = max(math.ceil(int(lengths(line).max()) / context.steps_per_bar), 1)
        for name, feature in {**features, **events}.items():
            numbers = feature(line, context)
            for group in groups_of(context):
                values.setdefault((name, group, bars), []).append(numbers[~np.isnan(numbers)])
    order = [*features, *events]
    bands: dict[str, dict[str, dict[int, Band]]] = {}
    shares: dict[str, dict[str, dict[int, Share]]] = {}
    for (name, group, bars), parts in sorted(
        values.items(), key=lambda item: (order.index(item[0][0]), item[0][1] != ANY, item[0][1:])
    ):
        pooled = np.concatenate(parts)
        mean, count = float(pooled.mean()) if len(pooled) else 0.0, len(pooled)
        if not count or (group != ANY and count < (least if name in features else least_share)):
            continue
        if name in features:
            low, high = np.percentile(pooled, (LOW, HIGH))
            band = Band(float(low), float(high), float(pooled.std()), mean, count)
            bands.setdefault(name, {}).setdefault(group, {})[bars] = band
        else:
            shares.setdefault(name, {}).setdefault(group, {})[bars] = Share(mean, count)
    return Bands(bands, shares)
