"""Chords for networks: what a network of notes is told of the chord that sounds and of the next one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cantilena.models.conditions import UNKNOWN
from cantilena.music import CHORD_TONES, Chord

CHORD_IDS = 2 + 12 * len(CHORD_TONES)
"""Ids of chords without their bass: unknown, 12 roots of each quality, and N.C."""
BASS_IDS = 13
"""Ids of the bass in semitones above the root; 0 is unknown."""
NEVER = 2**40 - 1
"""The tick of rows that only pad."""

_NO_CHORD = CHORD_IDS - 1
_QUALITIES = {quality: number for number, quality in enumerate(CHORD_TONES)}

ChordRows = NDArray[np.int64]
"""`(changes, 3)`: tick, id of the chord, id of its bass; the first at tick 0, of an unknown chord if none sounds."""

NO_CHORDS: ChordRows = np.zeros((0, 3), dtype=np.int64)
"""The rows of a melody whose chords are not known."""


def chord_rows(chords: Iterable[tuple[int, Chord]]) -> ChordRows:
    """What a network is told of the chords of a melody; repeated chords are one.

    Args:
        chords: (tick, chord), ascending.

    Examples:
        >>> chord_rows([(0, Chord.parse("C")), (48, Chord.parse("C")), (96, Chord.parse("Am/C"))]).tolist()
        [[0, 1, 1], [96, 22, 4]]
    """
    rows = [[0, UNKNOWN, UNKNOWN]]
    for tick, chord in chords:
        told = [_NO_CHORD, UNKNOWN]
        if chord.root is not None and chord.bass is not None:
            told = [1 + 12 * _QUALITIES[chord.quality] + chord.root, 1 + (chord.bass - chord.root) % 12]
        if told != rows[-1][1:]:
            rows.append([max(tick, 0), *told])
    return np.array(rows[1:] if len(rows) > 1 and rows[1][0] == 0 else rows, dtype=np.int64)


def padded_chords(rows: Sequence[ChordRows]) -> NDArray[np.int64]:
    """`(melodies, changes of the longest, 3)`: the rows of some melodies, padded."""
    padded = np.zeros((len(rows), max(map(len, rows), default=0), 3), dtype=np.int64)
    padded[:, :, 0] = NEVER
    for row, some in zip(padded, rows, strict=True):
        row[: len(some)] = some
    return padded


def chords_at(chords: NDArray[np.int64], ticks: NDArray[np.integer]) -> NDArray[np.int64]:
    """`(melodies, queries, 4)`: the ids of chord and bass at some ticks, the id of the next chord, ticks to its onset.

    Where there is no next chord, its id is unknown and the ticks are -1.

    Args:
        chords: `(melodies, changes, 3)` from `padded_chords`.
        ticks: `(melodies, queries)`, not below 0.

    Examples:
        >>> rows = padded_chords([chord_rows([(0, Chord.parse("C")), (96, Chord.parse("G7"))])])
        >>> chords_at(rows, np.array([[0, 90, 96]])).tolist()
        [[[1, 1, 56, 96], [1, 1, 56, 6], [56, 1, 0, -1]]]
    """
    melodies, count, _ = chords.shape
    melody = np.arange(melodies)[:, None]
    # All changes in one ascending line: those of each melody lie `NEVER` after those of the last.
    line = (chords[:, :, 0] + melody * (NEVER + 1)).ravel()
    now = line.searchsorted(np.minimum(ticks, NEVER - 1) + melody * (NEVER + 1), side="right") - 1
    then = np.minimum(now + 1, melodies * count - 1)
    flat = chords.reshape(-1, 3)
    comes = (then > now) & (then // count == melody) & (flat[then, 0] < NEVER)
    after = np.where(comes[..., None], flat[then], (0, UNKNOWN, UNKNOWN))
    return np.stack(
        [flat[now, 1], flat[now, 2], after[..., 1], np.where(comes, after[..., 0] - ticks, -1)], axis=-1
    ).astype(np.int64)


def transposed_chords(chords: NDArray[np.int64], semitones: NDArray[np.integer]) -> NDArray[np.int64]:
    """`(melodies, changes, 3)` chords of melodies that are transposed by `(melodies,)` semitones.

    Examples:
        >>> rows = padded_chords([chord_rows([(0, Chord.parse("B"))])])
        >>> transposed_chords(rows, np.array([1])).tolist()
        [[[0, 1, 1]]]
    """
    moved, ids = chords.copy(), chords[:, :, 1]
    quality, root = np.divmod(ids - 1, 12)
    sounds = (ids > UNKNOWN) & (ids < _NO_CHORD)
    moved[:, :, 1] = np.where(sounds, 1 + 12 * quality + (root + semitones[:, None]) % 12, ids)
    return moved
