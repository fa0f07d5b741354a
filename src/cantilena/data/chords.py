"""All notes and chords of a score: what is struck together, whichever hand strikes it, is one chord."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cantilena.data.melody_choice import Span
from cantilena.music import TICKS_PER_QUARTER, Note


def chords(notes: Iterable[Span], resolution: int) -> list[Note]:
    """Group notes into chords, at 24 ticks a quarter.

    Notes are struck together if they begin within half a tick, a 48th of a quarter note, of the first of them: 10 ms at
    120 quarters a minute. Quick successive notes, such as 64ths (a 16th of a quarter apart), are never fused. Each
    chord begins at its first note's nearest tick, a later chord at least a tick after the one before, so that none
    is fused and their order stays. It sounds as long as its longest note.

    Args:
        notes: in any order, in ticks of the score.
        resolution: ticks a quarter note, of the score.

    Example:
        >>> [note.name for note in chords([(0, 480, 60), (3, 480, 64), (120, 480, 67), (150, 480, 72)], 480)]
        ['C4+E4', 'G4', 'C5']
    """
    groups: list[list[Span]] = []
    for note in sorted(notes):
        if groups and (note[0] - groups[-1][0][0]) * 2 * TICKS_PER_QUARTER <= resolution:
            groups[-1].append(note)
        else:
            groups.append([note])
    struck: list[Note] = []
    previous = -1
    for group in groups:
        onset = max(int(nearest_ticks(group[0][0], resolution)), previous + 1)
        end = int(nearest_ticks(max(note[1] for note in group), resolution))
        struck.append(Note(tuple(note[2] for note in group), onset, max(end - onset, 1)))
        previous = onset
    return struck


def nearest_ticks(times: NDArray[np.int64] | int, resolution: int) -> NDArray[np.int64]:
    """Times of a score at 24 ticks a quarter; halves go up.

    Args:
        times: `(times,)` or one, ticks of the score.
        resolution: ticks a quarter note, of the score.
    """
    return np.asarray((2 * times * TICKS_PER_QUARTER + resolution) // (2 * resolution))
