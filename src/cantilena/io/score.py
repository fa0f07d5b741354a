"""A score as a file holds it: parts of notes at the file's own resolution, with nothing rounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Key, Meter


@dataclass(frozen=True, slots=True)
class Part:
    """The notes of one voice, in order of onset; notes with equal onsets keep the order of the file.

    Args:
        name: the name of its track or staff, such as `Piano right`.
        onset: `(notes,)` int64, ticks of the score.
        duration: `(notes,)` int64, ticks of the score; may be 0.
        pitch: `(notes,)` int64, MIDI numbers.
        velocity: `(notes,)` int64, 1..127.
        is_drums: whether it is percussion, where a pitch names an instrument.
        track: number of its track or staff in the file; several parts may share one.
    """

    name: str
    onset: NDArray[np.int64]
    duration: NDArray[np.int64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    is_drums: bool = False
    track: int = 0

    def __len__(self) -> int:
        return len(self.onset)


@dataclass(frozen=True, slots=True)
class Score:
    """The parts of a piece with its tempo, meters and keys.

    Args:
        parts: parts that hold notes.
        resolution: ticks a quarter note in this score.
        tempos: (tick, quarters a minute), ascending, the first at tick 0.
        meters: (tick, meter), ascending; empty if the file names none.
        keys: (tick, key), ascending; empty if the file names none.
        keys_are_explicit: whether the keys were surely written on purpose; in MIDI they are often a default of the
            program that wrote the file.
        pickup: ticks before the first barline.
        title: the piece's name, or "".
        lost: number of notes left out because the file does not say how long they sound.
        error: why this tune of a book of tunes cannot be read and has no parts, or "".
    """

    parts: tuple[Part, ...]
    resolution: int
    tempos: tuple[tuple[int, float], ...] = ((0, 120.0),)
    meters: tuple[tuple[int, Meter], ...] = ()
    keys: tuple[tuple[int, Key], ...] = ()
    keys_are_explicit: bool = True
    pickup: int = 0
    title: str = ""
    lost: int = 0
    error: str = ""
