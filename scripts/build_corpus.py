"""Build the corpus that ships with the package from the scores that music21 bundles.

    pip install -e '.[dev]'
    python scripts/build_corpus.py

writes `src/cantilena/data/shipped/tunes.parquet` and `PROVENANCE.md` beside it, the same bytes each time with the same
versions of music21 and pyarrow. It takes about a minute on two cores. A piece that is in the corpus already keeps its
split.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import music21
import pyarrow as pa
import pyarrow.parquet as pq

from cantilena.data import (
    BUILTINS,
    SPLITS,
    Corpus,
    Entry,
    Manifest,
    Skipped,
    Split,
    duplicates_and_variants,
    load_builtin,
    split_by_piece,
    with_chords_of_other_voices,
)
from cantilena.data.split import FRACTIONS, linked_pieces
from cantilena.data.store import NEAR_DUPLICATE
from cantilena.runtime import Failure, atomic_file, bounded_map, progress, write_text
from corpus_sources import BUNDLED, SOURCES, Gathered, gather, transcribers

DATA = Path(__file__).resolve().parents[1] / "src" / "cantilena" / "data" / "shipped"
LARGEST = 3 * 2**20
"""Bytes that the corpus may add to the package."""


def main() -> None:
    """Read, drop near-duplicates, split and write."""
    entries, skipped = _gathered()
    entries, copies = _without_copies(entries)
    corpus = Corpus.from_entries(
        entries,
        Manifest(
            name="tunes",
            licence="public domain; see PROVENANCE.md",
            description="chorales, quartets and tunes of old prints",
            read=len({entry.melody.source.partition("#")[0] for entry in entries}),
            skipped=tuple(sorted([*skipped, *copies], key=lambda row: (row.file, row.reason))),
            versions={"music21": music21.__version__, "pyarrow": pa.__version__},
        ),
    )
    corpus = with_chords_of_other_voices(corpus)
    with atomic_file(DATA / "tunes.parquet") as draft:
        pq.write_table(
            corpus.described_table(), draft, compression="zstd", compression_level=19, write_statistics=False
        )
    write_text(DATA / "PROVENANCE.md", _provenance(corpus))
    size = (DATA / "tunes.parquet").stat().st_size
    print(f"{_table(corpus)}\n\n{size:,} bytes; melodies and splits {corpus.sha256}")
    if size > LARGEST:
        sys.exit(f"error: {size:,} bytes are more than the package may carry ({LARGEST:,})")


def _gathered() -> Gathered:
    files = [(source.collection, path.relative_to(BUNDLED).as_posix()) for source in SOURCES for path in source.paths()]
    outcomes: list[Gathered | Failure] = [Failure("it was not read")] * len(files)
    with progress("Reading scores", total=len(files), unit="files") as bar:
        for index, outcome in bounded_map(gather, files, seconds=900, memory=4 * 2**30):
            outcomes[index] = outcome
            bar.advance(note=files[index][1])
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for (_, name), outcome in zip(files, outcomes, strict=True):
        if isinstance(outcome, Failure):
            print(f"{name}: {outcome.reason}\n{outcome.trace}", file=sys.stderr)
            skipped.append(Skipped(name, outcome.reason))
        else:
            entries += outcome[0]
            skipped += outcome[1]
    return entries, skipped


def _without_copies(entries: Sequence[Entry]) -> Gathered:
    """The entries that are no near-duplicates, with their splits; and rows for those that are."""
    copies, links = duplicates_and_variants(entry.melody for entry in entries)
    pieces = [entry.piece for entry in entries]
    kept = [index for index in range(len(entries)) if index not in copies]
    splits = _splits(pieces, links)
    chosen = [replace(entries[index], split=splits[index]) for index in kept]
    if not _is_even(chosen):
        sys.exit("error: a collection has too few melodies in a split")
    sources = [entry.melody.source for entry in entries]
    return chosen, [Skipped(sources[copy], NEAR_DUPLICATE + sources[kept]) for copy, kept in copies.items()]


def _splits(pieces: Sequence[str], links: Sequence[tuple[int, int]]) -> list[Split]:
    """The split of each melody: a piece that has shipped keeps its own, so that no model has learned a test piece.

    Of linked pieces that shipped in different splits, all go where most is allowed: to training before validation.
    """
    before = load_builtin("tunes")
    shipped: dict[str, Split] = dict(zip(before.column("piece"), before.column("split"), strict=True))
    groups = linked_pieces(pieces, links)
    known: dict[str, Split] = {}
    for piece, group in sorted(set(zip(pieces, groups, strict=True))):
        if piece in shipped:
            known[group] = min(known.get(group, "test"), shipped[piece], key=SPLITS.index)
    hashed = split_by_piece(pieces, links=links)
    return [known.get(group, split) for group, split in zip(groups, hashed, strict=True)]


def _is_even(entries: Sequence[Entry]) -> bool:
    """Whether every collection has at least a third of its share in each split, so that it can be used alone."""
    sizes = Counter(entry.collection for entry in entries)
    parts = Counter((entry.collection, entry.split) for entry in entries)
    return all(
        parts[collection, split] >= FRACTIONS[split] / 3 * size
        for collection, size in sizes.items()
        for split in SPLITS
    )


def _provenance(corpus: Corpus) -> str:
    skipped = Counter(_collection_of(row) for row in corpus.manifest.skipped)
    counts = corpus.count("collection")
    lines = [
        "# Where the built-in corpus comes from",
        "",
        "Written by `scripts/build_corpus.py`; do not edit. Every melody in `tunes.parquet` carries its composer,",
        "title, collection, source (the file below music21's `corpus`, and which of its tunes, voices or bars) and",
        "licence.",
        "",
        "## Licence",
        "",
        "The music is in the public domain: its composers died, and its prints appeared, long ago. What is kept of",
        "each encoding is the notes alone (pitches, onsets, durations, meter, key, tempo, title, repeats, ends of",
        "phrases) and no engraving, fingering, ornament, text or comment of an editor. The scores were read from the",
        "files that music21 bundles;",
        "to the best of its authors' knowledge each piece is out of copyright in the United States or licensed for",
        "use. Collections whose encodings are restricted (Essen's folk songs) are not in here.",
        "",
        "## Collections",
        "",
        "| collection | melodies | skipped | from | encoding |",
        "|---|---:|---:|---|---|",
        *(
            f"| {source.collection} | {counts.get(source.collection, 0):,} | {skipped[source.collection]:,} "
            f"| {source.origin} | {source.encoding} |"
            for source in SOURCES
        ),
        "",
        "Skipped are near-duplicates of another melody here, and tunes with bars of the wrong length; the corpus file",
        "names each with its reason. Notes are as written: repeats are kept as sections with the order in which they",
        "are played; of alternative endings the last stands for all. Phrases end where the score has a fermata, a",
        "breath mark or the end of a long slur. The chords of a voice of a chorale are inferred from its other voices.",
        "",
        "## Thanks",
        "",
        "To those who typed the tunes, with how many of them name them:",
        "",
    ]
    for source in SOURCES:
        names = Counter(transcribers(source)).most_common()
        if names:
            lines.append(
                f"- {source.collection}: " + ", ".join(f"{name} ({count})" for name, count in names if count > 3)
            )
    return "\n".join(
        [*lines, "", f"The scores are those of music21 {music21.__version__}, read with Cantilena's own readers.", ""]
    )


def _collection_of(row: Skipped) -> str:
    folder = row.file.partition("/")[0]
    return next(builtin.name for builtin in BUILTINS[1:] if folder in builtin.folders)


def _table(corpus: Corpus) -> str:
    rows = [f"{'collection':<10} {'melodies':>9} {'notes':>9} {'rounded':>8} " + " ".join(f"{s:>6}" for s in SPLITS)]
    for name, part in [(name, corpus.where(collection=name)) for name in corpus.count("collection")] + [
        ("all", corpus)
    ]:
        splits = part.count("split")
        rows.append(
            f"{name:<10} {len(part):>9,} {part.notes:>9,} {sum(part.column('rounded')):>8,} "
            + " ".join(f"{splits.get(split, 0):>6,}" for split in SPLITS)
        )
    reasons = Counter(
        (_collection_of(row), "near-duplicate" if row.reason.startswith(NEAR_DUPLICATE) else "other")
        for row in corpus.manifest.skipped
    )
    rows += ["", *(f"{name}: {count} skipped ({why})" for (name, why), count in sorted(reasons.items()))]
    return "\n".join(rows)


if __name__ == "__main__":
    main()
