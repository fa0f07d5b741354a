"""The columns of a corpus: melodies to an Arrow table, and the checks that a foreign table must pass.

Whether an Arrow file would grow when it is read: compressed buffers turn 64 KB into gigabytes.

Corpus files are never compressed, or they could not be mapped. Arrow tells nobody whether a file is compressed before
it has expanded it, so the few numbers that say so are read here from the file's own tables.
Source: the Arrow columnar format, section IPC File Format, and its schemas File.fbs and Message.fbs.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cantilena.errors import CantilenaError, CorpusError
from cantilena.music import Key, Melody, Meter

Split = Literal["train", "valid", "test"]
"""The part of a corpus that a piece belongs to."""

SPLITS: tuple[Split, ...] = ("train", "valid", "test")
"""The parts of a corpus, in order."""

_TEXTS = ("title", "composer", "collection", "source", "licence", "piece", "split", "sha256", "meter")
_COUNTS = ("length", "pickup", "folded", "rounded", "dropped")

SCHEMA = pa.schema(
    [
        ("onset", pa.list_(pa.int32())),
        ("duration", pa.list_(pa.int32())),
        ("pitches", pa.list_(pa.list_(pa.int16()))),
        ("length", pa.int32()),
        ("pickup", pa.int32()),
        ("meter", pa.string()),
        ("key", pa.string()),
        ("tempo_tick", pa.list_(pa.int32())),
        ("tempo_rate", pa.list_(pa.float64())),
        ("title", pa.string()),
        ("composer", pa.string()),
        ("collection", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("piece", pa.string()),
        ("split", pa.string()),
        ("sha256", pa.string()),
        ("folded", pa.int32()),
        ("rounded", pa.int32()),
        ("dropped", pa.int32()),
    ]
)
"""One row a melody. Times are ticks, 24 a quarter note; `key` may be null, nothing else."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A melody with where it comes from: one row of a corpus.

    Args:
        melody: the notes; its title and source are kept too.
        piece: the piece that it belongs to; all melodies of a piece fall in one split.
        collection: the part of the corpus that it belongs to.
        composer: who wrote it, or "".
        licence: what may be done with it, or "".
        split: `train`, `valid` or `test`.
        folded: notes that were moved by octaves when it was read.
        rounded: notes whose times were rounded when it was read.
        dropped: notes that were left out when it was read.
    """

    melody: Melody
    piece: str
    collection: str = ""
    composer: str = ""
    licence: str = ""
    split: Split = "train"
    folded: int = 0
    rounded: int = 0
    dropped: int = 0


def content_hash(melody: Melody) -> str:
    """SHA-256 of the notes: the same for the same music, whatever its title.

    Example:
        >>> tune = Melody.from_pitches([(60, 24)])
        >>> content_hash(tune) == content_hash(tune.transposed(1))
        False
    """
    digest = hashlib.sha256()
    for note in melody.notes:
        digest.update(f"{note.onset} {note.duration} {','.join(map(str, note.pitches))};".encode())
    return digest.hexdigest()


def table_of(entries: Sequence[Entry]) -> pa.Table:
    """The table of some entries, in their order.

    Raises:
        CorpusError: a melody is too long to be counted in 32 bits.
    """
    melodies = [entry.melody for entry in entries]
    columns: dict[str, Any] = {
        "onset": [[note.onset for note in melody.notes] for melody in melodies],
        "duration": [[note.duration for note in melody.notes] for melody in melodies],
        "pitches": [[note.pitches for note in melody.notes] for melody in melodies],
        "length": [melody.length for melody in melodies],
        "pickup": [melody.pickup for melody in melodies],
        "meter": [str(melody.meter) for melody in melodies],
        "key": [melody.key.name if melody.key else None for melody in melodies],
        "tempo_tick": [[tick for tick, _ in melody.tempo.changes] for melody in melodies],
        "tempo_rate": [[rate for _, rate in melody.tempo.changes] for melody in melodies],
        "title": [_text(melody.title) for melody in melodies],
        "source": [_text(melody.source) for melody in melodies],
        "sha256": [content_hash(melody) for melody in melodies],
    }
    for name in ("composer", "collection", "licence", "piece", "split"):
        columns[name] = [_text(getattr(entry, name)) for entry in entries]
    for name in ("folded", "rounded", "dropped"):
        columns[name] = [getattr(entry, name) for entry in entries]
    try:
        return pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)
    except (pa.ArrowInvalid, OverflowError) as error:
        raise CorpusError("a melody is longer than a corpus can hold", "keep its first part: --seconds 600") from error


def check_table(table: pa.Table) -> None:
    """Make sure that every row of a foreign table makes a melody.

    Raises:
        CorpusError: a column is missing or has another type, or a value is impossible.
    """
    for name in SCHEMA.names:
        if table.schema.get_field_index(name) < 0 or table.schema.field(name).type != SCHEMA.field(name).type:
            raise _damaged(f"no column '{name}' of type {SCHEMA.field(name).type}")
    try:
        table.validate(full=True)
    except pa.ArrowException as error:
        raise _damaged("its columns do not fit together") from error
    if table.num_rows == 0:
        raise CorpusError("the corpus holds no melody", "read another folder of scores")
    for name in SCHEMA.names:
        if name != "key" and table.column(name).null_count:
            raise _damaged(f"a value of '{name}' is missing")
    for name in _COUNTS:
        _require(np.min(flat(table, name)) >= 0, f"a negative {name}")
    _check_notes(table)
    _check_tempos(table)
    for name in ("meter", "key", "split"):
        _check_names(name, table.column(name).unique().to_pylist())


def flat(table: pa.Table, name: str) -> NDArray[Any]:
    """The values of a number column, or of all lists of a list column one after the other."""
    return _leaves(one_array(table, name)).to_numpy(zero_copy_only=True)  # type: ignore[no-any-return]


def offsets(table: pa.Table, name: str) -> NDArray[np.int64]:
    """`(rows + 1,)`: where each row's list begins in the flat values (for `pitches`: in the list of notes)."""
    return _starts(one_array(table, name))


