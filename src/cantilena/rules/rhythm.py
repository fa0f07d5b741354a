"""Whether the meter can be heard: notes on downbeats, and notes held across stronger beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.grid import metrical_strengths
from cantilena.rules.notes import Notes, ratio
from cantilena.rules.reading import lengths, tones
from cantilena.rules.sources import LERDAHL_JACKENDOFF, LONGUET_HIGGINS_LEE
from cantilena.rules.two_sided import only_where, two_sided


def downbeat_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of bars, begun ones included, on whose first step a note begins, `(melodies,)`.

    NaN where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> downbeat_share(GridEncoding().line(np.array([[14, 1, 16, 1, 1, 1]])), Context(steps_per_bar=4)).tolist()
        [0.5]
    """
    downbeats = tones(line)[:, :: context.steps_per_bar].sum(axis=1)
    bars = -(-lengths(line) // context.steps_per_bar)
    return only_where(context.timed & (lengths(line) > 0), ratio(downbeats, bars))


def syncopations(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where a note begins that still sounds when a stronger beat comes, `(melodies, steps)`.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 1, 1, 18, 1]]))  # quarter, half, quarter
        >>> np.argwhere(syncopations(line, Context(steps_per_bar=8))).tolist()
        [[0, 2]]
    """
    notes = Notes.of(line)
    held_across = notes.sounding > _steps_to_stronger(context)[notes.step % context.steps_per_bar]
    across = np.zeros(line.event.shape, dtype=np.bool_)
    across[notes.melody[held_across], notes.step[held_across]] = context.timed
    return across


def syncopated_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of notes that still sound when a stronger beat comes, `(melodies,)`; NaN where steps tell no time."""
    share = ratio(syncopations(line, context).sum(axis=1), Notes.of(line).counts())
    return only_where(context.timed & (lengths(line) > 0), share)


def _steps_to_stronger(context: Context) -> NDArray[np.int64]:
    """How many steps after each of a bar the next stronger one comes; very many after the strongest."""
    strengths = metrical_strengths(context)
    waits = np.full(len(strengths), np.iinfo(np.int64).max)
    twice = np.concatenate([strengths, strengths])
    for place, strength in enumerate(strengths):
        stronger = np.flatnonzero(twice[place:] > strength)
        if len(stronger):
            waits[place] = stronger[0]
    return waits


cantilena_meter = two_sided(
    "meter",
    downbeat_share,
    "Most bars should begin with a note, so that the meter is heard.",
    source=LERDAHL_JACKENDOFF,
)
cantilena_syncopation = two_sided(
    "syncopation",
    syncopated_share,
    "Some notes, but not too many, may be held across a stronger beat.",
    source=LONGUET_HIGGINS_LEE,
)
