"""Files of strangers: read in a process of its own, which may crash, hang or eat memory without harm."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

from cantilena.data import ReadOptions, read_melody
from cantilena.errors import InputError, UsageError
from cantilena.io import READABLE
from cantilena.music import Melody, Tempo, find_key
from cantilena.server import LateError
from cantilena.studio.options import LIMITS


def read_upload(name: str, content: bytes) -> Melody:
    """The melody of a file that was sent.

    The name says what it is, and nothing else: it is written under a name of ours, into a folder of its own.

    Args:
        name: how the file is called.
        content: its bytes.

    Returns:
        Its melody line, its key found where it has none, cut after as many notes and bars as are allowed.

    Raises:
        UsageError: its name does not end as a score's does.
        InputError: it cannot be read.
        LateError: there is no room to put it aside.
    """
    ending = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if ending not in READABLE:
        raise UsageError("this is not a file of music", f"drop a file that ends in {', '.join(READABLE)}")
    if not content:
        raise UsageError("this file is empty", "export it again")
    try:
        melody = _read(ending, content)
    except OSError as error:
        raise LateError(
            f"this file cannot be put aside to be read: {error.strerror or error}", "make room for temporary files"
        ) from error
    return _cut(melody)


def _read(ending: str, content: bytes) -> Melody:
    with tempfile.TemporaryDirectory(prefix="cantilena-") as folder:
        path = Path(folder) / f"score{ending}"
        path.write_bytes(content)
        options = ReadOptions(time_limit=LIMITS.read_seconds, memory_limit=LIMITS.read_memory // 2**20)
        try:
            return read_melody(path, options)
        except InputError as error:
            hint = "send a shorter piece" if error.hint.startswith("allow it more") else error.hint
            raise type(error)(error.text.replace(str(path), "this file"), hint) from error


def _cut(melody: Melody) -> Melody:
    """As much as a request may hold, in one tempo, whose notes begin where the first of them does."""
    end = LIMITS.bars * melody.meter.ticks_per_bar
    notes = melody.sounding
    if len(notes) > LIMITS.notes:
        end = min(end, notes[LIMITS.notes].onset)
    cut = melody.until(end) if end < melody.length else melody
    rate = min(max(cut.tempo.initial, 10.0), 1000.0)
    whole = replace(cut, tempo=Tempo.constant(rate), title=cut.title[:200], source="")
    return whole if whole.key is not None else replace(whole, key=find_key(whole))
