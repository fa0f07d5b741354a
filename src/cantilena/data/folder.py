"""From a folder of scores to a corpus: find, read in parallel, drop near-duplicates, split by piece."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from cantilena.data.columns import Entry
from cantilena.data.duplicates import duplicates_and_variants
from cantilena.data.extraction import ExtractedMelody, extract
from cantilena.data.find_scores import ScoreFiles, find_scores
from cantilena.data.manifest import NEAR_DUPLICATE, Manifest, Skipped
from cantilena.data.options import ReadOptions
from cantilena.data.split import split_by_piece, work_of
from cantilena.data.store import Corpus
from cantilena.errors import CorpusError
from cantilena.io import READABLE
from cantilena.runtime import Failure, bounded_map, generator, log, options_record, progress, versions


@dataclass(frozen=True, slots=True)
class _FoundMelody:
    """A melody of a file; it may still be dropped as a near-duplicate."""

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

    Files are read in worker processes with limits of time and memory. A file that cannot be used, and a melody that is
    a near-duplicate of another, becomes a row in the manifest with the reason. The result does not depend on the number
    of processes.

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
    """The melodies of all files in the order of the files, and the files without melodies."""
    outcomes: list[list[ExtractedMelody] | Failure] = [Failure("it was not read")] * len(files)
    with progress("Reading scores", total=len(files), unit="files", quiet=quiet) as bar:
        for index, outcome in bounded_map(
            partial(extract, options=options),
            [folder / file for file in files],
            jobs=options.jobs,
            seconds=options.time_limit,
            memory=options.memory_limit * 2**20,
        ):
            outcomes[index] = outcome
            bar.advance()
    tunes: list[_FoundMelody] = []
    skipped: list[Skipped] = []
    for file, outcome in zip(files, outcomes, strict=True):
        if isinstance(outcome, Failure):
            reason = f"{outcome.reason} ({outcome.hint})" if outcome.hint else outcome.reason
            skipped.append(Skipped(file, _without_path(reason, folder, file)))
            continue
        several = len(outcome) > 1
        for number, extracted in enumerate(outcome, 1):
            source = f"{file}#{number}" if several else file
            if not extracted.melody.sounding:
                skipped.append(Skipped(source, extracted.error or "no notes"))
                continue
            tunes.append(_FoundMelody(source, _piece(source, extracted.melody.title), extracted))
        if not outcome:
            skipped.append(Skipped(file, "no notes"))
    return tunes, skipped


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


def _without_path(reason: str, folder: Path, file: str) -> str:
    """A reason that does not depend on where the folder is; the row names the file already."""
    reason = reason.replace(str(folder / file), file).replace(str(folder), folder.name)
    return re.sub(r"\s+", " ", reason).strip() or "it cannot be read"


def _nothing_read(folder: Path, scores: ScoreFiles, skipped: Sequence[Skipped]) -> CorpusError:
    if skipped:
        first = skipped[0]
        return CorpusError(
            f"none of the {len(skipped)} scores in {folder} can be used; {first.file}: {first.reason}",
            "name a folder with MIDI files that open in a music program",
        )
    others = sum(scores.ignored.values())
    beside = f" among its {others} files" if others else ""
    return CorpusError(f"{folder} holds no score{beside}", f"scores end in {', '.join(READABLE)}")
