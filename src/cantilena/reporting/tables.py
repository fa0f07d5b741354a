"""The table of systems: our numbers with their intervals, and beside them what others published.

Which numbers tell which systems apart, arranged for a report: metrics down, pairs across.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cantilena.metrics.registry import Metric, get_metric, in_order
from cantilena.reporting.data import SIGNIFICANCE_LEVEL, DifferenceTested, ReportData, Results, people_first
from cantilena.reporting.published import PUBLISHED, PublishedSystem

NOBODY_ASKED = "no one has been asked"
"""What stands in place of a listening score that was never taken."""

AGAINST_EACH_OTHER = "people against people"
"""What people's own number is where it is the most that any system can reach (`ceiling` in its entry)."""

_MISSING = "–"


@dataclass(frozen=True)
class Column:
    """A system of the table.

    Args:
        name: as it calls itself.
        group: whose it is: this run's, or the authors who published it.
        count: how many melodies its numbers are over; None where the group says it.
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
        text: the number as it is read.
        interval: its interval, or nothing.
        reason: why there is no number, or nothing.
        share: 0 to 1 where the number is a share, to be drawn as a bar.
        note: what else the number is, or nothing.
    """

    text: str
    interval: str = ""
    reason: str = ""
    share: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A metric and its number for each system."""

    words: Metric
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Metrics down, systems across.

    Args:
        columns: this run's systems, people's melodies first, then the published ones.
        groups: rows by the part of the table they stand in, in order.
        turing: for each column, the share of melodies that listeners took for human.
        reasons: why numbers are missing, each once, in the order of their first cell.
    """

    columns: tuple[Column, ...]
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    turing: tuple[Cell, ...]
    reasons: tuple[str, ...]

    @property
    def column_groups(self) -> tuple[tuple[str, int], ...]:
        """Who the columns belong to, and how many each has."""
        counted: dict[str, int] = {}
        for column in self.columns:
            counted[column.group] = counted.get(column.group, 0) + 1
        return tuple(counted.items())

    def note(self, cell: Cell) -> int:
        """The number of a cell's reason in the notes, from 1."""
        return self.reasons.index(cell.reason) + 1


OURS = "This run"


def table_of_systems(results: Results, *, published: bool = True) -> Table:
    r"""Arrange what was measured, people's melodies first, beside what was published.

    Args:
        results: the object of results.json.
        published: whether the published systems stand beside them.

    Example:
        >>> lstm = {"melodies": 9, "metrics": {"not_in_key": {"value": 0.011, "low": 0.01, "high": 0.012}}}
        >>> table = table_of_systems({"systems": {"lstm": lstm}})
        >>> table.groups[0][1][0].cells[0].text, table.groups[0][1][0].cells[1].text, table.turing[0].text
        ('1.1\xa0%', '5.0\xa0%', 'no one has been asked')
    """
    systems = people_first(results.get("systems", {}))
    others = PUBLISHED if published else ()
    columns = [
        *(Column(name, OURS, _count(system)) for name, system in systems.items()),
        *(Column(other.name, other.authors) for other in others),
    ]
    groups = [column.group for column in columns]
    columns = [replace(column, is_first=groups.index(column.group) == at) for at, column in enumerate(columns)]
    rows: dict[str, list[Row]] = {}
    measured = in_order(metric for system in systems.values() for metric in system.get("metrics", {}))
    for words in map(get_metric, measured):
        cells = (
            *(_cell(system.get("metrics", {}).get(words.name), words) for system in systems.values()),
            *(_published_cell(other, words) for other in others),
        )
        rows.setdefault(words.group, []).append(Row(words, cells))
    scores = ("" if other.turing_score is None else f"{other.turing_score:.1f}" for other in others)
    turing = (*(Cell(NOBODY_ASKED) for _ in systems), *(Cell(score or _MISSING) for score in scores))
    every = (cell.reason for group in rows.values() for row in group for cell in row.cells)
    reasons = tuple(dict.fromkeys(reason for reason in every if reason))
    return Table(tuple(columns), tuple((group, tuple(some)) for group, some in rows.items()), turing, reasons)


