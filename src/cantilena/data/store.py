"""A corpus: many melodies in memory-mapped columns, with a manifest of their provenance."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cantilena.data.columns import (
    SCHEMA,
    SPLITS,
    Entry,
    Split,
    checked_table,
    entries_table,
    flat,
    note_offsets,
    offsets,
    read_table,
)
from cantilena.errors import CorpusError, UsageError
from cantilena.music import Chord, ChordTrack, Key, Melody, Meter, Note, Repeats, Section, Tempo
from cantilena.runtime import atomic_file, read_regular_file

FORMAT = 1
"""The version of the file format; a file of another version is refused."""

MANIFEST_KEY = b"cantilena"
"""The key of the manifest in the metadata of a table."""

NEAR_DUPLICATE = "near-duplicate of "
"""The beginning of the reason of a skipped near-duplicate."""

_DIGEST = b"cantilena.sha256"
_MAGIC = b"ARROW1"
_LARGEST = 8 * 2**30


@dataclass(frozen=True, slots=True)
class Skipped:
    r"""A file, or a melody of a file, that is not in the corpus.

    Args:
        file: its path below the folder that was read; `book.abc#3` is the third melody of a file.
        reason: why, in one line.

    Examples:
        >>> Skipped("two\nlines.mid", "no notes").file
        'two\\nlines.mid'
    """

    file: str
    reason: str

    def __post_init__(self) -> None:
        # Names and reasons come from untrusted files: line breaks and escape sequences must not reach a terminal.
        object.__setattr__(self, "file", _visible(self.file))
        object.__setattr__(self, "reason", _visible(self.reason))


@dataclass(frozen=True, slots=True)
class DoubtfulPlace:
    """A place in a file that could not be read for certain, or of which something is not kept.

    Args:
        file: the path of the file below the folder that was read, with `#` and the number of the melody in a book.
        bar: number of the bar, or "".
        voice: name of the part or voice, or "".
        text: what it is, in one line.
    """

    file: str
    bar: str
    voice: str
    text: str

    def __post_init__(self) -> None:
        for name in ("file", "bar", "voice", "text"):
            object.__setattr__(self, name, _visible(getattr(self, name)))


@dataclass(frozen=True)
class Manifest:
    """The provenance of a corpus.

    Args:
        name: its name.
        licence: its licence, one line; "" if unknown.
        description: its content, one line.
        read: number of files with at least one melody.
        skipped: what was left out, with reasons.
        ignored: number of files of each other suffix.
        options: the options of the reading, as JSON values.
        versions: versions of the software that read it.
        doubts: places of the files that could not be read for certain.

    Examples:
        >>> Manifest.from_json(Manifest("mine", read=2).to_json()).read
        2
    """

    name: str
    licence: str = ""
    description: str = ""
    read: int = 0
    skipped: tuple[Skipped, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[DoubtfulPlace, ...] = ()

    def to_json(self) -> str:
        """Return the manifest as one line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Read what `to_json` wrote.

        Raises:
            CorpusError: it is not a manifest, or of another version.
        """
        try:
            record = json.loads(text)
            if not isinstance(record, dict):
                raise TypeError
            version = record["format"]
            if version != FORMAT:
                raise CorpusError(
                    f"the corpus file has format {str(version)[:20]}, this version reads format {FORMAT}",
                    "read the folder of scores again: cantilena corpus read DIR --out FILE",
                )
            return cls(
                name=str(record["name"]),
                licence=str(record["licence"]),
                description=str(record["description"]),
                read=int(record["read"]),
                skipped=tuple(Skipped(str(row["file"]), str(row["reason"])) for row in record["skipped"]),
                ignored={str(suffix): int(count) for suffix, count in record["ignored"].items()},
                options=dict(record["options"]),
                versions={str(name): str(version) for name, version in record["versions"].items()},
                doubts=tuple(
                    DoubtfulPlace(*(str(row[name]) for name in ("file", "bar", "voice", "text")))
                    for row in record.get("doubts", ())  # files of older versions have none
                ),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CorpusError("the corpus file has a damaged manifest", "read the folder of scores again") from error


def _visible(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Corpus:
    """Melodies with their provenance; a `Melody` is built when it is accessed.

    Args:
        table: one row a melody, with the columns of `columns.SCHEMA`.
        manifest: the provenance of the corpus.

    Examples:
        >>> melodies = [Melody.from_pitches([(60 + k, 24), (62, 24)], title=f"Tune {k}") for k in range(3)]
        >>> tunes = [Entry(melody, piece=melody.title) for melody in melodies]
        >>> corpus = Corpus.from_entries(tunes, Manifest("three tunes"))
        >>> len(corpus), corpus[1].title, corpus.notes
        (3, 'Tune 1', 6)
    """

    def __init__(self, table: pa.Table, manifest: Manifest) -> None:
        self.table = table.select(SCHEMA.names)
        self.manifest = manifest

    @classmethod
    def from_entries(cls, entries: Sequence[Entry], manifest: Manifest) -> Self:
        """Make a corpus of some entries, in their order."""
        return cls(entries_table(entries), manifest)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Map a corpus file that `save` wrote into memory; nothing is copied, and every value is checked.

        Raises:
            CorpusError: it is missing, not a corpus, damaged, or too large.
        """
        try:
            table = read_table(_mapped(path))
        except (pa.ArrowException, MemoryError, OSError, ValueError) as error:
            raise CorpusError(f"{path} is a damaged corpus file", "read the folder of scores again") from error
        metadata = table.schema.metadata or {}
        if MANIFEST_KEY not in metadata:
            raise CorpusError(f"{path} is no corpus of Cantilena", "make one: cantilena corpus read DIR --out FILE")
        manifest = Manifest.from_json(metadata[MANIFEST_KEY])
        corpus = cls(checked_table(table), manifest)
        if metadata.get(_DIGEST) != corpus.sha256.encode():
            raise CorpusError(f"{path} was changed after it was written", "read the folder of scores again")
        return corpus

    def save(self, path: Path, *, overwrite: bool = True) -> None:
        """Write the corpus as an uncompressed Arrow file, which pandas and polars read too.

        Args:
            path: the file, usually with the suffix `.arrow`.
            overwrite: whether an existing file may be replaced.

        Raises:
            CorpusError: the corpus is empty.
            RunError: the file exists and `overwrite` is off.
            InputError: the file cannot be written.
        """
        if not len(self):
            raise CorpusError("there is no melody to save", "choose a larger part of the corpus")
        with atomic_file(path, overwrite=overwrite) as draft, pa.OSFile(str(draft), "wb") as sink:
            table = self.described_table()
            with pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table.combine_chunks())

    def described_table(self) -> pa.Table:
        """Return the table with the manifest and a digest of the content in its metadata."""
        metadata = {MANIFEST_KEY: self.manifest.to_json().encode(), _DIGEST: self.sha256.encode()}
        return self.table.replace_schema_metadata(metadata)

    @cached_property
    def sha256(self) -> str:
        """A digest of all melodies and their splits, in order."""
        digest = hashlib.sha256()
        for content, split in zip(self.column("sha256"), self.column("split"), strict=True):
            digest.update(f"{content} {split}\n".encode())
        return digest.hexdigest()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[Melody]:
        return iter(self.melodies())

    def __getitem__(self, row: int) -> Melody:
        return self.melodies()[row]

    def __repr__(self) -> str:
        return f"<Corpus '{self.manifest.name}': {len(self)} melodies>"

    @property
    def notes(self) -> int:
        """The number of notes of all melodies, without written rests."""
        return int(np.count_nonzero(np.diff(note_offsets(self.table)))) if len(self) else 0

    def column(self, name: str) -> list[Any]:
        """Return the values of a column, one a melody: `title`, `composer`, `collection`, `source`, `piece`, .."""
        return self.table.column(name).to_pylist()  # type: ignore[no-any-return]

    def count(self, name: str) -> dict[str, int]:
        """Return the number of melodies with each value of a column, in order of appearance."""
        return dict(Counter(self.column(name)))

    def melodies(self, split: Split | None = None, collection: str | None = None) -> Sequence[Melody]:
        """Return the melodies of a split, of a collection, of both or of the whole, built when they are accessed."""
        return _Melodies(self._columns, self._rows(split, collection))

    def split(self, name: Split) -> Self:
        """Return the melodies of one split as a corpus."""
        return self.where(split=name)

    def where(self, split: Split | None = None, collection: str | None = None) -> Self:
        """Return the melodies of a split and a collection as a corpus.

        Raises:
            UsageError: no such split or collection.
        """
        return type(self)(self.table.take(pa.array(self._rows(split, collection))), self.manifest)

    @cached_property
    def _columns(self) -> _Columns:
        return _Columns(self.table)

    def _rows(self, split: Split | None, collection: str | None) -> NDArray[np.int64]:
        chosen = np.ones(len(self), dtype=bool)
        if split is not None:
            if split not in SPLITS:
                raise UsageError(f"there is no split '{split}'", f"choose one of {', '.join(SPLITS)}")
            chosen &= np.array(self.column("split"), dtype=object) == split
        if collection is not None:
            names = np.array(self.column("collection"), dtype=object)
            if collection not in names:
                known = ", ".join(sorted(set(names))[:12])
                raise UsageError(f"this corpus has no collection '{collection}'", f"choose one of {known}")
            chosen &= names == collection
        return np.flatnonzero(chosen)


