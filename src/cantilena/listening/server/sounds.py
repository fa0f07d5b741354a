"""The sounds of a study, padded to one size, so that the size of a response does not reveal the clip.

A FLAC file (RFC 9639) is a marker, metadata blocks, and frames. A padding block, which decoders skip, is inserted after
the first block to make every file as long as the longest. The frames stay unchanged.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from cantilena.errors import InputError
from cantilena.listening.study.study import Study, clip_bytes

_MARKER, _BLOCK_HEADER, _STREAM_INFO = b"fLaC", 4, 34
_PADDING_TYPE, _LAST_BLOCK = 1, 0x80
_MAX_PADDING = 2**24 - 1
_CACHED_CLIPS = 64


class EqualSounds:
    """The sounds of a study file, all of one size; the hash of each is checked when it is read."""

    def __init__(self, path: Path, study: Study) -> None:
        self.path, self.study = path, study
        self.size = _BLOCK_HEADER + max((len(clip_bytes(path, study, clip.id)) for clip in study.clips), default=0)
        self._cached = lru_cache(_CACHED_CLIPS)(self._read)
        for clip in study.clips:
            self._read(clip.id)

    def __getitem__(self, clip_id: str) -> bytes:
        """Return the file of a clip."""
        return self._cached(clip_id)

    def _read(self, clip_id: str) -> bytes:
        try:
            return padded(clip_bytes(self.path, self.study, clip_id), self.size)
        except ValueError as error:
            raise InputError(
                f"clip {clip_id} of {self.path} cannot be served: {error}",
                "give a file written by `cantilena listen create`",
            ) from error


def padded(content: bytes, size: int) -> bytes:
    """Insert a padding block into a FLAC file, so that it has `size` bytes: at least four more than before."""
    start = len(_MARKER) + _BLOCK_HEADER
    end = start + _STREAM_INFO
    header = content[len(_MARKER) : start]
    if content[: len(_MARKER)] != _MARKER or len(content) < end or int.from_bytes(header[1:]) != _STREAM_INFO:
        raise ValueError("it is not a FLAC file")
    padding = size - len(content) - _BLOCK_HEADER
    if not 0 <= padding <= _MAX_PADDING:
        raise ValueError("the sizes of the clips differ too much")
    is_last = header[0] & _LAST_BLOCK
    stream_info = bytes([header[0] & ~_LAST_BLOCK]) + content[len(_MARKER) + 1 : end]
    block = bytes([_PADDING_TYPE | is_last]) + padding.to_bytes(3) + bytes(padding)
    return _MARKER + stream_info + block + content[end:]