def table_text(results: Results) -> str:
    """What was measured as plain text, for a terminal: a row a metric, a column a system, and people's band if told.

    Example:
        >>> lstm = {"melodies": 9, "metrics": {"not_in_key": {"value": 0.011, "low": 0.01, "high": 0.012}}}
        >>> print(table_text({"systems": {"lstm": lstm}}))
                                          lstm
        Rules, as RL Tuner counts them
          Notes not in key               1.1 %
    """
    systems: Mapping[str, Any] = results.get("systems", {})
    width = max(8, *(len(name) + 2 for name in systems))
    rows, group = [" " * 30 + "".join(f"{name:>{width}}" for name in systems)], ""
    for words in map(get_metric, in_order(metric for system in systems.values() for metric in system["metrics"])):
        if words.group != group:
            group = words.group
            rows.append(group)
        entries = [system["metrics"].get(words.name) for system in systems.values()]
        band = next((entry["band"] for entry in entries if entry and entry.get("band")), None)
        told = f"   people: {number(band[0], words)} to {number(band[1], words)}" if band else ""
        cells = (_cell(entry, words).text for entry in entries)
        rows.append(f"  {words.label:<28}" + "".join(f"{cell:>{width}}" for cell in cells) + told)
    return "\n".join(rows).replace("\u00a0", " ")


def table_markdown(results: Results) -> str:
    """What was measured as a Markdown table: a row a system, a column a metric, 95 % intervals beside the values.

    Example:
        >>> lstm = {"melodies": 9, "metrics": {"not_in_key": {"value": 0.011, "low": 0.01, "high": 0.012}}}
        >>> print(table_markdown({"systems": {"lstm": lstm}}))
        | | Notes not in key |
        |---|---|
        | lstm | 1.1 % (1.0 to 1.2) |
        <BLANKLINE>
    """
    systems: Mapping[str, Any] = results.get("systems", {})
    metrics = [
        get_metric(name) for name in in_order(metric for system in systems.values() for metric in system["metrics"])
    ]
    rows = ["| | " + " | ".join(words.label for words in metrics) + " |", "|---" * (len(metrics) + 1) + "|"]
    for name, system in systems.items():
        cells = (_cell(system["metrics"].get(words.name), words) for words in metrics)
        shown = (f"{cell.text} ({cell.interval})" if cell.interval else cell.text for cell in cells)
        rows.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(rows).replace("\u00a0", " ") + "\n"


def number(value: float, words: Metric) -> str:
    r"""A number as it is read: shares in per cent, small ones with their first digit.

    Example:
        >>> number(0.633, get_metric("in_motif")), number(0.00007, get_metric("in_motif")), number(0, get_metric("in_motif"))
        ('63.3\xa0%', '0.007\xa0%', '0.0\xa0%')
        >>> number(-0.16, get_metric("autocorrelation_1"))
        '−0.16'
    """
    if words.unit == "share":
        return f"{_percent(value)}\u00a0%"
    digits = 3 if words.unit == "nats" and 0 < abs(value) < 0.095 else 2
    return f"{value:.{digits}f}".replace("-", "−")


def _cell(entry: Mapping[str, Any] | None, words: Metric) -> Cell:
    if not entry or entry.get("value") is None:
        return Cell(_MISSING, reason=str((entry or {}).get("reason") or "not measured for this system"))
    value, low, high = float(entry["value"]), entry.get("low"), entry.get("high")
    interval = ""
    if low is not None and high is not None:
        interval = f"{_bare(float(low), words)} to {_bare(float(high), words)}"
    note = AGAINST_EACH_OTHER if entry.get("ceiling") else ""
    return Cell(number(value, words), interval, share=value if words.unit == "share" else None, note=note)


def _published_cell(published: PublishedSystem, words: Metric) -> Cell:
    value = published.values.get(words.name)
    if value is None:
        return Cell(_MISSING)
    return Cell(number(value, words), share=value if words.unit == "share" else None)


def _bare(value: float, words: Metric) -> str:
    return _percent(value) if words.unit == "share" else number(value, words)


