"""A melody as a file to take away.

Melodies and single notes as sound files.

When each note of a melody sounds as it is played, so that a cursor can follow the sound.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from cantilena.errors import UsageError
from cantilena.io import abc, midi_bytes, musicxml, perform, render, render_note, sound_bytes
from cantilena.io.sound.piano import RATE, VELOCITY
from cantilena.io.timing import tick_to_seconds
from cantilena.music import Melody
from cantilena.studio.export.engraving import Engraver, Picture, Sheet
from cantilena.studio.schemas.responses import ClockPoint, PlayedNote, Timing
from cantilena.studio.services.executor import Bench


def as_played(melody: Melody, *, expressive: bool) -> tuple[Melody, tuple[int, ...]]:
    """A melody with the tempo map by which it is played, and how hard each of its notes is struck.

    Args:
        melody: the melody.
        expressive: whether it is shaped as a pianist would.
    """
    if not expressive:
        return melody, (VELOCITY,) * len(melody.sounding)
    performance = perform(melody)
    return replace(melody, tempo=performance.tempo), performance.velocities


def from_tick(melody: Melody, velocities: tuple[int, ...], first: int) -> tuple[Melody, tuple[int, ...]]:
    """What is left from a tick on, played as it is within the whole; notes that began before are left out."""
    if not first:
        return melody, velocities
    kept = [velocity for note, velocity in zip(melody.sounding, velocities, strict=True) if note.onset >= first]
    return melody.between(first, melody.length), tuple(kept)


def timing(melody: Melody, *, first: int = 0, expressive: bool = False) -> Timing:
    """When everything sounds from a tick on, as `sounds.played` plays it.

    Args:
        melody: the melody.
        first: the tick to begin at.
        expressive: whether it is shaped as a pianist would.

    Example:
        >>> told = timing(Melody.from_pitches([(60, 24), (62, 24), (64, 48)]), first=24)
        >>> [(note.note, note.onset, note.end) for note in told.notes], told.seconds
        ([(1, 0.0, 0.5), (2, 0.5, 1.5)], 1.5)
        >>> [(point.tick, point.seconds) for point in told.clock]
        [(24, 0.0), (96, 1.5)]
    """
    played, velocities = as_played(melody, expressive=expressive)
    first = min(first, played.length)
    seconds = tick_to_seconds(played.tempo)

    def since(tick: int) -> float:
        return round(seconds(tick) - seconds(first), 6)

    changes = [tick for tick, _ in played.tempo.changes if first < tick < played.length]
    notes = enumerate(zip(played.sounding, velocities, strict=True))
    return Timing(
        seconds=since(played.length),
        notes=[
            PlayedNote(note=number, onset=since(note.onset), end=since(note.end), velocity=velocity)
            for number, (note, velocity) in notes
            if note.onset >= first
        ],
        clock=[ClockPoint(tick=tick, seconds=since(tick)) for tick in sorted({first, *changes, played.length})],
    )


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


_WIDTH = 900


@dataclass(frozen=True)
class Export:
    """A format that melodies are written in.

    Args:
        media: what browsers call it.
        written: the bytes of a melody, and whether they shall be expressive; None where it is engraved.
        picture: the file that the engraver makes.
    """

    media: str
    written: Callable[[Melody, bool], bytes] | None = None
    picture: Picture | None = None

    async def of(self, melody: Melody, expressive: bool, bench: Bench, engraver: Engraver) -> bytes:
        """The bytes of a melody in this format.

        Args:
            melody: the melody.
            expressive: whether it shall be played with expression, where it is played.
            bench: where it is written.
            engraver: by whom it is engraved, where it is a picture.

        Raises:
            UsageError: it cannot be written so.
        """
        written = self.written
        if written is None:
            return (await engraver.engrave(Sheet(melody, _WIDTH, heading=True, picture=self.picture))).picture
        return await bench.run(lambda _: written(melody, expressive))


def _midi(melody: Melody, expressive: bool) -> bytes:
    return midi_bytes(melody, expressive=expressive)


def _musicxml(melody: Melody, expressive: bool) -> bytes:
    return musicxml(melody).encode()


def _wav(melody: Melody, expressive: bool) -> bytes:
    return played(melody, expressive=expressive)


def _abc(melody: Melody, expressive: bool) -> bytes:
    return abc(melody).encode()


EXPORTS = {
    "mid": Export("audio/midi", _midi),
    "musicxml": Export("application/vnd.recordare.musicxml+xml", _musicxml),
    "svg": Export("image/svg+xml", picture="svg"),
    "pdf": Export("application/pdf", picture="pdf"),
    "png": Export("image/png", picture="png"),
    "wav": Export("audio/wav", _wav),
    "abc": Export("text/vnd.abc", _abc),
}
"""The formats by the ending of their files."""


def file_name(title: str, ending: str) -> str:
    """A name that every system can hold, from a title.

    Example:
        >>> file_name("../Étude #1", "mid"), file_name("…", "mid")
        ('tude-1.mid', 'melody.mid')
    """
    plain = re.sub(r"[^A-Za-z0-9+]+", "-", title).strip("-")[:60].strip("-")
    return f"{plain or 'melody'}.{ending}"
