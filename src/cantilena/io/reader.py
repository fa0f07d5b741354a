"""Reading scores of any format, and the door through which a foreign file comes in safely."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cantilena.errors import ScoreError
from cantilena.io.midi.reader import read_midi
from cantilena.io.notation.reader import NOTATION, read_notation, require_notation
from cantilena.io.score import Score
from cantilena.runtime import Failure, bounded_map

MIDI = (".mid", ".midi", ".kar", ".smf", ".rmi")
"""How the names of MIDI files end."""

READABLE = (*MIDI, *NOTATION)
"""How the names of files end that can be read; those in notation need the extra `notation`."""

_MAX_BYTES = 16 * 2**20


def read_score(path: Path) -> list[Score]:
    """Read a file in this process: only for files of our own, or inside a worker that may die of it.

    Args:
        path: the file; its suffix says what it is.

    Returns:
        One score; of a book of tunes, one a tune. A tune that could not be read has no parts and says its `trouble`.

    Raises:
        ScoreError: it cannot be read; the text says why and does not name the file.
        MissingError: it is in notation and the extra `notation` is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        raise ScoreError(f"'{suffix}' is not how a score's name ends", f"scores end in {', '.join(READABLE)}")
    content = _content(path)
    if suffix in MIDI:
        return [read_midi(content)]
    return read_notation(content, suffix)


def read_safely(path: Path, *, seconds: float = 10.0, memory: int = 2**30) -> list[Score]:
    """Read a foreign file in a process of its own, which may crash, hang or eat memory without harm.

    Args:
        path: the file; its suffix says what it is.
        seconds: how long reading may take.
        memory: bytes that reading may take.

    Returns:
        As `read_score`.

    Raises:
        ScoreError: it cannot be read; the text says which file and why.
        MissingError: it is in notation and the extra `notation` is not installed.
    """
    if path.suffix.lower() in NOTATION:
        require_notation()
    ((_, outcome),) = bounded_map(read_score, [path], jobs=1, seconds=seconds, memory=memory)
    if isinstance(outcome, Failure):
        raise ScoreError(
            f"cannot read {path}: {outcome.reason}", outcome.hint or "open it in a music program and export it again"
        )
    return outcome


def _content(path: Path) -> bytes:
    """The bytes of an ordinary file, opened so that neither a pipe nor a device can make us wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ScoreError("it is not an ordinary file", "name a file, not a folder, a pipe or a device")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(_MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScoreError(f"it cannot be opened: {reason}", "check the path and your rights") from error
    if len(content) > _MAX_BYTES:
        raise ScoreError(f"it is larger than {_MAX_BYTES // 2**20} MB", "cut it into pieces")
    return content
