"""How much happens: rhythm, rests, density. Features of whole melodies, judged against what people write."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import HOLD, ON, TICKS_PER_QUARTER, Line
from cantilena.rules.context import Context
from cantilena.rules.notes import Notes, ratio
from cantilena.rules.reading import lengths
from cantilena.rules.sources import PRACTICE, SHANNON
from cantilena.rules.two_sided import only_where, two_sided


def rhythm_entropy(line: Line, context: Context) -> NDArray[np.float64]:
    """How varied the rhythm is, bits a note, `(melodies,)`: the entropy of the times from one note to the next.

    0 where all are equal or there are fewer than two notes; NaN where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rhythm_entropy(GridEncoding().line(np.array([[14, 16, 1, 18, 19, 1, 21]])), Context()).tolist()
        [1.0]
    """
    notes = Notes.of(line)
    within = notes.kept(~notes.closes)
    kinds, counts = np.unique(within.melody * (line.steps + 1) + within.gap, return_counts=True)
    melody = kinds // (line.steps + 1)
    share = counts / within.counts()[melody]
    entropy = np.bincount(melody, weights=-share * np.log2(share), minlength=line.melodies)
    return only_where(context.timed & (lengths(line) > 0), entropy)


def silent_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of steps in which nothing sounds, `(melodies,)`; NaN where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> silent_share(GridEncoding().line(np.array([[14, 1, 0, 1]])), Context()).tolist()
        [0.5]
    """
    steps = np.arange(line.steps)
    latest = np.maximum.accumulate(np.where(line.event != HOLD, steps, -1), axis=1)
    sounds = (latest >= 0) & (np.take_along_axis(line.event, np.maximum(latest, 0), axis=1) == ON)
    return only_where(context.timed & (lengths(line) > 0), ratio((~sounds & line.valid).sum(axis=1), lengths(line)))


def notes_per_quarter(line: Line, context: Context) -> NDArray[np.float64]:
    """How many notes begin in the time of a quarter note, `(melodies,)`; NaN where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> notes_per_quarter(GridEncoding().line(np.array([[14, 1, 16, 1]])), Context()).tolist()
        [2.0]
    """
    steps_per_quarter = context.steps_per_bar * TICKS_PER_QUARTER / context.meter.ticks_per_bar
    density = ratio(Notes.of(line).counts(), lengths(line)) * steps_per_quarter
    return only_where(context.timed & (lengths(line) > 0), density)


cantilena_rhythm = two_sided(
    "rhythm", rhythm_entropy, "The rhythm should be neither monotonous nor at random.", source=SHANNON
)
cantilena_rests = two_sided(
    "rests", silent_share, "There should be neither too much silence nor too little.", source=PRACTICE
)
cantilena_density = two_sided(
    "density",
    notes_per_quarter,
    "There should be neither too many notes nor too few in the time.",
    source=PRACTICE,
)
