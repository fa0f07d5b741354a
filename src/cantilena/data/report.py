"""The corpus report: what was read, what was skipped and why."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cantilena.data.columns import SPLITS, flat, offsets
from cantilena.data.store import NEAR_DUPLICATE, Corpus, DoubtfulPlace, Skipped
from cantilena.music import Pitch

_SHOWN = 3  # files named beside each reason in the text
_DOUBTS_SHOWN = 12  # kinds of doubts in the text
_KINDS = (
    (r"\A\d+ of its \d+ bars are doubtful, such as bar .*", "many bars are doubtful"),
    (r" is damaged: .* \(", " is damaged ("),
    (r"\Aline \d+ has \d+ columns, not \d+", "a line has too few or too many columns"),
)
"""Patterns in reasons, and what the reasons of several files have in common."""


@dataclass(frozen=True)
class CorpusReport:
    """A corpus in numbers.

    Args:
        read: number of files with at least one melody.
        skipped: files and melodies that are not in the corpus, with reasons.
        melodies: number of melodies.
        notes: number of notes and chords.
        vocabulary: number of different tokens in the chosen encoding.
        folded: notes moved by octaves into the encoding's range.
        rounded: notes whose onset or end was moved to a tick or to the encoding's grid.
        split: number of melodies in each split.
        name: name of the corpus.
        ignored: number of files of each other suffix.
        range: lowest and highest pitch, MIDI numbers; None without notes.
        keys: number of melodies in each key, most frequent first; "unknown" where none was found.
        meters: number of melodies in each meter, most frequent first.
        doubts: places of the files that could not be read for certain.
        chords: number of melodies with chord symbols.
        repeated: number of melodies of which a section is repeated.
        phrased: number of melodies with marked ends of phrases.
    """

    read: int
    skipped: tuple[Skipped, ...]
    melodies: int
    notes: int
    vocabulary: int
    folded: int
    rounded: int
    split: Mapping[str, int]
    name: str
    ignored: Mapping[str, int]
    range: tuple[int | None, int | None]
    keys: Mapping[str, int]
    meters: Mapping[str, int]
    doubts: tuple[DoubtfulPlace, ...] = ()
    chords: int = 0
    repeated: int = 0
    phrased: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    def text(self) -> str:
        """Return the report as lines for a terminal."""
        others = sum(self.ignored.values())
        beside = f"; {others:,} files beside them are no scores" if others else ""
        rows = {
            "read": f"{self.read:,} files; {len(self.skipped):,} skipped{beside}",
            "melodies": f"{self.melodies:,} ({', '.join(f'{count:,} {name}' for name, count in self.split.items())})",
            "notes": f"{self.notes:,}; {self.vocabulary:,} different tokens",
            "changed": f"{self.folded:,} notes moved by octaves, {self.rounded:,} rounded in time",
            "range": " to ".join(Pitch(pitch).name for pitch in self.range if pitch is not None) or "-",
            "keys": _most(self.keys),
            "meters": _most(self.meters),
        }
        if self.chords or self.repeated or self.phrased:
            rows["form"] = (
                f"{self.chords:,} melodies with chord symbols, {self.repeated:,} with repeats, "
                f"{self.phrased:,} with ends of phrases"
            )
        lines = [f"{title:<9} {value}" for title, value in rows.items()]
        if self.skipped:
            lines += ["", "skipped:"]
        for reason, files in self.reasons().items():
            more = f" and {len(files) - _SHOWN:,} more" if len(files) > _SHOWN else ""
            lines.append(f"{len(files):>6}  {reason}: {', '.join(files[:_SHOWN])}{more}")
        if self.doubts:
            lines += [
                "",
                f"doubtful places: {len(self.doubts):,} in {len({row.file for row in self.doubts}):,} melodies",
            ]
            groups: defaultdict[str, list[str]] = defaultdict(list)
            for row in self.doubts:
                groups[re.sub(r"\d+(?:[./]\d+)?", "..", row.text)].append(f"{row.file}{row.bar and f', bar {row.bar}'}")
            for text, places in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))[:_DOUBTS_SHOWN]:
                lines.append(f"{len(places):>6}  {text}: {'; '.join(places[:_SHOWN])}")
        return "\n".join(lines)

    def reasons(self) -> dict[str, list[str]]:
        """Return the files that were skipped for each reason, the most frequent first."""
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for row in self.skipped:
            groups[_kind(row.reason)].append(row.file)
        return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def _kind(reason: str) -> str:
    """A reason without what only concerns its file."""
    if reason.startswith(NEAR_DUPLICATE):
        return "near-duplicate of another"
    for pattern, kind in _KINDS:
        reason = re.sub(pattern, kind, reason)
    return reason


def corpus_report(corpus: Corpus, *, vocabulary: int, folded: int = 0, rounded: int = 0) -> CorpusReport:
    """Count what is in a corpus.

    Args:
        corpus: the corpus.
        vocabulary: number of different tokens of its melodies in the chosen encoding.
        folded: notes that the encoding moved by octaves, added to those moved when the files were read.
        rounded: notes that the encoding moved in time, added likewise.

    Examples:
        >>> from cantilena.data import Entry, Manifest
        >>> from cantilena.music import Melody
        >>> entries = [Entry(Melody.from_pitches([(60, 24), (67, 24)]), piece="one")]
        >>> corpus = Corpus.from_entries(entries, Manifest("mine", read=1))
        >>> print(corpus_report(corpus, vocabulary=3).text())
        read      1 files; 0 skipped
        melodies  1 (1 train, 0 valid, 0 test)
        notes     2; 3 different tokens
        changed   0 notes moved by octaves, 0 rounded in time
        range     C4 to G4
        keys      unknown 1
        meters    4/4 1
    """
    manifest, splits = corpus.manifest, corpus.count("split")
    pitches = flat(corpus.table, "pitches") if len(corpus) else ()
    return CorpusReport(
        read=manifest.read,
        skipped=manifest.skipped,
        melodies=len(corpus),
        notes=corpus.notes,
        vocabulary=vocabulary,
        folded=folded + sum(corpus.column("folded")),
        rounded=rounded + sum(corpus.column("rounded")),
        split={split: splits.get(split, 0) for split in SPLITS},
        name=manifest.name,
        ignored=manifest.ignored,
        range=(int(np.min(pitches)), int(np.max(pitches))) if len(pitches) else (None, None),
        keys=_by_frequency(key or "unknown" for key in corpus.column("key")),
        meters=_by_frequency(corpus.column("meter")),
        doubts=manifest.doubts,
        chords=_with_values(corpus, "chord_tick"),
        repeated=sum(len(set(order)) < len(order) for order in corpus.column("section_order")),
        phrased=_with_values(corpus, "phrase_end"),
    )


def _with_values(corpus: Corpus, column: str) -> int:
    return int(np.count_nonzero(np.diff(offsets(corpus.table, column)))) if len(corpus) else 0


def _by_frequency(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))


def _most(counts: Mapping[str, int], shown: int = 6) -> str:
    named = [f"{name} {count:,}" for name, count in list(counts.items())[:shown]]
    rest = sum(list(counts.values())[shown:])
    return ", ".join([*named, f"others {rest:,}"] if rest else named)
