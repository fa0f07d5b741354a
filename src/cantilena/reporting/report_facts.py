"""What a report says of the corpus and of the run, as rows: a name and a value each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cantilena.music import Pitch
from cantilena.reporting.data import ReportData

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
