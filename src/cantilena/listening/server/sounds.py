"""Sounds of one size: whoever watches the network sees as many bytes for every clip.

FLAC (RFC 9639) is a marker, blocks of metadata, and the music. A block of padding, which decoders skip, is put behind
the first block, so that every file is as long as the longest. The music itself is that of the study, bit by bit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from cantilena.errors import InputError
from cantilena.listening.study.study import Study, clip_bytes

_MARKER, _STREAM_INFO = b"fLaC", 34
_PADDING, _LAST = 1, 0x80
_HEAD = 4
_MOST_PADDING = 2**24 - 1
_KEPT = 64


class EqualSounds:
    """The sounds of a study file, all of one size, each checked by its hash when it is read.

    Args:
        path: of the study file.
        study: as it was read.

    Raises:
        InputError: a clip cannot be read, was changed, or is no FLAC file.
    """

    def __init__(self, path: Path, study: Study) -> None:
        self.path, self.study = path, study
        self.size = _HEAD + max((len(clip_bytes(path, study, clip.id)) for clip in study.clips), default=0)
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        for clip in study.clips:
            self._padded(clip.id)

    def __getitem__(self, name: str) -> bytes:
        """The file of a clip."""
        with self._lock:
            if name not in self._kept:
                self._kept[name] = self._padded(name)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(name)
            return self._kept[name]

    def _padded(self, name: str) -> bytes:
        try:
            return padded(clip_bytes(self.path, self.study, name), self.size)
        except ValueError as error:
            raise InputError(
                f"clip {name} of {self.path} is not a sound that can be served: {error}",
                "name a file that `cantilena listen create` wrote",
            ) from error


def padded(content: bytes, size: int) -> bytes:
    """A FLAC file with padding.

    Args:
        content: the file.
        size: bytes that it shall have, four more than it has at least.

    Raises:
        ValueError: it is no FLAC file, or it cannot get that size.
    """
    end = len(_MARKER) + _HEAD + _STREAM_INFO
    head = content[len(_MARKER) : len(_MARKER) + _HEAD]
    if content[: len(_MARKER)] != _MARKER or len(content) < end or int.from_bytes(head[1:]) != _STREAM_INFO:
        raise ValueError("no FLAC file")
    room = size - len(content) - _HEAD
    if not 0 <= room <= _MOST_PADDING:
        raise ValueError("sizes differ too much")
    last = head[0] & _LAST
    first = bytes([head[0] & ~_LAST]) + content[len(_MARKER) + 1 : end]
    return _MARKER + first + bytes([_PADDING | last]) + room.to_bytes(3) + bytes(room) + content[end:]
