"""The report: one HTML file that works offline, and the same in Markdown, as CSV and as figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from cantilena.io import score_with_timemap
from cantilena.metrics.registry import get_metric, in_order
from cantilena.music import Pitch
from cantilena.reporting.data import ReportData, Results, human_first
from cantilena.reporting.gallery import Drawing, drawings, two_sample_drawing, write_gallery
from cantilena.reporting.published import SOURCES
from cantilena.reporting.scores import ShownScore, packed, piano_for, player, shown_scores
from cantilena.reporting.sections import (
    CopiedRow,
    by_card,
    card_anchor,
    copied_rows,
    systems_with_melodies,
    two_sample_rows,
)
from cantilena.reporting.summary import summary
from cantilena.reporting.tables import NO_LISTENERS, OURS, Cell, Table, difference_table, table_of_systems
from cantilena.reporting.templates import read_template, render
from cantilena.reporting.text import csv_table
from cantilena.runtime import write_text

Facts = list[tuple[str, str]]
"""Names and formatted values."""

COLUMNS = ("system", "metric", "value", "low", "high", "melodies", "reason")
"""The columns of results.csv."""

_CONTENTS = {
    "listen": "Listen",
    "numbers": "Metrics",
    "differences": "Differences",
    "originality": "Originality",
    "two_sample": "Classifier test",
    "figures": "Figures",
    "scores": "Scores",
    "corpus": "Corpus",
    "method": "Method",
    "run": "Run",
}
"""The sections of the page that the navigation links, if they are not empty."""


def write_report(path: Path, data: ReportData) -> None:
    """Write the report; beside it its figures into `figures`, the same in Markdown, and all metrics in results.csv.

    Melodies are linked relative to the HTML file. The same data give the same bytes.

    Raises:
        InputError: a file could not be written.
    """
    shown, scores, two_sample = drawings(data), shown_scores(data), two_sample_drawing(data)
    write_gallery(path.parent / "figures", (*shown, *([two_sample] if two_sample else [])), scores)
    write_text(path.with_suffix(".md"), report_markdown(data))
    write_text(path.with_name("results.csv"), results_csv(data.results))
    write_text(path, page(data, shown, scores, two_sample))


def page(
    data: ReportData, shown: Sequence[Drawing], scores: Sequence[ShownScore], two_sample: Drawing | None = None
) -> str:
    """The report as HTML, with the figures of `drawings`, `shown_scores` and `two_sample_drawing`."""
    table = table_of_systems(data.results, published=data.published)
    differences = difference_table(data)
    copies = copied_rows(data)
    listen = _cards(data, by_card(copies))
    passages = [row.passage for row in copies if row.staves]
    melodies = chain(
        *(system.melodies for system in systems_with_melodies(data)),
        *((one.excerpt, one.source_excerpt) for one in passages),
    )
    sections: dict[str, Any] = {
        "listen": listen,
        "numbers": table.groups,
        "differences": differences.pairs,
        "originality": copies,
        "two_sample": two_sample_rows(data.two_sample),
        "figures": shown,
        "scores": [(score, packed({"score": score_with_timemap(score.melody).svg})) for score in scores],
        "corpus": corpus_facts(data.corpus),
        "method": True,
        "run": [(title, facts) for title, facts in run_facts(data) if facts],
    }
    measured = in_order(metric for system in data.systems.values() for metric in system.get("metrics", {}))
    return render(
        "report.html",
        css=read_template("report.css"),
        script=read_template("report.js"),
        **sections,
        data=data,
        contents=[(name.replace("_", "-"), label) for name, label in _CONTENTS.items() if sections[name]],
        summary=summary(data),
        table=table,
        ours=OURS,
        tuned={after for _, after in data.tuned},
        sources=SOURCES,
        no_listeners=NO_LISTENERS,
        difference_rows=differences.rows,
        two_sample_drawing=two_sample,
        metrics=[get_metric(name) for name in measured],
        skipped=skipped_by_reason(data.corpus),
        piano=piano_for(melodies),
    )


def _cards(data: ReportData, copies: Mapping[str, CopiedRow]) -> list[tuple[Any, list[tuple[Any, ...]]]]:
    """Each system with the cards of its melodies: the id, the player, and the copied passage if there is one."""
    cards = []
    for place, system in enumerate(systems_with_melodies(data)):
        anchors = [card_anchor(place, index) for index in range(len(system.melodies))]
        cards.append(
            (system, [(anchor, player(system, index), copies.get(anchor)) for index, anchor in enumerate(anchors)])
        )
    return cards


def corpus_facts(corpus: Mapping[str, Any]) -> Facts:
    """The facts of the corpus: what was read, its contents, its split.

    Examples:
        >>> corpus_facts({"read": 9, "melodies": 1200, "split": {"train": 1000, "test": 200}})
        [('Files read', '9'), ('Melodies', '1,200'), ('Split by piece', '1,000 train, 200 test')]
    """
    known = ((name, label, corpus.get(name)) for name, label in _CORPUS_ROWS.items())
    return [(label, _corpus_value(name, value)) for name, label, value in known if value is not None and value != {}]


_CORPUS_ROWS = {
    "name": "Corpus",
    "read": "Files read",
    "skipped": "Files and melodies skipped",
    "ignored": "Other files ignored",
    "melodies": "Melodies",
    "notes": "Notes and chords",
    "vocabulary": "Different tokens",
    "folded": "Notes moved by octaves",
    "rounded": "Notes rounded in time",
    "split": "Split by piece",
    "range": "Range",
    "keys": "Keys",
    "meters": "Meters",
    "licence": "Licence",
}

_MOST_COUNTS = 8


def _corpus_value(name: str, value: Any) -> str:  # noqa: ANN401  (anything JSON can hold)
    if name == "skipped":
        return f"{len(value):,}"
    if name == "range" and isinstance(value, list | tuple):
        return " to ".join(Pitch(pitch).name for pitch in value if isinstance(pitch, int)) or "–"
    if isinstance(value, Mapping):
        counts = [f"{count:,} {kind}" if isinstance(count, int) else f"{kind} {count}" for kind, count in value.items()]
        more = [f"{len(counts) - _MOST_COUNTS} others"] if len(counts) > _MOST_COUNTS else []
        return ", ".join(counts[:_MOST_COUNTS] + more)
    return f"{value:,}" if isinstance(value, int) else str(value)


def skipped_by_reason(corpus: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """The files that were skipped for each reason, the most frequent first.

    Examples:
        >>> skipped_by_reason({"skipped": [{"file": "a.mid", "reason": "it is empty"}]})
        [('it is empty', ['a.mid'])]
    """
    groups: dict[str, list[str]] = {}
    for row in corpus.get("skipped") or ():
        groups.setdefault(str(row.get("reason", "")), []).append(str(row.get("file", "")))
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def run_facts(data: ReportData) -> list[tuple[str, Facts]]:
    """Options, seeds, versions, hashes and timings."""
    timings = [(str(stage), f"{seconds:,.1f} s") for stage, seconds in data.timings.items()]
    if timings:
        timings.append(("total", f"{sum(data.timings.values()):,.1f} s"))
    return [
        ("Options", list(_leaves(data.options))),
        ("Seeds", list(_leaves(data.seeds))),
        ("Versions", list(_leaves(data.versions))),
        ("Hashes, sha256", list(_leaves(data.hashes))),
        ("Time taken", timings),
    ]


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401  (anything JSON can hold)
    """The leaves of nested mappings with their dotted names."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value)) or "–"
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    else:
        yield name, "–" if value is None or value == "" else str(value)


