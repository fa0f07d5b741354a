"""A score as it stands in a file: parts of notes, at the file's own resolution.

Readers make it, `corpus` chooses the melody in it. Nothing is rounded here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Key, Meter


@dataclass(frozen=True, slots=True)
class Part:
    """The notes of one voice, in order of onset; where onsets meet, in the order of the file.

    Args:
        name: the name of its track or staff, such as `Piano right`.
        onset: `(notes,)` int64, ticks of the score.
        duration: `(notes,)` int64, ticks of the score; 0 where a file ends a note as it begins it.
        pitch: `(notes,)` int64, MIDI numbers.
        velocity: `(notes,)` int64, 1..127.
        is_drums: whether it is percussion, whose "pitches" are instruments.
        track: which track or staff of the file it stands in; several parts may share one.
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
    """All parts of a piece with its tempo, meters and keys.

    Args:
        parts: parts that hold notes.
        resolution: ticks a quarter note, of this score.
        tempos: (tick, quarters a minute), ascending, the first at tick 0.
        meters: (tick, meter), ascending; empty if the file names none.
        keys: (tick, key), ascending; empty if the file names none.
        keys_are_meant: whether a key was surely written on purpose; in MIDI it often is what the program put there.
        pickup: ticks before the first barline.
        title: the piece's name, or "".
        lost: notes that are not here since the file does not say how long they sound.
        trouble: why this tune of a book of tunes could not be read and has no parts, or "".
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
    trouble: str = ""
