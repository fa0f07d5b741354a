"""The columns of a corpus: melodies to an Arrow table, and the checks of tables from untrusted files."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cantilena.errors import CantilenaError, CorpusError
from cantilena.music import MOST_PLAYED, Chord, Key, Melody, Meter

Split = Literal["train", "valid", "test"]
"""The part of a corpus that a piece belongs to."""

SPLITS: tuple[Split, ...] = ("train", "valid", "test")
"""The parts of a corpus, in order."""

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
        ("chord_tick", pa.list_(pa.int32())),
        ("chord", pa.list_(pa.string())),
        ("section_start", pa.list_(pa.int32())),
        ("section_end", pa.list_(pa.int32())),
        ("section_endings", pa.list_(pa.list_(pa.int16()))),
        ("section_order", pa.list_(pa.int32())),
        ("phrase_end", pa.list_(pa.int32())),
    ]
)
"""One row a melody. Times are ticks, 24 a quarter note; only `key` may be null."""

_ADDED = SCHEMA.names[SCHEMA.get_field_index("chord_tick") :]
"""The columns that older corpus files do not have."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A melody and its provenance: one row of a corpus.

    Args:
        melody: the melody, with its title and source.
        piece: the piece that it belongs to; all melodies of a piece fall in one split.
        collection: the part of the corpus that it belongs to.
        composer: the composer, or "".
        licence: the licence, or "".
        split: `train`, `valid` or `test`.
        folded: number of notes moved by octaves when it was read.
        rounded: number of notes with rounded times.
        dropped: number of notes left out.
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
    """Return the SHA-256 of the notes, whatever the title.

    Examples:
        >>> tune = Melody.from_pitches([(60, 24)])
        >>> content_hash(tune) == content_hash(tune.transposed(1))
        False
    """
    digest = hashlib.sha256()
    for note in melody.notes:
        digest.update(f"{note.onset} {note.duration} {','.join(map(str, note.pitches))};".encode())
    return digest.hexdigest()


def entries_table(entries: Sequence[Entry]) -> pa.Table:
    """Return the table of some entries, in their order.

    Raises:
        CorpusError: a melody has more than 2^31 ticks.
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
        "chord_tick": [[tick for tick, _ in melody.chords] for melody in melodies],
        "chord": [[str(chord) for _, chord in melody.chords] for melody in melodies],
        "section_start": [[section.start for section in melody.repeats.sections] for melody in melodies],
        "section_end": [[section.end for section in melody.repeats.sections] for melody in melodies],
        "section_endings": [[section.endings for section in melody.repeats.sections] for melody in melodies],
        "section_order": [melody.repeats.order for melody in melodies],
        "phrase_end": [melody.phrase_ends for melody in melodies],
    }
    for name in ("composer", "collection", "licence", "piece", "split"):
        columns[name] = [_text(getattr(entry, name)) for entry in entries]
    for name in ("folded", "rounded", "dropped"):
        columns[name] = [getattr(entry, name) for entry in entries]
    try:
        return pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)
    except (pa.ArrowInvalid, OverflowError) as error:
        raise CorpusError("a melody is longer than a corpus can hold", "keep its first part: --seconds 600") from error


def read_table(buffer: pa.Buffer) -> pa.Table:
    """Read an uncompressed Arrow file without copying it.

    Compressed buffers, with which 64 KB become gigabytes, and dictionaries, which no corpus has, are refused before
    pyarrow expands them. The messages are read in order and not through the file's footer, so that every batch that is
    used has been checked. Source: the Arrow columnar format, section IPC File Format, and its schema Message.fbs.

    Raises:
        CorpusError: it is compressed.
        ValueError, OSError, pa.ArrowException: it is damaged.
    """
    if bytes(buffer[-6:]) != b"ARROW1":
        raise ValueError("the file is cut off")
    source = pa.BufferReader(buffer)
    source.seek(8)
    schema = pa.ipc.read_schema(pa.ipc.read_message(source))
    batches = []
    while (message := _next_message(source)) is not None:
        if message.type != "record batch" or _is_compressed(memoryview(message.metadata)):
            raise CorpusError(
                "the corpus file is compressed", "make the corpus anew: cantilena corpus read DIR --out FILE"
            )
        batches.append(pa.ipc.read_record_batch(message, schema))
    return pa.Table.from_batches(batches, schema)


def checked_table(table: pa.Table) -> pa.Table:
    """Check that every row of an untrusted table makes a melody, and return its columns in order.

    Columns that files of older versions lack (chords, sections, phrase ends) are added, empty.

    Raises:
        CorpusError: a column is missing or has another type, or a value is out of range.
    """
    columns = []
    for field in SCHEMA:
        index = table.schema.get_field_index(field.name)
        if index < 0 and field.name in _ADDED:
            columns.append(pa.chunked_array([pa.array([[]] * table.num_rows, field.type)]))
        elif index < 0 or table.schema.field(index).type != field.type:
            raise _damaged(f"no column '{field.name}' of type {field.type}")
        else:
            columns.append(table.column(index))
    try:
        table = pa.Table.from_arrays(columns, schema=SCHEMA)
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
    _check_form(table)
    _check_names(table)
    return table


def flat(table: pa.Table, name: str) -> NDArray[Any]:
    """Return the values of a number column, or of all lists of a list column one after the other."""
    array = _array(table, name)
    while pa.types.is_list(array.type):
        array = array.flatten()
    return array.to_numpy(zero_copy_only=True)  # type: ignore[no-any-return]


def offsets(table: pa.Table, name: str) -> NDArray[np.int64]:
    """Return where each row's list begins in the flat values (for `pitches`: in the list of notes), `(rows + 1,)`."""
    return _starts(_array(table, name))