def note_offsets(table: pa.Table) -> NDArray[np.int64]:
    """`(notes + 1,)`: where the pitches of each note begin in the flat pitches."""
    return _starts(one_array(table, "pitches").flatten())


def one_array(table: pa.Table, name: str) -> pa.Array:
    """A column as one array, without a copy where it is one already."""
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _starts(lists: pa.ListArray) -> NDArray[np.int64]:
    if not len(lists):
        return np.zeros(1, dtype=np.int64)
    starts: NDArray[np.int64] = np.array(lists.offsets, dtype=np.int64)
    starts -= starts[0]
    return starts


def _leaves(array: pa.Array) -> pa.Array:
    while pa.types.is_list(array.type):
        array = array.flatten()
    return array


def _check_notes(table: pa.Table) -> None:
    for name in ("onset", "duration", "pitches"):
        values = one_array(table, name).flatten()
        nested = pa.types.is_list(values.type) and values.flatten().null_count
        _require(values.null_count == 0 and not nested, f"a value of '{name}' is missing")
    onset, duration, pitch = flat(table, "onset"), flat(table, "duration"), flat(table, "pitches")
    starts = offsets(table, "onset")
    for name in ("duration", "pitches"):
        _require(np.array_equal(offsets(table, name), starts), "notes without onset, duration or pitch")
    if not len(onset):
        return
    _require(onset.min() >= 0, "a note before the start")
    _require(duration.min() >= 1, "a note without duration")
    _require((onset.astype(np.int64) + duration).max() < 2**31, "a note that never ends")
    if len(pitch):
        _require(pitch.min() >= 0 and pitch.max() <= 127, "a pitch outside 0..127")


