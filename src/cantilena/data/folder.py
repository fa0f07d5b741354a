"""From a folder of scores to a corpus: find, read in parallel, drop near-duplicates, split by piece."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from cantilena.data.columns import Entry
from cantilena.data.duplicates import duplicates_and_variants
from cantilena.data.extraction import ExtractedMelody, extract_piece
from cantilena.data.find_scores import ScoreFiles, find_scores
from cantilena.data.manifest import NEAR_DUPLICATE, DoubtfulPlace, Manifest, Skipped
from cantilena.data.options import ReadOptions
from cantilena.data.split import split_by_piece, work_of
from cantilena.data.store import Corpus
from cantilena.errors import CorpusError, ScoreError
from cantilena.io import READABLE, PieceSource, count_pieces, pieces_of
from cantilena.runtime import Failure, bounded_map, generator, log, options_record, progress, versions


@dataclass(frozen=True, slots=True)
class _FoundMelody:
    """A melody of a piece; it may still be dropped as a near-duplicate."""

    source: str
    piece: str
    extracted: ExtractedMelody


def read_folder(
    folder: Path,
    options: ReadOptions | None = None,
    *,
    as_is: bool = False,
    most: int | None = None,
    once: bool = False,
    quiet: bool = False,
) -> Corpus:
    """Read every score in a folder and its subfolders.

    Pieces are read in worker processes with limits of time and memory: a piece is a file, or a tune of a book, so that
    the tunes of one book are read in parallel too. A piece that cannot be used, and a melody that is a near-duplicate
    of another, becomes a row in the manifest with the reason. The result does not depend on the number of processes.

    Args:
        folder: the folder of scores.
        options: how to read them.
        as_is: keep near-duplicates and put everything in one split, `train`: for folders that are a split.
        most: of more files than this, draw so many by the options' seed; None reads all.
        once: of files whose names differ only in their suffix, such as `1.mid` and `1.musicxml` as written by
            `compose`, read one.
        quiet: show no progress.

    Raises:
        CorpusError: there is no such folder, or nothing in it can be used.
    """
    options = options or ReadOptions()
    scores = find_scores(folder, READABLE)
    if once:
        scores = scores.once(READABLE)
    tunes, failed = _read(folder, _drawn(scores.files, most, options.seed), options, quiet=quiet)
    skipped = [*scores.skipped, *failed]
    if not tunes:
        raise _nothing_read(folder, scores, skipped)
    melodies = [tune.extracted.melody for tune in tunes]
    duplicates, links = ({}, []) if as_is else duplicates_and_variants(melodies)
    skipped += [Skipped(tunes[copy].source, NEAR_DUPLICATE + tunes[kept].source) for copy, kept in duplicates.items()]
    splits = split_by_piece([tune.piece for tune in tunes], seed=options.seed, links=links)
    kept = [index for index in range(len(tunes)) if index not in duplicates]
    entries = [_entry(tunes[index], folder) for index in kept]
    if not as_is:
        entries = [replace(entry, split=splits[index]) for entry, index in zip(entries, kept, strict=True)]
    recorded = {name: value for name, value in options_record(options).items() if name != "jobs"}
    return Corpus.from_entries(
        entries,
        Manifest(
            name=folder.resolve().name,
            description="read from a folder of scores",
            read=len({tunes[index].source.partition("#")[0] for index in kept}),
            skipped=tuple(sorted(skipped, key=lambda row: (row.file, row.reason))),
            ignored=scores.ignored,
            options={**recorded, "as_is": as_is},
            versions=versions(),
            doubts=tuple(
                DoubtfulPlace(tunes[index].source, doubt.bar, doubt.voice, doubt.text)
                for index in kept
                for doubt in tunes[index].extracted.doubts
            ),
        ),
    )


def _drawn(files: Sequence[str], most: int | None, seed: int) -> Sequence[str]:
    if most is None or len(files) <= most:
        return files
    log(f"reading {most:,} of {len(files):,} scores, drawn at random")
    return [files[row] for row in np.sort(generator(seed, "files").permutation(len(files))[:most])]


def _read(
    folder: Path, files: Sequence[str], options: ReadOptions, *, quiet: bool
) -> tuple[list[_FoundMelody], list[Skipped]]:
    """The melodies of all pieces in the order of the files, and the files and pieces without melodies."""
    places: list[tuple[str, int]] = []  # of each piece: its file, and its number there
    counts = Counter[str]()
    skipped: list[Skipped] = []

    def pieces() -> Iterator[PieceSource]:
        for file in files:
            try:
                for piece in pieces_of(folder / file):
                    places.append((file, piece.number))
                    counts[file] += 1
                    yield piece
            except ScoreError as error:
                skipped.append(_skipped(file, Failure(error.text, error.hint), folder, file))

    outcomes: dict[int, ExtractedMelody | Failure] = {}
    total = sum(count_pieces(folder / file) for file in files)
    with progress("Reading scores", total=total, unit="pieces", quiet=quiet) as bar:
        for index, outcome in bounded_map(
            partial(extract_piece, options=options),
            pieces(),
            jobs=options.jobs,
            seconds=options.time_limit,
            memory=options.memory_limit * 2**20,
        ):
            outcomes[index] = outcome
            bar.advance()
    tunes: list[_FoundMelody] = []
    for index, (file, number) in enumerate(places):
        outcome = outcomes[index]
        source = f"{file}#{number}" if counts[file] > 1 else file
        if isinstance(outcome, Failure):
            skipped.append(_skipped(source, outcome, folder, file))
        elif not outcome.melody.sounding:
            skipped.append(Skipped(source, "no notes"))
        else:
            tunes.append(_FoundMelody(source, _piece(source, outcome.melody.title), outcome))
    return tunes, skipped


def _skipped(source: str, failure: Failure, folder: Path, file: str) -> Skipped:
    """The row of what cannot be used; its reason does not depend on where the folder is, and the row names the file."""
    reason = f"{failure.reason} ({failure.hint})" if failure.hint else failure.reason
    reason = reason.replace(str(folder / file), file).replace(str(folder), folder.name)
    return Skipped(source, re.sub(r"\s+", " ", reason).strip() or "it cannot be read")


def _piece(source: str, title: str) -> str:
    """The piece of a melody: movements of one work in one folder are one piece, where their titles name the work."""
    work = work_of(title)
    place = source.rpartition("/")[0]
    return f"{place}: {work}" if work else source


def _entry(tune: _FoundMelody, folder: Path) -> Entry:
    top, below, _ = tune.source.partition("/")
    return Entry(
        replace(tune.extracted.melody, source=tune.source),
        piece=tune.piece,
        collection=top if below else folder.resolve().name,
        folded=tune.extracted.folded,
        rounded=tune.extracted.rounded,
        dropped=tune.extracted.dropped,
    )


def _nothing_read(folder: Path, scores: ScoreFiles, skipped: Sequence[Skipped]) -> CorpusError:
    if skipped:
        first = skipped[0]
        return CorpusError(
            f"none of the {len(skipped)} scores in {folder} can be used; {first.file}: {first.reason}",
            "name a folder with scores that open in a music program",
        )
    others = sum(scores.ignored.values())
    beside = f" among its {others} files" if others else ""
    return CorpusError(f"{folder} holds no score{beside}", f"scores end in {', '.join(READABLE)}")