def _percent(value: float) -> str:
    percent = 100 * value
    if percent == 0 or abs(percent) >= 0.095:
        return f"{percent:.1f}"
    return f"{percent:.{-math.floor(math.log10(abs(percent)))}f}"


def _count(system: Mapping[str, Any]) -> int | None:
    count = system.get("melodies")
    return int(count) if isinstance(count, int | float) else None


@dataclass(frozen=True)
class PairDiffers:
    """Two systems and how many of their numbers differ.

    Args:
        first: the system that is held beside the other.
        second: the other.
        held: differences that hold after correction.
        tested: differences that were tested.
        rest: the others: what they are of, and their p-value or why there is none.
    """

    first: str
    second: str
    held: int
    tested: int
    rest: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Shift:
    """A difference that holds.

    Args:
        text: from the first system's number to the second's.
        p: its corrected p-value in words.
    """

    text: str
    p: str


@dataclass(frozen=True)
class DifferenceTable:
    """The differences of a report.

    Args:
        pairs: of systems, in the order in which they were tested.
        rows: metrics in which any pair differs, each with a cell a pair; None where it does not hold.
    """

    pairs: tuple[PairDiffers, ...]
    rows: tuple[tuple[Metric, tuple[Shift | None, ...]], ...]


def difference_table(data: ReportData) -> DifferenceTable:
    """Arrange the differences of a report.

    Args:
        data: what the report is made of.
    """
    pairs: dict[tuple[str, str], dict[str, DifferenceTested]] = {}
    for one in data.differences:
        pairs.setdefault((one.first, one.second), {})[one.metric] = one
    held = {pair: {metric: one for metric, one in found.items() if holds(one)} for pair, found in pairs.items()}
    metrics = in_order(metric for found in held.values() for metric in found)
    rows = tuple(
        (get_metric(metric), tuple(_shift(data, found[metric]) if metric in found else None for found in held.values()))
        for metric in metrics
    )
    return DifferenceTable(tuple(_pair(*pair, found) for pair, found in pairs.items()), rows)


def holds(one: DifferenceTested) -> bool:
    """Whether a difference holds after correction."""
    adjusted = _known(one.adjusted)
    return adjusted is not None and adjusted <= SIGNIFICANCE_LEVEL


def in_words(p: float | None) -> str:
    """A p-value as it is read.

    Example:
        >>> in_words(0.0002), in_words(0.034), in_words(1.0), in_words(None)
        ('p < 0.001', 'p 0.034', 'p 1', 'not tested')
    """
    known = _known(p)
    if known is None:
        return "not tested"
    return "p < 0.001" if known < 0.001 else f"p {known:.2g}"


def _pair(first: str, second: str, found: Mapping[str, DifferenceTested]) -> PairDiffers:
    tested = [one for one in found.values() if _known(one.adjusted) is not None]
    rest = tuple(
        (get_metric(metric).label, _why(found[metric])) for metric in in_order(found) if not holds(found[metric])
    )
    return PairDiffers(first, second, sum(map(holds, tested)), len(tested), rest)


def _why(one: DifferenceTested) -> str:
    reason = str(getattr(one, "reason", "") or "")
    return in_words(one.adjusted) if _known(one.adjusted) is not None or not reason else reason


def _shift(data: ReportData, one: DifferenceTested) -> Shift:
    words = get_metric(one.metric)
    entries = (_entry(data, name, one.metric) for name in (one.first, one.second))
    values = [_known(entry.get("value")) for entry in entries]
    known = [number(value, words) for value in values if value is not None]
    if len(known) == 2:
        before, after = known
        return Shift(f"{before.removesuffix(chr(0xA0) + '%')} → {after}", in_words(one.adjusted))
    value = _known(one.value)
    return Shift("differs" if value is None else f"by {number(value, words)}", in_words(one.adjusted))


def _entry(data: ReportData, system: str, metric: str) -> Mapping[str, Any]:
    return data.systems.get(system, {}).get("metrics", {}).get(metric) or {}


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
