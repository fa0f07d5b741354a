"""Whether an Arrow file would grow when it is read: compressed buffers turn 64 KB into gigabytes.

Corpus files are never compressed, or they could not be mapped. Arrow tells nobody whether a file is compressed before
it has expanded it, so the few numbers that say so are read here from the file's own tables.
Source: the Arrow columnar format, section IPC File Format, and its schemas File.fbs and Message.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

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
