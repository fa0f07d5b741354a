"""When each note of a melody sounds as it is played, so that a cursor can follow the sound."""

from __future__ import annotations

from dataclasses import replace

from cantilena.io import performed
from cantilena.io.midi.clock import clock
from cantilena.io.sound.piano import VELOCITY
from cantilena.music import Melody
from cantilena.studio.schemas.responses import ClockPoint, PlayedNote, Timing


def as_played(melody: Melody, *, expressive: bool) -> tuple[Melody, tuple[int, ...]]:
    """A melody with the tempo map by which it is played, and how hard each of its notes is struck.

    Args:
        melody: the melody.
        expressive: whether it is shaped as a pianist would.
    """
    if not expressive:
        return melody, (VELOCITY,) * len(melody.sounding)
    performance = performed(melody)
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
        >>> told = timing(Melody.of([(60, 24), (62, 24), (64, 48)]), first=24)
        >>> [(note.note, note.onset, note.end) for note in told.notes], told.seconds
        ([(1, 0.0, 0.5), (2, 0.5, 1.5)], 1.5)
        >>> [(point.tick, point.seconds) for point in told.clock]
        [(24, 0.0), (96, 1.5)]
    """
    played, velocities = as_played(melody, expressive=expressive)
    first = min(first, played.length)
    seconds = clock(played.tempo)

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
