"""How rules read a line: one number a step, and what came before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import ON, Line

FIRST_TONE = 2
"""The code of MIDI pitch 0: codes below it are the events that strike no tone, off (0) and hold (1)."""


def codes(line: Line) -> NDArray[np.int16]:
    """Each step as one number, `(melodies, steps)`: 0 off, 1 hold, 2 + the top pitch where a note begins.

    RL Tuner's classes, but for any pitch: their order and their equalities are the same.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> codes(GridEncoding().line(np.array([[14, 1, 0, 16]])))
        array([[62,  1,  0, 64]], dtype=int16)
    """
    tones = np.minimum(line.pitch, 127) + FIRST_TONE
    return np.ascontiguousarray(np.where(line.event == ON, tones, line.event), dtype=np.int16)


def class_numbers(line: Line) -> NDArray[np.float64]:
    """RL Tuner's raw class numbers, `(melodies, steps)`: 0 off, 1 hold, the top pitch less 46 where a note begins."""
    return np.ascontiguousarray(np.where(line.event == ON, line.pitch - 46, line.event), dtype=np.float64)


def lengths(line: Line) -> NDArray[np.int64]:
    """How many steps of each row count, `(melodies,)`, never more than there are."""
    return np.ascontiguousarray(np.clip(line.length, 0, line.steps), dtype=np.int64)


def tones(line: Line) -> NDArray[np.bool_]:
    """Where a note begins, `(melodies, steps)`, the padding left out."""
    begins: NDArray[np.bool_] = (line.event == ON) & line.valid
    return begins


def tone_before(line: Line) -> NDArray[np.int16]:
    """The last top pitch struck before each step, `(melodies, steps)`; -1 while there is none.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> tone_before(GridEncoding().line(np.array([[0, 14, 1, 16]])))
        array([[-1, -1, 60, 60]], dtype=int16)
    """
    steps = np.arange(line.steps)
    last = np.maximum.accumulate(np.where(tones(line), steps, -1), axis=1)
    before = np.concatenate([np.full((line.melodies, 1), -1), last[:, :-1]], axis=1)[:, : line.steps]
    found = np.take_along_axis(line.pitch, np.maximum(before, 0), axis=1)
    return np.where(before >= 0, found, -1).astype(np.int16)


def last_steps(line: Line) -> NDArray[np.bool_]:
    """Where each melody's last step is, `(melodies, steps)`."""
    last: NDArray[np.bool_] = np.arange(line.steps)[None, :] == (lengths(line) - 1)[:, None]
    return last
