"""The loops that look for returning motifs, compiled when they first run.

Notes lie one after the other, melody by melody; those of melody m are `bounds[m]` to `bounds[m + 1] - 1`. `gap` is the
time from a note to the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.runtime import compiled

Numbers = NDArray[np.int64]


@compiled
def alike(pitch: Numbers, degree: Numbers, gap: Numbers, one: int, other: int, most: int) -> int:
    """How many notes up to `one` sound like those up to `other`, `most` at most; there must be so many.

    They do while all intervals are the same, either in semitones or in steps of the scale, and all times from note to
    note are in one proportion.
    """
    exact = within_scale = True
    notes = 1
    while notes < most:
        a, b = one - notes, other - notes
        exact &= pitch[a + 1] - pitch[a] == pitch[b + 1] - pitch[b]
        within_scale &= degree[a + 1] - degree[a] == degree[b + 1] - degree[b]
        if not (exact or within_scale) or gap[a] * gap[other - 1] != gap[b] * gap[one - 1]:
            break
        notes += 1
    return notes


@compiled
def returns(
    pitch: Numbers, degree: Numbers, gap: Numbers, rare: NDArray[np.bool_], bounds: Numbers, least: int, most: int
) -> tuple[Numbers, Numbers]:
    """The longest motif that ends at each note and was heard before, without a note in common.

    `rare` `(most + 1, notes)` tells whether the last k notes could be a motif, which has `least` to `most` notes.

    Returns:
        How many notes it has, 0 for none; and the note at which it first ended, -1 for none. Both `(notes,)`.
    """
    promising = np.zeros(len(pitch), np.bool_)
    for notes in range(least, most + 1):
        promising |= rare[notes]
    moved, climbed = np.zeros(len(pitch), np.int64), np.zeros(len(pitch), np.int64)
    moved[1:], climbed[1:] = pitch[1:] - pitch[:-1], degree[1:] - degree[:-1]
    size = np.zeros(len(pitch), np.int64)
    origin = np.full(len(pitch), -1, np.int64)
    for melody in range(len(bounds) - 1):
        first = bounds[melody]
        for note in range(first + 2 * least - 1, bounds[melody + 1]):
            if not promising[note]:
                continue
            for before in range(first + least - 1, note - least + 1):
                # Most places differ in the last interval already.
                if moved[before] != moved[note] and climbed[before] != climbed[note]:
                    continue
                limit = min(most, note - before, before - first + 1)
                if limit <= size[note] or gap[before - 1] * gap[note - 2] != gap[before - 2] * gap[note - 1]:
                    continue
                notes = alike(pitch, degree, gap, before, note, limit)
                while notes > size[note] and notes >= least:
                    if rare[notes, note]:
                        size[note], origin[note] = notes, before
                        break
                    notes -= 1
    return size, origin


@compiled
def survey(
    pitch: Numbers, degree: Numbers, gap: Numbers, size: Numbers, origin: Numbers, bounds: Numbers, most: int
) -> tuple[NDArray[np.bool_], Numbers]:
    """Which notes belong to a motif that returns, `(notes,)`; and how many different ones there are, `(melodies,)`.

    Counted are returns that do not grow with the next note and share no note with the one counted before. They are
    different if they have other numbers of notes or do not sound alike.
    """
    covered = np.zeros(len(pitch), np.bool_)
    different = np.zeros(len(bounds) - 1, np.int64)
    counted = np.empty(len(pitch), np.int64)  # the notes at which the different motifs of a melody ended
    for melody in range(len(bounds) - 1):
        busy = -1
        for note in range(bounds[melody], bounds[melody + 1]):
            notes = size[note]
            if notes == 0:
                continue
            covered[note - notes + 1 : note + 1] = True
            covered[origin[note] - notes + 1 : origin[note] + 1] = True
            grows = notes < most and note + 1 < bounds[melody + 1] and size[note + 1] == notes + 1
            if grows or note - notes + 1 <= busy:
                continue
            busy = note
            known = False
            for place in range(different[melody]):
                other = counted[place]
                if size[other] == notes and alike(pitch, degree, gap, other, note, notes) == notes:
                    known = True
                    break
            if not known:
                counted[different[melody]] = note
                different[melody] += 1
    return covered, different