def note_offsets(table: pa.Table) -> NDArray[np.int64]:
    """Return where the pitches of each note begin in the flat pitches, `(notes + 1,)`."""
    return _starts(_array(table, "pitches").flatten())


def _array(table: pa.Table, name: str) -> pa.Array:
    """A column as one array, without a copy where it is one already."""
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _starts(lists: pa.ListArray) -> NDArray[np.int64]:
    if not len(lists):
        return np.zeros(1, dtype=np.int64)
    starts: NDArray[np.int64] = np.array(lists.offsets, dtype=np.int64)
    starts -= starts[0]
    return starts


def _next_message(source: pa.BufferReader) -> pa.ipc.Message | None:
    try:
        return pa.ipc.read_message(source)
    except EOFError:
        return None


def _is_compressed(metadata: memoryview) -> bool:
    """Whether the message of a record batch, a FlatBuffer that pyarrow has verified, has the field `compression`."""

    def field(table: int, index: int) -> int:
        """Where a field of a table lies, 0 where it is left out."""
        (back,) = struct.unpack_from("<i", metadata, table)
        (size,) = struct.unpack_from("<H", metadata, table - back)
        place = 4 + 2 * index
        (offset,) = struct.unpack_from("<H", metadata, table - back + place) if place < size else (0,)
        return table + offset if offset else 0

    def target(place: int) -> int:
        return place + int(struct.unpack_from("<I", metadata, place)[0])

    header, compression = 2, 3  # of Message, of RecordBatch
    return field(target(field(target(0), header)), compression) != 0


def _check_notes(table: pa.Table) -> None:
    for name in ("onset", "duration", "pitches"):
        values = _array(table, name).flatten()
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
        _require(_array(table, name).flatten().null_count == 0, f"a value of '{name}' is missing")
    tick, rate, starts = flat(table, "tempo_tick"), flat(table, "tempo_rate"), offsets(table, "tempo_tick")
    _require(np.array_equal(offsets(table, "tempo_rate"), starts), "tempos without a tick or a rate")
    _require(np.diff(starts).min() >= 1 and not tick[starts[:-1]].any(), "a melody without a tempo at its start")
    _require(_ascends(table, "tempo_tick"), "tempo changes out of order")
    _require(bool(((rate >= 1) & (rate <= 2000)).all()), "a tempo outside 1..2000")


def _check_form(table: pa.Table) -> None:
    for name in ("chord_tick", "chord", "section_start", "section_end", "section_order", "phrase_end"):
        _require(_array(table, name).flatten().null_count == 0, f"a value of '{name}' is missing")
    _require(np.array_equal(offsets(table, "chord_tick"), offsets(table, "chord")), "chords without a tick or a symbol")
    _require(_ascends(table, "chord_tick"), "chords out of order")
    _require(_ascends(table, "phrase_end"), "phrase ends out of order")
    start, end, of_row = flat(table, "section_start"), flat(table, "section_end"), offsets(table, "section_start")
    endings = _array(table, "section_endings")
    _require(
        np.array_equal(offsets(table, "section_end"), of_row) and np.array_equal(_starts(endings), of_row),
        "sections without start, end or endings",
    )
    _require(endings.flatten().null_count == 0 and endings.flatten().flatten().null_count == 0, "endings are missing")
    follows = (start[1:] >= end[:-1]) | _between_rows(of_row)
    _require(bool((start >= 0).all() and (end >= start).all() and follows.all()), "sections out of order")
    order, turns = flat(table, "section_order"), np.diff(offsets(table, "section_order"))
    known = np.repeat(np.diff(of_row), turns)
    _require(bool(((order >= 0) & (order < known)).all()) and turns.max() <= MOST_PLAYED, "a section that is missing")


def _ascends(table: pa.Table, name: str) -> bool:
    """Whether the values of each row are at least 0 and rise."""
    values = flat(table, name)
    return bool((values >= 0).all() and ((np.diff(values) > 0) | _between_rows(offsets(table, name))).all())


def _between_rows(starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each of the flat values but the last one is the last of its row; `starts` are the offsets of the rows."""
    row = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return np.asarray(np.diff(row) > 0)


def _check_names(table: pa.Table) -> None:
    splits, meters, keys = (table.column(name).unique().to_pylist() for name in ("split", "meter", "key"))
    _require(set(splits) <= set(SPLITS), "a split that is not train, valid or test")
    try:
        for chord in _array(table, "chord").flatten().unique().to_pylist():
            Chord.parse(chord)
        for meter in meters:
            Meter.parse(meter)
        for key in keys:
            if key is not None:
                Key.parse(key)
    except CantilenaError as error:
        raise _damaged(error.text[:200]) from error


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise _damaged(what)


def _damaged(what: str) -> CorpusError:
    return CorpusError(f"the corpus file is damaged: {what}", "read the folder of scores again, or name another file")


def _text(text: str) -> str:
    """Text that UTF-8 can hold: other bytes of a file name become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
