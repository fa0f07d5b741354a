"""Tables of metrics: systems with their intervals beside the published ones, and significant differences of pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cantilena.metrics import Difference
from cantilena.metrics.registry import Metric, get_metric, in_order
from cantilena.reporting.data import SIGNIFICANCE_LEVEL, ReportData, Results, human_first
from cantilena.reporting.published import PUBLISHED, PublishedSystem

OURS = "This run"

NO_LISTENERS = "not tested"
"""In place of a Turing score: no listening test was run."""

CEILING = "human against human"
"""The note at a reference value that is the ceiling for all systems (`ceiling` in its entry)."""

_MISSING = "–"


@dataclass(frozen=True)
class Column:
    """A system of the table.

    Args:
        name: of the system.
        group: this run, or the authors who published it.
        count: the number of melodies; None where the group says it.
        is_first: whether it is the first of its group.
    """

    name: str
    group: str
    count: int | None = None
    is_first: bool = False


@dataclass(frozen=True)
class Cell:
    """A number in the table.

    Args:
        text: the formatted number.
        interval: its interval, or nothing.
        reason: why there is no number, or nothing.
        share: 0 to 1 where the number is a share, to be drawn as a bar.
        note: a remark, or nothing.
    """

    text: str
    interval: str = ""
    reason: str = ""
    share: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A metric and its number for each system."""

    metric: Metric
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Metrics by row, systems by column.

    Args:
        columns: the systems of this run, human melodies first, then the published ones.
        groups: rows by section, in order.
        turing: for each column, the share of melodies that listeners took for human.
        reasons: why numbers are missing, without duplicates, in the order of their first cell.
    """

    columns: tuple[Column, ...]
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    turing: tuple[Cell, ...]
    reasons: tuple[str, ...]

    @property
    def column_groups(self) -> tuple[tuple[str, int], ...]:
        """The groups of columns, and the size of each."""
        sizes: dict[str, int] = {}
        for column in self.columns:
            sizes[column.group] = sizes.get(column.group, 0) + 1
        return tuple(sizes.items())

    def note(self, cell: Cell) -> int:
        """The number of a cell's reason in the notes, from 1."""
        return self.reasons.index(cell.reason) + 1


def table_of_systems(results: Results, *, published: bool = True) -> Table:
    r"""Arrange the results, human melodies first, beside the published ones.

    Examples:
        >>> lstm = {"melodies": 9, "metrics": {"not_in_key": {"value": 0.011, "low": 0.01, "high": 0.012}}}
        >>> table = table_of_systems({"systems": {"lstm": lstm}})
        >>> table.groups[0][1][0].cells[0].text, table.groups[0][1][0].cells[1].text, table.turing[0].text
        ('1.1\xa0%', '5.0\xa0%', 'not tested')
    """
    systems = human_first(results.get("systems", {}))
    others = PUBLISHED if published else ()
    named = [
        *((name, OURS, _count(system)) for name, system in systems.items()),
        *((other.name, other.authors, None) for other in others),
    ]
    groups = [group for _, group, _ in named]
    columns = tuple(Column(*column, groups.index(column[1]) == place) for place, column in enumerate(named))
    rows: dict[str, list[Row]] = {}
    for metric in _metrics(systems):
        cells = (
            *(_cell(system.get("metrics", {}).get(metric.name), metric) for system in systems.values()),
            *(_published_cell(other, metric) for other in others),
        )
        rows.setdefault(metric.group, []).append(Row(metric, cells))
    scores = ("" if other.turing_score is None else f"{other.turing_score:.1f}" for other in others)
    turing = (*(Cell(NO_LISTENERS) for _ in systems), *(Cell(score or _MISSING) for score in scores))
    every = (cell.reason for group in rows.values() for row in group for cell in row.cells)
    reasons = tuple(dict.fromkeys(reason for reason in every if reason))
    return Table(columns, tuple((group, tuple(some)) for group, some in rows.items()), turing, reasons)


def table_text(results: Results) -> str:
    """The results as plain text for a terminal: metrics by row, systems by column, and the human range if known.

    Examples:
        >>> lstm = {"melodies": 9, "metrics": {"not_in_key": {"value": 0.011, "low": 0.01, "high": 0.012}}}
        >>> print(table_text({"systems": {"lstm": lstm}}))
                                          lstm
        Rules of RL Tuner
          Notes not in key               1.1 %
    """
    systems: Mapping[str, Any] = results.get("systems", {})
    width = max(8, *(len(name) + 2 for name in systems))
    rows, group = [" " * 30 + "".join(f"{name:>{width}}" for name in systems)], ""
    for metric in _metrics(systems):
        if metric.group != group:
            group = metric.group
            rows.append(group)
        entries = [system["metrics"].get(metric.name) for system in systems.values()]
        band = next((entry["band"] for entry in entries if entry and entry.get("band")), None)
        human = f"   human: {number(band[0], metric)} to {number(band[1], metric)}" if band else ""
        cells = (_cell(entry, metric).text for entry in entries)
        rows.append(f"  {metric.label:<28}" + "".join(f"{cell:>{width}}" for cell in cells) + human)
    return "\n".join(rows).replace("\u00a0", " ")


def table_markdown(results: Results) -> str:
    """The results as a Markdown table: systems by row, metrics by column, with 95 % intervals.

    Examples:
        >>> lstm = {"melodies": 9, "metrics": {"not_in_key": {"value": 0.011, "low": 0.01, "high": 0.012}}}
        >>> print(table_markdown({"systems": {"lstm": lstm}}))
        | | Notes not in key |
        |---|---|
        | lstm | 1.1 % (1.0 to 1.2) |
        <BLANKLINE>
    """
    systems: Mapping[str, Any] = results.get("systems", {})
    metrics = _metrics(systems)
    rows = ["| | " + " | ".join(metric.label for metric in metrics) + " |", "|---" * (len(metrics) + 1) + "|"]
    for name, system in systems.items():
        cells = (_cell(system["metrics"].get(metric.name), metric) for metric in metrics)
        shown = (f"{cell.text} ({cell.interval})" if cell.interval else cell.text for cell in cells)
        rows.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(rows).replace("\u00a0", " ") + "\n"


