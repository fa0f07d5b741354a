"""The report: one file that opens offline, with what was run, what was measured, and the melodies to hear and see.

What a report says of the corpus and of the run, as rows: a name and a value each.

The report for other programs and for notes: Markdown to paste, CSV to count on.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cantilena.errors import __version__
from cantilena.io import score_with_timemap
from cantilena.metrics.registry import get_metric, in_order
from cantilena.music import Melody, Pitch
from cantilena.reporting.data import ReportData, Results, people_first
from cantilena.reporting.gallery import Drawing, drawings, listener_drawing, write_gallery
from cantilena.reporting.published import SOURCES
from cantilena.reporting.scores import ShownScore, packed, piano_for, player, shown_scores
from cantilena.reporting.sections import CopiedRow, by_card, card_anchor, copied_rows, heard, listener_rows
from cantilena.reporting.summary import summary
from cantilena.reporting.tables import NOBODY_ASKED, OURS, Cell, Table, difference_table, table_of_systems
from cantilena.reporting.text import csv_table
from cantilena.runtime import write_text

Facts = list[tuple[str, str]]
"""Names and values as a person reads them."""


def corpus_facts(corpus: Mapping[str, Any]) -> Facts:
    """The corpus report as rows: what was read, what is in it, how it was split.

    Example:
        >>> corpus_facts({"read": 9, "melodies": 1200, "split": {"train": 1000, "test": 200}})
        [('Files read', '9'), ('Melodies', '1,200'), ('Split by piece', '1,000 train, 200 test')]
    """
    rows: Facts = []
    for name, label in _CORPUS_ROWS.items():
        value = corpus.get(name)
        if value is None or value == {}:
            continue
        rows.append((label, _plain(name, value)))
    return rows


def skipped_by_reason(corpus: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """The files that were skipped for each reason, the commonest first.

    Example:
        >>> skipped_by_reason({"skipped": [{"file": "a.mid", "reason": "it is empty"}]})
        [('it is empty', ['a.mid'])]
    """
    groups: dict[str, list[str]] = {}
    for row in corpus.get("skipped") or ():
        groups.setdefault(str(row.get("reason", "")), []).append(str(row.get("file", "")))
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def run_facts(data: ReportData) -> list[tuple[str, Facts]]:
    """Options, seeds, versions, hashes and timings, each as rows."""
    timings = [(str(stage), f"{seconds:,.1f} s") for stage, seconds in data.timings.items()]
    if timings:
        timings.append(("together", f"{sum(data.timings.values()):,.1f} s"))
    return [
        ("Options", list(_leaves(data.options))),
        ("Seeds", list(_leaves(data.seeds))),
        ("Versions", list(_leaves(data.versions))),
        ("Hashes, sha256", list(_leaves(data.hashes))),
        ("Time taken", timings),
    ]


_CORPUS_ROWS = {
    "name": "Corpus",
    "read": "Files read",
    "skipped": "Files and melodies skipped",
    "ignored": "Other files beside them",
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


def _plain(name: str, value: Any) -> str:  # noqa: ANN401  (anything JSON can hold)
    if name == "skipped":
        return f"{len(value):,}"
    if name == "range" and isinstance(value, list | tuple):
        return " to ".join(Pitch(pitch).name for pitch in value if isinstance(pitch, int)) or "–"
    if isinstance(value, Mapping):
        counts = [f"{count:,} {kind}" if isinstance(count, int) else f"{kind} {count}" for kind, count in value.items()]
        more = [f"{len(counts) - _MOST_COUNTS} others"] if len(counts) > _MOST_COUNTS else []
        return ", ".join(counts[:_MOST_COUNTS] + more)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401  (anything JSON can hold)
    """The leaves of nested mappings, each with its dotted name."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value)) or "–"
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    else:
        yield name, "–" if value is None or value == "" else str(value)


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


def write_report(path: Path, data: ReportData) -> None:
    """Write the report; beside it its figures into `figures`, the same in Markdown, and all numbers in results.csv.

    The same data give the same bytes.

    Args:
        path: the HTML file; melodies are linked relative to it.
        data: what the report tells.

    Raises:
        InputError: the disk said no.
    """
    shown, scores, listening = drawings(data), shown_scores(data), listener_drawing(data)
    write_gallery(path.parent / "figures", (*shown, *([listening] if listening else [])), scores)
    write_text(path.with_suffix(".md"), report_markdown(data))
    write_text(path.with_name("results.csv"), results_csv(data.results))
    write_text(path, page(data, shown, scores, listening))


def page(
    data: ReportData, shown: Sequence[Drawing], scores: Sequence[ShownScore], listening: Drawing | None = None
) -> str:
    """The report as HTML text: what `write_report` writes.

    Args:
        data: what the report tells.
        shown: its figures, as `drawings` gave them.
        scores: its large scores, as `shown_scores` gave them.
        listening: the figure of the machine listener, as `listener_drawing` gave it.
    """
    script = _template_text("report.js")
    copies = copied_rows(data)
    parts = _parts(data, copies) | {
        "figures": shown,
        "listening": listening,
        "scores": [(score, packed({"score": score_with_timemap(score.melody).svg})) for score in scores],
    }
    environment = Environment(
        loader=PackageLoader("cantilena.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        parts,
        data=data,
        version=__version__,
        css=Markup(_template_text("report.css")),  # noqa: S704  (our own file)
        script=Markup(script),  # noqa: S704  (our own file)
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        contents=[(anchor, label) for anchor, label in _CONTENTS.items() if parts[anchor]],
        piano=piano_for(chain(*(system.melodies for system in heard(data)), _excerpts(copies))),
    )


_CONTENTS = {
    "listen": "Listen",
    "numbers": "Numbers",
    "differences": "Differences",
    "originality": "Originality",
    "listener": "Machine listener",
    "figures": "Figures",
    "scores": "Scores",
    "corpus": "Corpus",
    "method": "Method",
    "run": "Run",
}
"""The parts of the page that are linked above, where there is something in them."""


def _parts(data: ReportData, copies: Sequence[CopiedRow]) -> dict[str, Any]:
    """What the template shows, by the names that it has for it."""
    table = table_of_systems(data.results, published=data.published)
    differences = difference_table(data)
    measured = in_order(metric for system in data.systems.values() for metric in system.get("metrics", {}))
    corpus = corpus_facts(data.corpus)
    linked = by_card(copies)
    return {
        "summary": summary(data),
        "listen": [
            (
                system,
                [
                    (card_anchor(place, index), player(system, index), linked.get(card_anchor(place, index)))
                    for index in range(len(system.melodies))
                ],
            )
            for place, system in enumerate(heard(data))
        ],
        "numbers": table.groups,
        "table": table,
        "ours": OURS,
        "tuned": {after for _, after in data.tuned},
        "sources": SOURCES,
        "nobody_asked": NOBODY_ASKED,
        "differences": differences.pairs,
        "difference_rows": differences.rows,
        "originality": copies,
        "listener": listener_rows(data.listener),
        "metrics": [get_metric(name) for name in measured],
        "corpus": corpus,
        "skipped": skipped_by_reason(data.corpus),
        "method": True,
        "run": [(title, facts) for title, facts in run_facts(data) if facts],
    }


def _excerpts(copies: Sequence[CopiedRow]) -> list[Melody]:
    """The melodies of the passages whose scores are drawn."""
    drawn = [row.passage for row in copies if row.staves]
    return [melody for one in drawn for melody in (one.excerpt, one.source_excerpt)]


def _template_text(name: str) -> str:
    return (resources.files("cantilena.reporting") / "templates" / name).read_text(encoding="utf-8")
