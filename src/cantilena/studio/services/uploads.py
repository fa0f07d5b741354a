"""Read uploaded files in a separate process, which may crash, hang or run out of memory without harm."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

from cantilena.data import ReadOptions, read_melody
from cantilena.errors import InputError, UsageError
from cantilena.io import READABLE
from cantilena.music import Melody, Tempo, find_key
from cantilena.server import UnavailableError
from cantilena.studio.options import LIMITS


def read_upload(name: str, content: bytes) -> Melody:
    """Read the melody of an uploaded file.

    Only the suffix of the name is used, as the format; the content is written to a temporary file of another name.

    Args:
        name: the name of the file.
        content: its bytes.

    Returns:
        The melody, cut to the limits of requests; its key is estimated if the file has none.

    Raises:
        UsageError: the suffix is not one of a score.
        InputError: the file cannot be read.
        UnavailableError: the temporary file cannot be written.
    """
    suffix = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if suffix not in READABLE:
        raise UsageError("this is not a music file", f"choose a file that ends in {', '.join(READABLE)}")
    if not content:
        raise UsageError("this file is empty", "export it again")
    try:
        with tempfile.TemporaryDirectory(prefix="cantilena-") as folder:
            path = Path(folder) / f"score{suffix}"
            path.write_bytes(content)
            return _cut(_read(path))
    except OSError as error:
        raise UnavailableError(
            f"the temporary file cannot be written: {error.strerror or error}", "make room for temporary files"
        ) from error


def _read(path: Path) -> Melody:
    options = ReadOptions(time_limit=LIMITS.read_seconds, memory_limit=LIMITS.read_memory // 2**20)
    try:
        return read_melody(path, options)
    except InputError as error:
        hint = "send a shorter piece" if error.hint.startswith("allow it more") else error.hint
        raise type(error)(error.text.replace(str(path), "this file"), hint) from error


def _cut(melody: Melody) -> Melody:
    """Return as much as a request may hold, at one tempo."""
    end, notes = LIMITS.bars * melody.meter.ticks_per_bar, melody.sounding
    if len(notes) > LIMITS.notes:
        end = min(end, notes[LIMITS.notes].onset)
    cut = melody.until(end) if end < melody.length else melody
    tempo = Tempo.constant(min(max(cut.tempo.initial, 10.0), 1000.0))
    return replace(cut, tempo=tempo, title=cut.title[:200], source="", key=cut.key or find_key(cut))
