"""Melodies and single notes as sound files."""

from __future__ import annotations

from functools import lru_cache

from cantilena.errors import UsageError
from cantilena.io import render, render_note, sound_bytes
from cantilena.io.sound.piano import RATE
from cantilena.music import Melody
from cantilena.studio.export.timing import as_played, from_tick

_LONGEST = 1200.0
"""Seconds of the longest sound; it is made in memory."""


def played(melody: Melody, *, first: int = 0, expressive: bool = False) -> bytes:
    """A melody from a tick on, as the bytes of a WAV file.

    Args:
        melody: the melody.
        first: the tick to begin at.
        expressive: whether it is shaped as a pianist would: the part as it is within the whole.

    Raises:
        UsageError: it is too long.
    """
    part, velocities = from_tick(*as_played(melody, expressive=expressive), first)
    if part.seconds > _LONGEST:
        raise UsageError(f"{part.seconds:.0f} seconds of music as sound", f"{_LONGEST:.0f} seconds are the most")
    return sound_bytes(render(part, velocity=velocities), RATE)


@lru_cache(maxsize=256)
def note_wav(pitch: int, velocity: int, seconds: float) -> bytes:
    """One note, as the bytes of a WAV file."""
    return sound_bytes(render_note(pitch, velocity, seconds), RATE)
