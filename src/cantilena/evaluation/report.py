"""The report: one file that opens offline, with what was run, what was measured, and the melodies to hear and see."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cantilena.errors import __version__
from cantilena.evaluation.gallery import Drawing, ShownScore, drawings, shown_scores, write_gallery
from cantilena.evaluation.metric_catalogue import in_order, words_of
from cantilena.evaluation.players import packed, piano_for, player
from cantilena.evaluation.published import SOURCES
from cantilena.evaluation.report_data import ReportData
from cantilena.evaluation.summary import summary
from cantilena.evaluation.tables import NOBODY_ASKED, OURS, table_of_systems
from cantilena.formats import score_with_timemap
from cantilena.music import Pitch
from cantilena.runs import write_text

Facts = list[tuple[str, str]]
"""Names and values as a person reads them."""


def write_report(path: Path, data: ReportData) -> None:
    """Write the report, and its figures into `figures` beside it.

    The same data give the same bytes.

    Args:
        path: the HTML file; melodies are linked relative to it.
        data: what the report tells.

    Raises:
        InputError: the disk said no.
    """
    shown, scores = drawings(data), shown_scores(data)
    write_gallery(path.parent / "figures", shown, scores)
    write_text(path, page(data, shown, scores))


def page(data: ReportData, shown: Sequence[Drawing], scores: Sequence[ShownScore]) -> str:
    """The report as HTML text: what `write_report` writes.

    Args:
        data: what the report tells.
        shown: its figures, as `drawings` gave them.
        scores: its large scores, as `shown_scores` gave them.
    """
    table = table_of_systems(data.results)
    script = _template_text("report.js")
    measured = in_order(metric for system in data.systems.values() for metric in system.get("metrics", {}))
    heard = [system for system in data.melodies if system.melodies]
    corpus = corpus_facts(data.corpus)
    parts = {
        "listen": ("Listen", heard),
        "numbers": ("Numbers", table.groups),
        "figures": ("Figures", shown),
        "scores": ("Scores", scores),
        "corpus": ("Corpus", corpus),
        "method": ("Method", True),
        "run": ("Run", True),
    }
    environment = Environment(
        loader=PackageLoader("cantilena.evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html").render(
        data=data,
        version=__version__,
        css=Markup(_template_text("report.css")),  # noqa: S704  (our own file)
        script=Markup(script),  # noqa: S704  (our own file)
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        summary=summary(data),
        contents=[(anchor, label) for anchor, (label, there) in parts.items() if there],
        players=[(system, [player(system, index) for index in range(len(system.melodies))]) for system in heard],
        piano=piano_for(melody for system in heard for melody in system.melodies),
        table=table,
        ours=OURS,
        tuned={after for _, after in data.tuned},
        sources=SOURCES,
        nobody_asked=NOBODY_ASKED,
        drawings=shown,
        scores=[(score, packed({"score": score_with_timemap(score.melody).svg})) for score in scores],
        metrics=[words_of(name) for name in measured],
        corpus_facts=corpus,
        skipped=skipped_by_reason(data.corpus),
        run_facts=[(title, facts) for title, facts in run_facts(data) if facts],
    )


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
    """Options, seeds, versions and timings, each as rows."""
    timings = [(str(stage), f"{seconds:,.1f} s") for stage, seconds in data.timings.items()]
    if timings:
        timings.append(("together", f"{sum(data.timings.values()):,.1f} s"))
    return [
        ("Options", list(_leaves(data.options))),
        ("Seeds", list(_leaves(data.seeds))),
        ("Versions", list(_leaves(data.versions))),
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


def _template_text(name: str) -> str:
    return (resources.files("cantilena.evaluation") / "templates" / name).read_text(encoding="utf-8")
