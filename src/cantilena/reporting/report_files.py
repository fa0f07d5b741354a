"""The report for other programs and for notes: Markdown to paste, CSV to count on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cantilena.metrics.registry import in_order
from cantilena.reporting.csv_table import csv_table
from cantilena.reporting.data import ReportData, Results, people_first
from cantilena.reporting.summary import summary
from cantilena.reporting.tables import Cell, Table, table_of_systems

COLUMNS = ("system", "metric", "value", "low", "high", "melodies", "reason")
"""What each row of results.csv holds."""

_SIGNS = {"good": "✓ ", "bad": "⚠ ", "note": ""}


def report_markdown(data: ReportData) -> str:
    """The report as Markdown: summary, verdicts, and all numbers of this run, metrics down and systems across.

    Args:
        data: what the report tells.

    Example:
        >>> lstm = {"melodies": 9, "metrics": {"not_in_key": {"value": 0.011, "low": 0.01, "high": 0.012}}}
        >>> print("".join(report_markdown(ReportData({"systems": {"lstm": lstm}})).splitlines(True)[-5:]))
        | | lstm (9) |
        |---|---:|
        | **Rules, as RL Tuner counts them** | |
        | Notes not in key ↓ | 1.1 % (1.0 to 1.2) |
        <BLANKLINE>
    """
    parts = [f"# {_words(data.title)}", *(_words(one) for one in summary(data))]
    said = [f"- {_SIGNS[one.tone]}**{_words(one.system)}**: {_words(one.text)}" for one in data.verdicts]
    parts += ["\n".join(said)] if said else []
    table = table_of_systems(data.results, published=False)
    if table.groups:
        parts.append("\n".join(_rows(table)))
    parts.append("\n".join(f"[^{number}]: {_words(reason)}" for number, reason in enumerate(table.reasons, start=1)))
    return "\n\n".join(part for part in parts if part).replace("\u00a0", " ") + "\n\n"


def results_csv(results: Results) -> str:
    r"""All numbers as CSV, a row a system and metric, harmless to spreadsheets as `csv_table` writes it.

    Args:
        results: the object of results.json.

    Example:
        >>> lstm = {"melodies": 9, "metrics": {"autocorrelation_1": {"value": -0.5, "low": None, "high": None}}}
        >>> print(results_csv({"systems": {"=lstm": lstm}}).replace("\r", ""))
        system,metric,value,low,high,melodies,reason
        '=lstm,autocorrelation_1,-0.5,,,9,
        <BLANKLINE>
    """
    return csv_table(COLUMNS, _cells(results))


def _cells(results: Results) -> Iterator[tuple[Any, ...]]:
    for name, system in people_first(results.get("systems", {})).items():
        metrics = system.get("metrics", {})
        for metric in in_order(metrics):
            entry: dict[str, Any] = dict(metrics[metric] or {})
            numbers = (entry.get(key) for key in ("value", "low", "high"))
            yield name, metric, *numbers, entry.get("melodies", system.get("melodies")), entry.get("reason")


def _rows(table: Table) -> Iterator[str]:
    heads = (
        _words(column.name) + (f" ({column.count:,})" if column.count is not None else "") for column in table.columns
    )
    yield f"| | {' | '.join(heads)} |"
    yield "|---" + "|---:" * len(table.columns) + "|"
    for group, rows in table.groups:
        yield f"| **{_words(group)}** |" + " |" * len(table.columns)
        for row in rows:
            label = f"{_words(row.words.label)} {row.words.sign}".rstrip()
            yield f"| {label} | {' | '.join(_told(cell, table) for cell in row.cells)} |"


def _told(cell: Cell, table: Table) -> str:
    if cell.reason:
        return f"{cell.text}[^{table.note(cell)}]"
    more = [part for part in (cell.interval, cell.note) if part]
    return f"{cell.text} ({', '.join(more)})" if more else cell.text


def _words(text: str) -> str:
    """Text that Markdown takes as it is, in one line."""
    one_line = " ".join(text.split())
    return re.sub(r"([\\`*_{}\[\]<>#|~&$!])", r"\\\1", one_line)
