"""Rhythm: how varied it is, how much silence and how many notes there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import HOLD, ON, TICKS_PER_QUARTER, Line
from cantilena.rules.bands import two_sided
from cantilena.rules.notes import Notes, lengths, ratio, where_defined
from cantilena.rules.rule import PRACTICE, SHANNON, Context, Example


def rhythm_entropy(line: Line, context: Context) -> NDArray[np.float64]:
    """The entropy of the times from one note to the next, bits a note, `(melodies,)`.

    0 where all are equal or there are fewer than two notes; NaN where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rhythm_entropy(GridEncoding().line(np.array([[14, 16, 1, 18, 19, 1, 21]])), Context()).tolist()
        [1.0]
    """
    notes = Notes.from_line(line)
    within = notes.select(~notes.is_last)
    kinds, counts = np.unique(within.melody * (line.steps + 1) + within.gap, return_counts=True)
    melody = kinds // (line.steps + 1)
    share = counts / within.counts()[melody]
    entropy = np.bincount(melody, weights=-share * np.log2(share), minlength=line.melodies)
    return where_defined(context.timed & (lengths(line) > 0), entropy)


cantilena_rhythm = two_sided(
    "rhythm",
    rhythm_entropy,
    "The rhythm should be neither monotonous nor random.",
    source=SHANNON,
    label="Rhythm, bits a note",
    definition="Mean entropy of the times from one note to the next.",
    unit="number",
    rule_set="cantilena",
    example=Example("the scale in quarters", "C4 D4 E4 F4 G4 A4 B4 C5 B4 A4 G4 F4 E4 D4 C4/2"),
)


def silent_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of steps in which nothing sounds, `(melodies,)`; NaN where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> silent_share(GridEncoding().line(np.array([[14, 1, 0, 1]])), Context()).tolist()
        [0.5]
    """
    steps = np.arange(line.steps)
    latest = np.maximum.accumulate(np.where(line.event != HOLD, steps, -1), axis=1)
    sounds = (latest >= 0) & (np.take_along_axis(line.event, np.maximum(latest, 0), axis=1) == ON)
    return where_defined(context.timed & (lengths(line) > 0), ratio((~sounds & line.valid).sum(axis=1), lengths(line)))


cantilena_rests = two_sided(
    "rests",
    silent_share,
    "There should be neither too much silence nor too little.",
    source=PRACTICE,
    label="Silence",
    definition="Mean share of steps in which nothing sounds.",
    rule_set="cantilena",
    example=Example("a long silence", "C4 r/2. r/1 r/1 E4 r/2."),
)


def notes_per_quarter(line: Line, context: Context) -> NDArray[np.float64]:
    """The number of notes that begin in a quarter note's time, `(melodies,)`; NaN where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> notes_per_quarter(GridEncoding().line(np.array([[14, 1, 16, 1]])), Context()).tolist()
        [2.0]
    """
    steps_per_quarter = context.steps_per_bar * TICKS_PER_QUARTER / context.meter.ticks_per_bar
    density = ratio(Notes.from_line(line).counts(), lengths(line)) * steps_per_quarter
    return where_defined(context.timed & (lengths(line) > 0), density)


cantilena_density = two_sided(
    "density",
    notes_per_quarter,
    "There should be neither too many notes nor too few in the time.",
    source=PRACTICE,
    label="Notes a quarter",
    definition="Mean number of notes that begin in the time of a quarter note.",
    unit="number",
    rule_set="cantilena",
    example=Example("whole notes", "C4/1 E4/1 D4/1 C4/1"),
)
