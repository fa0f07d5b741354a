"""Pitches as places on the ladder of a scale: what a sequence within the key keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Key

_MAJOR = (0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6)
_MINOR = (0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6)
"""The degree of each pitch class above the tonic, altered ones as most often spelled: C C# D Eb E F F# G G# A Bb B."""


def scale_steps(pitch: NDArray[np.integer[Any]], key: Key) -> NDArray[np.int64]:
    """How many steps of the scale each pitch lies above the lowest tonic; chromatic tones count as what they alter.

    Example:
        >>> scale_steps(np.array([60, 62, 64, 66, 72]), Key()).tolist()
        [35, 36, 37, 38, 42]
    """
    above = pitch.astype(np.int64) - key.tonic
    steps: NDArray[np.int64] = 7 * (above // 12) + np.array(_MINOR if key.is_minor else _MAJOR)[above % 12]
    return steps
