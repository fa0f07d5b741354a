"""What was read and what was not: the corpus report, for people and for programs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cantilena.data.columns import SPLITS, flat
from cantilena.data.manifest import NEAR_DUPLICATE, Skipped
from cantilena.data.store import Corpus
from cantilena.music import Pitch

_SHOWN = 3
"""Files named beside each reason in the text."""


@dataclass(frozen=True)
class CorpusReport:
    """A corpus in numbers.

    Args:
        name: what the corpus is called.
        read: files that gave at least one melody.
        skipped: files and melodies that are not in the corpus, with reasons.
        ignored: how many files of each other suffix lay beside the scores.
        melodies: how many melodies.
        notes: how many notes and chords they have.
        vocabulary: how many different tokens they make in the encoding asked for.
        folded: notes moved by octaves into the encoding's range.
        rounded: notes whose onset or end was moved to a tick or to the encoding's grid.
        split: melodies of each split.
        lowest: the lowest pitch, MIDI number; None where nothing sounds.
        highest: the highest pitch.
        keys: melodies in each key, most first; "unknown" where none was found.
        meters: melodies in each meter, most first.
    """

    name: str
    read: int
    skipped: tuple[Skipped, ...]
    ignored: Mapping[str, int]
    melodies: int
    notes: int
    vocabulary: int
    folded: int
    rounded: int
    split: Mapping[str, int]
    lowest: int | None
    highest: int | None
    keys: Mapping[str, int]
    meters: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "read": self.read,
            "skipped": [{"file": row.file, "reason": row.reason} for row in self.skipped],
            "melodies": self.melodies,
            "notes": self.notes,
            "vocabulary": self.vocabulary,
            "folded": self.folded,
            "rounded": self.rounded,
            "split": dict(self.split),
            "name": self.name,
            "ignored": dict(self.ignored),
            "range": [self.lowest, self.highest],
            "keys": dict(self.keys),
            "meters": dict(self.meters),
        }

    def text(self) -> str:
        """The report as lines for a terminal."""
        split = ", ".join(f"{count:,} {name}" for name, count in self.split.items())
        rows = [
            ("read", f"{self.read:,} files; {len(self.skipped):,} skipped" + self._beside()),
            ("melodies", f"{self.melodies:,} ({split})"),
            ("notes", f"{self.notes:,}; {self.vocabulary:,} different tokens"),
            ("changed", f"{self.folded:,} notes moved by octaves, {self.rounded:,} rounded in time"),
            ("range", _range(self.lowest, self.highest)),
            ("keys", _most(self.keys)),
            ("meters", _most(self.meters)),
        ]
        lines = [f"{title:<9} {value}" for title, value in rows]
        if self.skipped:
            lines += ["", "skipped:"]
            lines += [f"{len(files):>6}  {reason}: {_some(files)}" for reason, files in self.reasons().items()]
        return "\n".join(lines)

    def reasons(self) -> dict[str, list[str]]:
        """The files that were skipped for each reason, the commonest first."""
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for row in self.skipped:
            is_copy = row.reason.startswith(NEAR_DUPLICATE)
            groups["near-duplicate of another" if is_copy else row.reason].append(row.file)
        return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))

    def _beside(self) -> str:
        others = sum(self.ignored.values())
        return f"; {others:,} files beside them are no scores" if others else ""


def corpus_report(corpus: Corpus, *, vocabulary: int, folded: int = 0, rounded: int = 0) -> CorpusReport:
    """Count what is in a corpus.

    Args:
        corpus: what to count.
        vocabulary: how many different tokens its melodies make; the encoding knows.
        folded: notes that the encoding moved by octaves; added to those moved when the files were read.
        rounded: notes that the encoding moved in time; added to those moved when the files were read.

    Example:
        >>> from cantilena.data import Entry, Manifest
        >>> from cantilena.music import Melody
        >>> corpus = Corpus.of([Entry(Melody.from_pitches([(60, 24), (67, 24)]), piece="one")], Manifest("mine", read=1))
        >>> print(corpus_report(corpus, vocabulary=3).text())
        read      1 files; 0 skipped
        melodies  1 (1 train, 0 valid, 0 test)
        notes     2; 3 different tokens
        changed   0 notes moved by octaves, 0 rounded in time
        range     C4 to G4
        keys      unknown 1
        meters    4/4 1
    """
    manifest = corpus.manifest
    pitches = flat(corpus.table, "pitches") if len(corpus) else np.zeros(0, dtype=np.int16)
    splits = corpus.count("split")
    return CorpusReport(
        name=manifest.name,
        read=manifest.read,
        skipped=manifest.skipped,
        ignored=manifest.ignored,
        melodies=len(corpus),
        notes=corpus.notes,
        vocabulary=vocabulary,
        folded=folded + sum(corpus.column("folded")),
        rounded=rounded + sum(corpus.column("rounded")),
        split={split: splits.get(split, 0) for split in SPLITS},
        lowest=int(pitches.min()) if len(pitches) else None,
        highest=int(pitches.max()) if len(pitches) else None,
        keys=_commonest([key or "unknown" for key in corpus.column("key")]),
        meters=_commonest(corpus.column("meter")),
    )


def _commonest(values: list[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))


def _range(lowest: int | None, highest: int | None) -> str:
    return "-" if lowest is None or highest is None else f"{Pitch(lowest).name} to {Pitch(highest).name}"


def _most(counts: Mapping[str, int], shown: int = 6) -> str:
    named = [f"{name} {count:,}" for name, count in list(counts.items())[:shown]]
    rest = sum(list(counts.values())[shown:])
    return ", ".join([*named, f"others {rest:,}"] if rest else named)


def _some(files: list[str]) -> str:
    more = f" and {len(files) - _SHOWN:,} more" if len(files) > _SHOWN else ""
    return ", ".join(files[:_SHOWN]) + more
