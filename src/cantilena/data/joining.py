"""Further corpora to learn from: their training parts join that of a corpus; held-out parts stay held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from cantilena.data.columns import Entry
from cantilena.data.duplicates import RELATED, near_duplicates
from cantilena.data.store import Corpus
from cantilena.music import Melody
from cantilena.runtime import log

PART_BARS = 32
"""Bars of the parts into which melodies of more than twice as many are cut: few long ones would outweigh the others."""


def add_to_training(corpus: Corpus, others: Sequence[Corpus], held_out: Sequence[Melody] | None = None) -> Corpus:
    """Add the training parts of other corpora to that of a corpus; each is a collection of its own name.

    Melodies that are near-duplicates or variants of held-out ones are left out, and long ones are cut into parts.

    Args:
        corpus: whose validation and test parts stay as they are.
        others: whose own validation and test parts are left out.
        held_out: melodies to measure on; by default those of the corpus.

    Examples:
        >>> from cantilena.data import load_builtin
        >>> tunes, quartets = load_builtin("tunes"), load_builtin("quartets")
        >>> both = add_to_training(tunes.where(collection="aird"), [quartets])
        >>> sorted(both.count("collection")), len(both.split("test")) == len(tunes.where("test", "aird"))
        (['aird', 'quartets'], True)
    """
    if held_out is None:
        held_out = [melody for part in ("valid", "test") for melody in corpus.melodies(part)]
    tables = [corpus.table]
    for other in others:
        other = other.split("train")
        melodies = list(other.melodies())
        matches = near_duplicates([*held_out, *melodies], RELATED)
        known = {row for row in range(len(melodies)) if matches.get(len(held_out) + row, len(held_out)) < len(held_out)}
        if known:
            log(f"{other.manifest.name}: {len(known)} melodies resemble held-out ones and are left out")
        about = zip(melodies, *(other.column(name) for name in ("piece", "composer", "licence")), strict=True)
        entries = [
            Entry(part, piece, other.manifest.name, composer, licence or other.manifest.licence)
            for row, (melody, piece, composer, licence) in enumerate(about)
            if row not in known
            for part in parts_of(melody, PART_BARS, 2 * PART_BARS)
        ]
        tables.append(Corpus.from_entries(entries, other.manifest).table)
    return Corpus(pa.concat_tables(tables), corpus.manifest)


def parts_of(melody: Melody, bars: int, most: int) -> Iterator[Melody]:
    """A melody, or parts of so many bars of one that has more than `most`; a short rest belongs to the last part.

    Examples:
        >>> melody = Melody.from_pitches([(60, 96)] * 40)
        >>> [part.length // 96 for part in parts_of(melody, 16, 24)]
        [16, 24]
    """
    starts = list(melody.bar_starts())
    if len(starts) <= most:
        yield melody
        return
    firsts = starts[: len(starts) - bars // 2 : bars]
    for first, after in zip(firsts, [*firsts[1:], melody.length], strict=True):
        part = melody.between(first, after)
        if part.sounding:
            yield replace(part, source=f"{melody.source}, from bar {starts.index(first) + 1}")
