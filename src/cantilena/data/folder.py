"""From a folder of scores to a corpus: find, read in parallel, drop near-duplicates, split by piece."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from cantilena.data.columns import Entry
from cantilena.data.duplicates import duplicates_and_variants
from cantilena.data.extraction import ExtractedMelody, extract_piece
from cantilena.data.options import ReadOptions
from cantilena.data.split import split_by_piece, work_of
from cantilena.data.store import NEAR_DUPLICATE, Corpus, DoubtfulPlace, Manifest, Skipped
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


_KINDS = {
    stat.S_IFIFO: "a pipe, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
    stat.S_IFSOCK: "a socket, not a file",
}


@dataclass(frozen=True)
class ScoreFiles:
    """The scores in a folder.

    Args:
        files: paths below the folder, with `/` between the names, sorted.
        skipped: what has the name of a score but is none, or cannot be reached, with the reason.
        ignored: number of files of each other suffix.
    """

    files: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)

    def once(self, suffixes: Sequence[str]) -> ScoreFiles:
        """Keep one of the files that differ only in their suffix, by the order of `suffixes`, and ignore the others.

        Examples:
            >>> scores = ScoreFiles(("a/1.abc", "a/1.mid", "b/1.abc")).once([".mid", ".abc"])
            >>> scores.files, scores.ignored
            (('a/1.mid', 'b/1.abc'), {'.abc': 1})
        """
        first: dict[PurePosixPath, str] = {}
        for file in sorted(self.files, key=lambda file: suffixes.index(PurePosixPath(file).suffix.lower())):
            first.setdefault(PurePosixPath(file).with_suffix(""), file)
        others = Counter(PurePosixPath(file).suffix.lower() for file in {*self.files} - {*first.values()})
        ignored = Counter(self.ignored) + others
        return ScoreFiles(tuple(sorted(first.values())), self.skipped, dict(sorted(ignored.items())))


def find_scores(folder: Path, suffixes: Collection[str]) -> ScoreFiles:
    """Find the scores in a folder and its subfolders.

    Hidden files and folders (`.git`, `.DS_Store`) are left out. A folder that links also lead to is read once, under
    its own path if it has one here.

    Args:
        folder: where to look.
        suffixes: the suffixes of scores in lower case, such as `.mid`.

    Raises:
        CorpusError: there is no such folder, or it may not be read.
    """
    walk = _Walk(folder, frozenset(suffixes))
    try:
        walk.walk("")
    except OSError as error:
        raise CorpusError(f"cannot read {folder}: {error.strerror or error}", "name a folder of scores") from error
    while walk.links:
        link = min(walk.links)
        walk.links.remove(link)
        try:
            if not walk.walk(link):
                walk.skip(link, "a link to a folder that is read already")
        except OSError as error:
            walk.skip(link, f"a broken link: {error.strerror or error}")
    return ScoreFiles(
        tuple(sorted(walk.files)),
        tuple(sorted(walk.skipped, key=lambda row: (row.file, row.reason))),
        dict(sorted(walk.ignored.items())),
    )


class _Walk:
    def __init__(self, folder: Path, suffixes: frozenset[str]) -> None:
        self.folder, self.suffixes = folder, suffixes
        self.files: list[str] = []
        self.skipped: list[Skipped] = []
        self.ignored: Counter[str] = Counter()
        self.links: set[str] = set()
        self._seen: set[tuple[int, int]] = set()

    def walk(self, start: str) -> bool:
        """Sort the entries of a folder and its subfolders, unless it was seen; links to folders are kept for later."""
        if not self._is_new((self.folder / start).stat()):
            return False
        waiting = [start]
        while waiting:
            place = waiting.pop()
            try:
                with os.scandir(self.folder / place) as scan:
                    entries = sorted(scan, key=lambda entry: os.fsencode(entry.name))
            except OSError as error:
                if not place:
                    raise
                self.skip(place, f"a folder that cannot be read: {error.strerror or error}")
                continue
            for entry in entries:
                name = f"{place}/{entry.name}" if place else entry.name
                if not entry.name.startswith(".") and self._is_new_folder(entry, name):
                    waiting.append(name)
        return True

    def skip(self, name: str, reason: str) -> None:
        self.skipped.append(Skipped(_escaped(name), reason))

    def _is_new_folder(self, entry: os.DirEntry[str], name: str) -> bool:
        """Sort an entry; return whether it is a folder to walk now."""
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  (a name, not a path)
        is_named_score = suffix in self.suffixes
        try:
            what = entry.stat()
        except OSError as error:
            if is_named_score or entry.is_symlink():
                self.skip(name, f"a broken link: {error.strerror or error}")
            return False
        if stat.S_ISDIR(what.st_mode):
            if is_named_score:
                self.skip(name, "a folder, not a file")
            if entry.is_symlink():
                self.links.add(name)
                return False
            return self._is_new(what)
        if not is_named_score:
            self.ignored[_escaped(suffix) or "no suffix"] += 1
        elif not stat.S_ISREG(what.st_mode):
            self.skip(name, _KINDS.get(stat.S_IFMT(what.st_mode), "not a file"))
        elif name != _escaped(name):
            self.skip(name, "its name is not UTF-8: rename it to read it")
        else:
            self.files.append(name)
        return False

    def _is_new(self, folder: os.stat_result) -> bool:
        before = len(self._seen)
        self._seen.add((folder.st_dev, folder.st_ino))
        return len(self._seen) > before


def _escaped(name: str) -> str:
    """A name in which bytes that are not UTF-8 are escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
