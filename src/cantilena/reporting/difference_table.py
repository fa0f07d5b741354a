"""Which numbers tell which systems apart, arranged for a report: metrics down, pairs across."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cantilena.metrics.metric_words import MetricWords
from cantilena.metrics.registry import in_order, words_of
from cantilena.reporting.data import ReportData
from cantilena.reporting.report_findings import HOLDS, DifferenceTested
from cantilena.reporting.tables import number


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
    rows: tuple[tuple[MetricWords, tuple[Shift | None, ...]], ...]


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
        (words_of(metric), tuple(_shift(data, found[metric]) if metric in found else None for found in held.values()))
        for metric in metrics
    )
    return DifferenceTable(tuple(_pair(*pair, found) for pair, found in pairs.items()), rows)


def holds(one: DifferenceTested) -> bool:
    """Whether a difference holds after correction."""
    adjusted = _known(one.adjusted)
    return adjusted is not None and adjusted <= HOLDS


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
        (words_of(metric).label, _why(found[metric])) for metric in in_order(found) if not holds(found[metric])
    )
    return PairDiffers(first, second, sum(map(holds, tested)), len(tested), rest)


def _why(one: DifferenceTested) -> str:
    reason = str(getattr(one, "reason", "") or "")
    return in_words(one.adjusted) if _known(one.adjusted) is not None or not reason else reason


def _shift(data: ReportData, one: DifferenceTested) -> Shift:
    words = words_of(one.metric)
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
