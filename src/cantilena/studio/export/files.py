"""Melodies as files and as sound, and the times of the notes in that sound."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from cantilena.errors import UsageError
from cantilena.io import (
    InstrumentName,
    Pattern,
    abc,
    accompaniment,
    midi_bytes,
    musicxml,
    perform,
    render,
    render_note,
    sound_bytes,
)
from cantilena.io.sound.synthesis import RATE, VELOCITY
from cantilena.io.timing import tick_to_seconds
from cantilena.music import Melody
from cantilena.studio.export.engraving import EngravingTask, PictureFormat
from cantilena.studio.schemas.responses import ClockPoint, PlayedNote, Timing
from cantilena.studio.services.executor import BoundedExecutor, EngravingPool

_SCORE_WIDTH = 900
_MAX_SECONDS = 1200.0
"""The longest sound; it is computed in memory."""


@dataclass(frozen=True)
class Playing:
    """How a melody is played in MIDI and sound."""

    expressive: bool = False
    """Whether it is shaped as a pianist would."""

    instrument: InstrumentName = "piano"
    """What plays it."""

    accompaniment: Pattern = "block"
    """How its chords are played."""


def melody_wav(melody: Melody, playing: Playing = Playing(), *, start: int = 0) -> bytes:
    """Render a melody as a WAV file.

    Args:
        melody: the melody.
        playing: how it is played; a part of an expressive performance sounds as it does within the whole.
        start: the tick to start at; notes that began before are left out.

    Raises:
        UsageError: it is too long.
    """
    part, velocities = _performance(melody, expressive=playing.expressive)
    if start:
        velocities = tuple(
            velocity for note, velocity in zip(part.sounding, velocities, strict=True) if note.onset >= start
        )
        part = part.between(start, part.length)
    if part.seconds > _MAX_SECONDS:
        raise UsageError(f"the sound would last {part.seconds:.0f} seconds", f"give at most {_MAX_SECONDS:.0f} seconds")
    chords = accompaniment(part, playing.accompaniment)
    sound = render(part, velocity=velocities, accompaniment=chords, instrument=playing.instrument)
    return sound_bytes(sound, RATE)


@lru_cache(maxsize=256)
def note_wav(pitch: int, velocity: int, seconds: float, instrument: InstrumentName = "piano") -> bytes:
    """Render one note as a WAV file."""
    return sound_bytes(render_note(pitch, velocity, seconds, instrument=instrument), RATE)


def timing(melody: Melody, *, start: int = 0, expressive: bool = False) -> Timing:
    """Return when each note sounds in what `melody_wav` renders.

    Args:
        melody: the melody.
        start: the tick to start at.
        expressive: whether it is shaped as a pianist would.

    Examples:
        >>> found = timing(Melody.from_pitches([(60, 24), (62, 24), (64, 48)]), start=24)
        >>> [(note.note, note.onset, note.end) for note in found.notes], found.seconds
        ([(1, 0.0, 0.5), (2, 0.5, 1.5)], 1.5)
        >>> [(point.tick, point.seconds) for point in found.clock]
        [(24, 0.0), (96, 1.5)]
    """
    played, velocities = _performance(melody, expressive=expressive)
    start = min(start, played.length)
    seconds = tick_to_seconds(played.tempo)

    def since_start(tick: int) -> float:
        return round(seconds(tick) - seconds(start), 6)

    notes = [
        PlayedNote(note=number, onset=since_start(note.onset), end=since_start(note.end), velocity=velocity)
        for number, (note, velocity) in enumerate(zip(played.sounding, velocities, strict=True))
        if note.onset >= start
    ]
    changes = [tick for tick, _ in played.tempo.changes if start < tick < played.length]
    points = [ClockPoint(tick=tick, seconds=since_start(tick)) for tick in sorted({start, *changes, played.length})]
    return Timing(seconds=since_start(played.length), notes=notes, clock=points)


def _performance(melody: Melody, *, expressive: bool) -> tuple[Melody, tuple[int, ...]]:
    """Return a melody with the tempo map by which it is played, and the velocity of each note."""
    if not expressive:
        return melody, (VELOCITY,) * len(melody.sounding)
    performance = perform(melody)
    return replace(melody, tempo=performance.tempo), performance.velocities


@dataclass(frozen=True)
class Format:
    """A file format of melodies: written directly, or engraved."""

    media_type: str
    write: Callable[[Melody, Playing], bytes] | None = None
    """Writes a melody as it is played."""

    picture: PictureFormat | None = None

    async def export(
        self, melody: Melody, playing: Playing, executor: BoundedExecutor, engraving: EngravingPool
    ) -> bytes:
        """Return a melody in this format.

        Args:
            melody: the melody.
            playing: how it is played in MIDI and sound.
            executor: writes the file.
            engraving: engraves the score.

        Raises:
            UsageError: the melody cannot be written in this format.
        """
        write = self.write
        if write is None:
            task = EngravingTask(melody, _SCORE_WIDTH, heading=True, picture=self.picture)
            return (await engraving.engrave(task)).picture
        return await executor.run(lambda _: write(melody, playing))


FORMATS = {
    "mid": Format(
        "audio/midi",
        lambda melody, playing: midi_bytes(
            melody, expressive=playing.expressive, pattern=playing.accompaniment, instrument=playing.instrument
        ),
    ),
    "musicxml": Format("application/vnd.recordare.musicxml+xml", lambda melody, _: musicxml(melody).encode()),
    "svg": Format("image/svg+xml", picture="svg"),
    "pdf": Format("application/pdf", picture="pdf"),
    "png": Format("image/png", picture="png"),
    "wav": Format("audio/wav", melody_wav),
    "abc": Format("text/vnd.abc", lambda melody, _: abc(melody).encode()),
}
"""The formats by suffix."""


def file_name(title: str, suffix: str) -> str:
    """Return a file name that is valid on every system.

    Examples:
        >>> file_name("../Étude #1", "mid"), file_name("…", "mid")
        ('tude-1.mid', 'melody.mid')
    """
    stem = re.sub(r"[^A-Za-z0-9+]+", "-", title).strip("-")[:60].strip("-")
    return f"{stem or 'melody'}.{suffix}"
