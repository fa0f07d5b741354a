"""Condition ids: key, mode, meter and style of a melody as a row of four numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.models.conditions import METERS, MODES, UNTOLD
from cantilena.music import Key, Meter

Told = NDArray[np.int64]
"""`(melodies, 4)`: a value for each of `conditions.KINDS`, `UNTOLD` or 1 and up."""


def told(key: Key | None = None, meter: Meter | None = None, style: int = UNTOLD) -> Told:
    """What is told of one melody: `(4,)`.

    Args:
        key: None where it is not known; of modes other than major and minor the tonic alone is told.
        meter: None where it is not known.
        style: its number, from 1 on (`style_number`).

    Example:
        >>> told(Key.parse("A minor"), Meter(6, 8)).tolist()
        [10, 2, 8, 0]
    """
    named = str(meter)
    return np.array(
        [
            UNTOLD if key is None else 1 + key.tonic,
            1 + MODES.index(key.mode) if key is not None and key.mode in MODES else UNTOLD,
            1 + METERS.index(named) if named in METERS else UNTOLD,
            style,
        ],
        dtype=np.int64,
    )


def transposed(some: Told, semitones: NDArray[np.integer]) -> Told:
    """The same of melodies that were moved by so many semitones each, `(melodies,)`: only a key that was told changes.

    Example:
        >>> transposed(told(Key.parse("A minor"))[None, :], np.array([4])).tolist()  # C sharp minor
        [[2, 2, 0, 0]]
    """
    moved = some.copy()
    known = some[:, 0] != UNTOLD
    moved[known, 0] = 1 + (some[known, 0] - 1 + semitones[known]) % 12
    return moved
