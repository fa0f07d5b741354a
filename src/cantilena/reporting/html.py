"""The report: one file that opens offline, with what was run, what was measured, and the melodies to hear and see."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cantilena.errors import __version__
from cantilena.io import score_with_timemap
from cantilena.metrics.registry import in_order, words_of
from cantilena.music import Melody
from cantilena.reporting.data import ReportData
from cantilena.reporting.difference_table import difference_table
from cantilena.reporting.gallery import Drawing, drawings, listener_drawing, write_gallery
from cantilena.reporting.listener_rows import listener_rows
from cantilena.reporting.published import SOURCES
from cantilena.reporting.report_facts import corpus_facts, run_facts, skipped_by_reason
from cantilena.reporting.report_files import report_markdown, results_csv
from cantilena.reporting.scores import packed, piano_for, player
from cantilena.reporting.sections import CopiedRow, by_card, card_anchor, copied_rows, heard
from cantilena.reporting.shown_scores import ShownScore, shown_scores
from cantilena.reporting.summary import summary
from cantilena.reporting.tables import NOBODY_ASKED, OURS, table_of_systems
from cantilena.runtime import write_text


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
        "metrics": [words_of(name) for name in measured],
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