def _check_tempos(table: pa.Table) -> None:
    for name in ("tempo_tick", "tempo_rate"):
        _require(one_array(table, name).flatten().null_count == 0, f"a value of '{name}' is missing")
    tick, rate, starts = flat(table, "tempo_tick"), flat(table, "tempo_rate"), offsets(table, "tempo_tick")
    _require(np.array_equal(offsets(table, "tempo_rate"), starts), "tempos without a tick or a rate")
    _require(np.diff(starts).min() >= 1 and not tick[starts[:-1]].any(), "a melody without a tempo at its start")
    rises = np.diff(tick) > 0
    rises[starts[1:-1] - 1] = True  # from the last change of one melody to the first of the next
    _require(bool(rises.all()), "tempo changes out of order")
    _require(bool(((rate >= 1) & (rate <= 2000)).all()), "a tempo outside 1..2000")


def _check_names(column: str, names: list[str | None]) -> None:
    try:
        for name in names:
            if column == "split":
                _require(name in SPLITS, "a split that is not train, valid or test")
            elif column == "meter":
                Meter.parse(name or "")
            elif name is not None:
                Key.parse(name)
    except CantilenaError as error:
        raise error if isinstance(error, CorpusError) else _damaged(error.text[:200]) from error


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise _damaged(what)


def _damaged(what: str) -> CorpusError:
    return CorpusError(f"the corpus file is damaged: {what}", "read the folder of scores again, or name another file")


def _text(text: str) -> str:
    """Text that UTF-8 can hold: bytes of a file name that it cannot are shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


_MAGIC = b"ARROW1"
_CONTINUES = 0xFFFFFFFF
_BLOCK = struct.Struct("<qi4xq")
_DICTIONARIES, _RECORD_BATCHES = 2, 3  # fields of the footer
_HEADER = 2  # field of a message
_COMPRESSION = 3  # field of a record batch


def would_expand(file: memoryview) -> bool:
    """Whether a batch of an Arrow file is compressed, or has dictionaries, which no corpus has.

    Args:
        file: the whole file.

    Raises:
        ValueError: it is no Arrow file, or cut off.
    """
    try:
        if bytes(file[-6:]) != _MAGIC:
            raise ValueError("no Arrow file")
        end = len(file) - 10
        start = end - _int32(file, end)
        if not 0 < start < end:
            raise ValueError("no footer")
        footer = file[start:end]
        if any(_blocks(footer, _DICTIONARIES)):
            return True
        return any(_is_compressed(file[offset:]) for offset in _blocks(footer, _RECORD_BATCHES))
    except (struct.error, IndexError) as error:
        raise ValueError("a damaged footer") from error


def _blocks(footer: memoryview, field: int) -> Iterator[int]:
    """Where the batches of a kind begin."""
    place = _field(footer, _uint32(footer, 0), field)
    if place is None:
        return
    vector = place + _uint32(footer, place)
    for number in range(_uint32(footer, vector)):
        offset, _, _ = _BLOCK.unpack_from(footer, vector + 4 + number * _BLOCK.size)
        if offset < 0:
            raise ValueError("a batch before the file")
        yield offset


def _is_compressed(batch: memoryview) -> bool:
    message = batch[8 if _uint32(batch, 0) == _CONTINUES else 4 :]
    header = _field(message, _uint32(message, 0), _HEADER)
    if header is None:
        raise ValueError("a message without content")
    return _field(message, header + _uint32(message, header), _COMPRESSION) is not None


def _field(buffer: memoryview, table: int, field: int) -> int | None:
    """Where a field of a FlatBuffers table lies, None where it is left out."""
    columns = table - _int32(buffer, table)
    if columns < 0:
        raise ValueError("a table before the buffer")
    (size,) = struct.unpack_from("<H", buffer, columns)
    place = 4 + 2 * field
    if place + 2 > size:
        return None
    (offset,) = struct.unpack_from("<H", buffer, columns + place)
    return table + offset if offset else None


def _int32(buffer: memoryview, place: int) -> int:
    value: int = struct.unpack_from("<i", buffer, place)[0]
    return value


def _uint32(buffer: memoryview, place: int) -> int:
    value: int = struct.unpack_from("<I", buffer, place)[0]
    return value