def number(value: float, metric: Metric) -> str:
    r"""Format a value: shares in per cent, small ones with one significant digit.

    Examples:
        >>> share = get_metric("in_motif")
        >>> number(0.633, share), number(0.00007, share), number(0, share)
        ('63.3\xa0%', '0.007\xa0%', '0.0\xa0%')
        >>> number(-0.16, get_metric("autocorrelation_1"))
        '−0.16'
    """
    if metric.unit == "share":
        return f"{_percent(value)}\u00a0%"
    digits = 3 if metric.unit == "nats" and 0 < abs(value) < 0.095 else 2
    return f"{value:.{digits}f}".replace("-", "−")


def _metrics(systems: Mapping[str, Any]) -> list[Metric]:
    """The metrics of any system, in order."""
    names = in_order(name for system in systems.values() for name in system.get("metrics", {}))
    return [get_metric(name) for name in names]


def _cell(entry: Mapping[str, Any] | None, metric: Metric) -> Cell:
    if not entry or entry.get("value") is None:
        return Cell(_MISSING, reason=str((entry or {}).get("reason") or "not measured for this system"))
    value, low, high = float(entry["value"]), entry.get("low"), entry.get("high")
    interval = ""
    if low is not None and high is not None:
        interval = f"{_without_unit(float(low), metric)} to {_without_unit(float(high), metric)}"
    share = value if metric.unit == "share" else None
    return Cell(number(value, metric), interval, share=share, note=CEILING if entry.get("ceiling") else "")


def _published_cell(published: PublishedSystem, metric: Metric) -> Cell:
    value = published.values.get(metric.name)
    if value is None:
        return Cell(_MISSING)
    return Cell(number(value, metric), share=value if metric.unit == "share" else None)


def _without_unit(value: float, metric: Metric) -> str:
    return _percent(value) if metric.unit == "share" else number(value, metric)


def _percent(value: float) -> str:
    percent = 100 * value
    if percent == 0 or abs(percent) >= 0.095:
        return f"{percent:.1f}"
    return f"{percent:.{-math.floor(math.log10(abs(percent)))}f}"


def _count(system: Mapping[str, Any]) -> int | None:
    count = system.get("melodies")
    return int(count) if isinstance(count, int | float) else None


@dataclass(frozen=True)
class ComparedPair:
    """Two systems and how many of their metrics differ significantly.

    Args:
        first: the first system.
        second: the second system.
        significant: the number of significant differences.
        tested: the number of tested differences.
        rest: the others: the label of the metric, and its p-value or why there is none.
    """

    first: str
    second: str
    significant: int
    tested: int
    rest: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Shift:
    """A significant difference.

    Args:
        text: from the first system's value to the second's.
        p: its corrected p-value, formatted.
    """

    text: str
    p: str


@dataclass(frozen=True)
class DifferenceTable:
    """The differences of a report.

    Args:
        pairs: of systems, in the order in which they were tested.
        rows: metrics with a significant difference, each with a cell for each pair; None where it is not significant.
    """

    pairs: tuple[ComparedPair, ...]
    rows: tuple[tuple[Metric, tuple[Shift | None, ...]], ...]


def difference_table(data: ReportData) -> DifferenceTable:
    """Arrange the differences of a report."""
    pairs: dict[tuple[str, str], dict[str, Difference]] = {}
    for one in data.differences:
        pairs.setdefault((one.first, one.second), {})[one.metric] = one
    significant = [{name: one for name, one in tested.items() if is_significant(one)} for tested in pairs.values()]
    rows = tuple(
        (get_metric(name), tuple(_shift(data, some[name]) if name in some else None for some in significant))
        for name in in_order(name for some in significant for name in some)
    )
    return DifferenceTable(tuple(_pair(*pair, tested) for pair, tested in pairs.items()), rows)


def is_significant(one: Difference) -> bool:
    """Whether a difference is significant after correction."""
    return one.adjusted is not None and one.adjusted <= SIGNIFICANCE_LEVEL


def p_text(p: float | None) -> str:
    """Format a p-value.

    Examples:
        >>> p_text(0.0002), p_text(0.034), p_text(1.0), p_text(None)
        ('p < 0.001', 'p 0.034', 'p 1', 'not tested')
    """
    if p is None or math.isnan(p):
        return "not tested"
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"


def _pair(first: str, second: str, tested: Mapping[str, Difference]) -> ComparedPair:
    known = [one for one in tested.values() if one.adjusted is not None]
    rest = tuple(
        (get_metric(name).label, tested[name].reason or p_text(tested[name].adjusted))
        for name in in_order(tested)
        if not is_significant(tested[name])
    )
    return ComparedPair(first, second, sum(map(is_significant, known)), len(known), rest)


def _shift(data: ReportData, one: Difference) -> Shift:
    metric = get_metric(one.metric)
    entries = (data.systems.get(name, {}).get("metrics", {}).get(one.metric) or {} for name in (one.first, one.second))
    values = [entry.get("value") for entry in entries]
    known = [number(value, metric) for value in values if value is not None]
    if len(known) == 2:
        before, after = known
        return Shift(f"{before.removesuffix(chr(0xA0) + '%')} → {after}", p_text(one.adjusted))
    return Shift("differs" if one.value is None else f"by {number(one.value, metric)}", p_text(one.adjusted))
