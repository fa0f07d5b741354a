"""Read uploaded files in a separate process, which may crash, hang or run out of memory without harm."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from cantilena.data import ReadOptions, ScoreVoices, read_voices
from cantilena.errors import InputError, UsageError
from cantilena.generation import BarRange, InfillSpan
from cantilena.io import READABLE
from cantilena.music import Melody, Tempo, find_key
from cantilena.server import UnavailableError
from cantilena.studio.options import LIMITS


@dataclass(frozen=True)
class Upload:
    """What was read of an uploaded file.

    Args:
        melody: cut to the limits of requests; its key is estimated if the file has none.
        voices: the names of the voices of the score.
        voice: the number of the one that was read, from 1; 0 for the melody of the whole.
        bars: of the whole voice.
        left_out: what is not in the melody, in words; empty for nothing.
    """

    melody: Melody
    voices: tuple[str, ...]
    voice: int
    bars: int
    left_out: str


def read_upload(
    name: str, content: bytes, *, voice: int = 0, first: int | None = None, last: int | None = None
) -> Upload:
    """Read the melody of an uploaded file.

    Only the suffix of the name is used, as the format; the content is written to a temporary file of another name.

    Args:
        name: the name of the file.
        content: its bytes.
        voice: the voice of the score, from 1; 0 takes the melody of the whole.
        first: the first bar to take; None for the first of all.
        last: the last one; None for the last of all.

    Raises:
        UsageError: the suffix is not one of a score, or there is no such voice, or no such bar.
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
            return _upload(_read(path, voice), first, last)
    except OSError as error:
        raise UnavailableError(
            f"the temporary file cannot be written: {error.strerror or error}", "make room for temporary files"
        ) from error


def _read(path: Path, voice: int) -> ScoreVoices:
    options = ReadOptions(time_limit=LIMITS.read_seconds, memory_limit=LIMITS.read_memory // 2**20)
    try:
        return read_voices(path, options, voice=voice)
    except InputError as error:
        hint = "send a shorter piece" if error.hint.startswith("allow it more") else error.hint
        raise type(error)(error.text.replace(str(path), "this file"), hint) from error


def _upload(read: ScoreVoices, first: int | None, last: int | None) -> Upload:
    whole = read.chosen.melody
    pickup = bool(whole.pickup % whole.meter.ticks_per_bar)
    count, part = whole.bars - pickup, whole
    if first is not None or last is not None:
        bars = BarRange(1 - pickup if first is None else first, count if last is None else last)
        span = InfillSpan.from_bars(whole, bars)
        part = whole.between(span.start, min(span.end, whole.length))
    melody = _cut(part)
    left_out = []
    if read.chosen.dropped:
        left_out.append(f"{read.chosen.dropped:,} notes of other voices or under the line")
    if melody.length < whole.length:
        left_out.append(f"{count - melody.bars:,} of {count:,} bars")
    return Upload(melody, read.names, read.voice, count, " and ".join(left_out))


def _cut(melody: Melody) -> Melody:
    """Return as much as a request may hold, at one tempo."""
    end, notes = LIMITS.bars * melody.meter.ticks_per_bar, melody.sounding
    if len(notes) > LIMITS.notes:
        end = min(end, notes[LIMITS.notes].onset)
    cut = melody.until(end) if end < melody.length else melody
    tempo = Tempo.constant(min(max(cut.tempo.initial, 10.0), 1000.0))
    return replace(cut, tempo=tempo, title=cut.title[:200], source="", key=cut.key or find_key(cut))
