"""No pitch is struck again and again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.grid import steps_per_beat
from cantilena.rules.notes import Notes
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import SIXTEENTH_CENTURY

STRIKES = 4
"""A pitch may be struck this often in a row."""


def strikes_in_a_row(line: Line, context: Context) -> NDArray[np.int64]:
    """How often the pitch that begins has now been struck in a row, `(melodies, steps)`; 0 where none begins.

    A note that is held is struck once. A silence shorter than a felt beat only parts the strokes; one of a beat or
    more is a breath, after which the count begins anew.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 14, 1, 14, 0, 14, 0, 1, 1, 1, 14, 16]]))
        >>> strikes_in_a_row(line, Context()).tolist()
        [[1, 2, 0, 3, 0, 4, 0, 0, 0, 0, 1, 1]]
    """
    notes = Notes.of(line)
    silence = np.roll(notes.gap - notes.sounding, 1)
    breath = context.timed & (silence >= steps_per_beat(context))
    anew = notes.opens | (notes.interval != 0) | breath
    places = np.arange(len(notes))
    began = np.maximum.accumulate(np.where(anew, places, 0))
    return notes.at_steps(places - began + 1)


@rule("repetition", source=SIXTEENTH_CENTURY)
def cantilena_repetition(line: Line, context: Context, *, penalty: float = -1.0, strikes: int = STRIKES) -> Rewards:
    """Each stroke of one pitch beyond the fourth in a row is penalised; holding it or pausing for a beat is not."""
    return np.where(strikes_in_a_row(line, context) > strikes, penalty, 0.0)
