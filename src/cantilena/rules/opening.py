"""The melody begins with the tonic, or with another tone of its triad."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.notes import Notes
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import COUNTERPOINT


def opening_tones(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where the note begins that opens each melody, `(melodies, steps)`: one a melody at most.

    It is the first note; but where that is the dominant and begins away from the downbeat it begins a pickup, and the
    first note after the next barline opens the melody.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[0, 0, 21, 25, 26, 28, 1, 1]]))  # a rest, G4 B4 | C5 D5
        >>> np.argwhere(opening_tones(line, Context(steps_per_bar=4))).tolist()
        [[0, 4]]
    """
    notes = Notes.of(line)
    bar, within = np.divmod(notes.step, context.steps_per_bar)
    pickup = notes.opens & (notes.pitch % 12 == context.dominant) & (within > 0) & context.timed
    of_melody = np.cumsum(notes.opens) - 1
    first_bar = (bar + pickup)[notes.opens]  # the bar from which on the first note opens
    late_enough = bar >= first_bar[of_melody]
    place = np.cumsum(late_enough)
    earlier = (place - late_enough)[notes.opens]
    opens = late_enough & (place - earlier[of_melody] == 1)
    placed = np.zeros(line.event.shape, dtype=np.bool_)
    placed[notes.melody[opens], notes.step[opens]] = True
    return placed


def opens_on(line: Line, context: Context) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a melody opens on the tonic, and where on the third or fifth, both `(melodies, steps)`; in any octave."""
    opening, pitch_class = opening_tones(line, context), line.pitch % 12
    triad = (pitch_class == context.mediant) | (pitch_class == context.dominant)
    return opening & (pitch_class == context.key.tonic), opening & triad


@rule("opening", source=COUNTERPOINT)
def cantilena_opening(line: Line, context: Context, *, tonic: float = 3.0, triad: float = 1.5) -> Rewards:
    """The melody should open on the tonic, or on another tone of its triad; a pickup on the dominant may precede."""
    on_tonic, on_triad = opens_on(line, context)
    return tonic * on_tonic + triad * on_triad