class _Columns:
    """The columns as arrays and lists, converted once and read by row."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.onset, self.duration, self.pitch = flat(table, "onset"), flat(table, "duration"), flat(table, "pitches")
        self.first_note, self.first_pitch = offsets(table, "onset"), note_offsets(table)
        self.keys = [None if name is None else _key(name) for name in table.column("key").to_pylist()]
        self.meters = [_meter(text) for text in table.column("meter").to_pylist()]
        self.tempos = [
            _tempo(tuple(zip(ticks, rates, strict=True)))
            for ticks, rates in zip(
                table.column("tempo_tick").to_pylist(), table.column("tempo_rate").to_pylist(), strict=True
            )
        ]
        self.pickups, self.lengths, self.titles, self.sources = (
            table.column(name).to_pylist() for name in ("pickup", "length", "title", "source")
        )
        self.chords = _by_row(table, ("chord_tick", "chord"))
        self.sections = _by_row(table, ("section_start", "section_end", "section_endings"))
        self.orders = _by_row(table, ("section_order",))
        self.phrase_ends = _by_row(table, ("phrase_end",))

    def melody(self, row: int) -> Melody:
        start, end = int(self.first_note[row]), int(self.first_note[row + 1])
        bounds = self.first_pitch[start : end + 1].tolist()
        pitches = self.pitch[bounds[0] : bounds[-1]].tolist()
        if bounds[-1] - bounds[0] == end - start and bounds == list(range(bounds[0], bounds[-1] + 1)):
            chords = [(pitch,) for pitch in pitches]
        else:
            base = bounds[0]
            chords = [tuple(pitches[low - base : high - base]) for low, high in pairwise(bounds)]
        notes = tuple(map(_note, chords, self.onset[start:end].tolist(), self.duration[start:end].tolist()))
        return Melody(
            notes,
            key=self.keys[row],
            meter=self.meters[row],
            tempo=self.tempos[row],
            pickup=self.pickups[row],
            length=self.lengths[row],
            title=self.titles[row],
            source=self.sources[row],
            chords=self._chords(row),
            repeats=self._repeats(row),
            phrase_ends=tuple(*self.phrase_ends.get(row, ((),))),
        )

    def _chords(self, row: int) -> ChordTrack:
        if row not in self.chords:
            return _NO_CHORDS
        return ChordTrack(tuple((tick, _chord(symbol)) for tick, symbol in zip(*self.chords[row], strict=True)))

    def _repeats(self, row: int) -> Repeats:
        if row not in self.sections:
            return _NO_REPEATS
        sections = (
            Section(start, end, tuple(endings)) for start, end, endings in zip(*self.sections[row], strict=True)
        )
        return Repeats(tuple(sections), tuple(*self.orders.get(row, ((),))))


class _Melodies(Sequence[Melody]):
    """Some rows of a corpus as melodies."""

    def __init__(self, columns: _Columns, rows: NDArray[np.int64]) -> None:
        self._columns, self._chosen = columns, rows

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, row: int) -> Melody: ...
    @overload
    def __getitem__(self, row: slice) -> _Melodies: ...
    def __getitem__(self, row: int | slice) -> Melody | _Melodies:
        if isinstance(row, slice):
            return _Melodies(self._columns, self._chosen[row])
        return self._columns.melody(int(self._chosen[row]))


_NO_CHORDS = ChordTrack()
_NO_REPEATS = Repeats()

# Notes, keys, meters and tempos are immutable: sharing equal ones takes a tenth of the time.
_note = lru_cache(maxsize=2**17)(Note)
_key = lru_cache(maxsize=64)(Key.parse)
_chord = lru_cache(maxsize=1024)(Chord.parse)
_meter = lru_cache(maxsize=256)(Meter.parse)
_tempo = lru_cache(maxsize=1024)(Tempo)


def _by_row(table: pa.Table, names: tuple[str, ...]) -> dict[int, tuple[list[Any], ...]]:
    """The lists of some list columns, for the rows where the first of them is not empty."""
    rows = np.flatnonzero(np.diff(offsets(table, names[0]))).tolist()
    lists = [table.column(name).take(pa.array(rows, pa.int64())).to_pylist() for name in names]
    return dict(zip(rows, zip(*lists, strict=True), strict=True))


def _mapped(path: Path) -> pa.Buffer:
    hint = "name a corpus file, a folder of scores, or a corpus that ships with the package"
    try:
        if path.stat().st_size > _LARGEST:
            raise CorpusError(f"{path} is larger than {_LARGEST // 2**30} GB", "split it into smaller corpora")
        if read_regular_file(path, len(_MAGIC)) != _MAGIC:
            raise CorpusError(f"{path} is not a corpus file", hint)
        with path.open("rb") as file:
            return pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror or error}", hint) from error
