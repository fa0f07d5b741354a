"""How far a melody reaches, and whether it steps or leaps: features judged against what people write."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.notes import Notes, ratio
from cantilena.rules.reading import lengths
from cantilena.rules.sources import HURON, SIXTEENTH_CENTURY
from cantilena.rules.two_sided import only_where, two_sided


def ambitus(line: Line, context: Context) -> NDArray[np.float64]:
    """Semitones from the lowest to the highest note of each melody, `(melodies,)`; 0 without notes.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> ambitus(GridEncoding().line(np.array([[14, 21, 19], [0, 1, 1]])), Context()).tolist()
        [7.0, 0.0]
    """
    notes = Notes.of(line)
    lowest, highest = np.full(line.melodies, 127), np.full(line.melodies, -1)
    np.minimum.at(lowest, notes.melody, notes.pitch)
    np.maximum.at(highest, notes.melody, notes.pitch)
    return only_where(lengths(line) > 0, np.maximum(highest - lowest, 0))


def stepwise_share(line: Line, context: Context) -> NDArray[np.float64]:
    """Of the moves to another pitch the share that are steps, a semitone or a whole tone, `(melodies,)`.

    0 where nothing moves.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> stepwise_share(GridEncoding().line(np.array([[14, 16, 16, 21]])), Context()).tolist()
        [0.5]
    """
    notes = Notes.of(line)
    size = np.abs(notes.interval)
    return only_where(lengths(line) > 0, ratio(notes.sums((size == 1) | (size == 2)), notes.sums(size > 0)))


cantilena_range = two_sided(
    "range", ambitus, "The melody should span neither too small nor too wide a range.", source=SIXTEENTH_CENTURY
)
cantilena_motion = two_sided(
    "motion", stepwise_share, "The melody should move by step most of the time, but not always.", source=HURON
)