_SIGNS = {"good": "✓ ", "bad": "⚠ ", "note": ""}


def report_markdown(data: ReportData) -> str:
    """The report as Markdown: summary, verdicts, and all metrics of this run by row, systems by column.

    Examples:
        >>> lstm = {"melodies": 9, "metrics": {"not_in_key": {"value": 0.011, "low": 0.01, "high": 0.012}}}
        >>> print("".join(report_markdown(ReportData({"systems": {"lstm": lstm}})).splitlines(True)[-5:]))
        | | lstm (9) |
        |---|---:|
        | **Rules of RL Tuner** | |
        | Notes not in key ↓ | 1.1 % (1.0 to 1.2) |
        <BLANKLINE>
    """
    parts = [f"# {_escaped(data.title)}", *(_escaped(one) for one in summary(data))]
    verdicts = [f"- {_SIGNS[one.tone]}**{_escaped(one.system)}**: {_escaped(one.text)}" for one in data.verdicts]
    table = table_of_systems(data.results, published=False)
    notes = [f"[^{number}]: {_escaped(reason)}" for number, reason in enumerate(table.reasons, start=1)]
    parts += ["\n".join(verdicts), "\n".join(_markdown_rows(table)) if table.groups else "", "\n".join(notes)]
    return "\n\n".join(part for part in parts if part).replace("\u00a0", " ") + "\n\n"


def _markdown_rows(table: Table) -> Iterator[str]:
    heads = (
        _escaped(column.name) + (f" ({column.count:,})" if column.count is not None else "") for column in table.columns
    )
    yield f"| | {' | '.join(heads)} |"
    yield "|---" + "|---:" * len(table.columns) + "|"
    for group, rows in table.groups:
        yield f"| **{_escaped(group)}** |" + " |" * len(table.columns)
        for row in rows:
            label = f"{_escaped(row.metric.label)} {row.metric.sign}".rstrip()
            yield f"| {label} | {' | '.join(_markdown_cell(cell, table) for cell in row.cells)} |"


def _markdown_cell(cell: Cell, table: Table) -> str:
    if cell.reason:
        return f"{cell.text}[^{table.note(cell)}]"
    more = [part for part in (cell.interval, cell.note) if part]
    return f"{cell.text} ({', '.join(more)})" if more else cell.text


def _escaped(text: str) -> str:
    """Text that Markdown shows literally, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&$!])", r"\\\1", " ".join(text.split()))


def results_csv(results: Results) -> str:
    r"""All metrics as CSV, a row for each system and metric, harmless to spreadsheets (`csv_table`).

    Examples:
        >>> lstm = {"melodies": 9, "metrics": {"autocorrelation_1": {"value": -0.5, "low": None, "high": None}}}
        >>> print(results_csv({"systems": {"=lstm": lstm}}).replace("\r", ""))
        system,metric,value,low,high,melodies,reason
        '=lstm,autocorrelation_1,-0.5,,,9,
        <BLANKLINE>
    """
    rows = []
    for name, system in human_first(results.get("systems", {})).items():
        metrics = system.get("metrics", {})
        for metric in in_order(metrics):
            entry: dict[str, Any] = dict(metrics[metric] or {})
            numbers = (entry.get(key) for key in ("value", "low", "high"))
            rows.append((name, metric, *numbers, entry.get("melodies", system.get("melodies")), entry.get("reason")))
    return csv_table(COLUMNS, rows)
