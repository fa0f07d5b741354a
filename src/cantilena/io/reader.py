"""Reading scores of any format; files from others are parsed in a bounded worker process."""

from __future__ import annotations

from pathlib import Path

from cantilena.errors import ScoreError
from cantilena.io.midi.reader import read_midi
from cantilena.io.notation.reader import NOTATION, read_notation, require_notation
from cantilena.io.score import Score
from cantilena.runtime import Failure, bounded_map, read_regular_file

MIDI = (".mid", ".midi", ".kar", ".smf", ".rmi")
"""The suffixes of MIDI files."""

READABLE = (*MIDI, *NOTATION)
"""The suffixes of files that can be read; those in notation need the extra `notation`."""

_MAX_BYTES = 16 * 2**20


def read_score(path: Path) -> list[Score]:
    """Read a file in this process: only for trusted files, or inside a worker.

    Args:
        path: the file, in the format of its suffix.

    Returns:
        One score; for a book of tunes, one per tune. A tune that cannot be read has no parts and an `error`.

    Raises:
        ScoreError: it cannot be read; the text gives the reason and does not name the file.
        MissingError: it is in notation and the extra `notation` is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        raise ScoreError(f"'{suffix}' is not a suffix of scores", f"scores end in {', '.join(READABLE)}")
    try:
        content = read_regular_file(path, _MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScoreError(f"it cannot be opened: {reason}", "check the path and your rights") from error
    if content is None:
        raise ScoreError("it is not an ordinary file", "name a file, not a folder, a pipe or a device")
    if len(content) > _MAX_BYTES:
        raise ScoreError(f"it is larger than {_MAX_BYTES // 2**20} MB", "cut it into pieces")
    return [read_midi(content)] if suffix in MIDI else read_notation(content, suffix)


def read_safely(path: Path, *, seconds: float = 10.0, memory: int = 2**30) -> list[Score]:
    """Read an untrusted file in a worker process, which may crash, hang or exhaust its memory without harm.

    Args:
        path: the file, in the format of its suffix.
        seconds: time limit.
        memory: memory limit in bytes.

    Returns:
        As `read_score`.

    Raises:
        ScoreError: it cannot be read; the text names the file and the reason.
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
