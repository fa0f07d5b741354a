"""A leap is followed by a move back, best by step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.notes import Notes
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import SIXTEENTH_CENTURY

FOURTH = 5
"""Semitones from which on an interval is a leap."""

RECOVERED, RETURNED, CONTINUED, DOUBLED = 1, 2, 3, 4
"""What follows a leap: back by step, back by more, on the same way by less than a leap, on by another leap."""


def leap_recoveries(line: Line, *, leap: int = FOURTH) -> NDArray[np.int8]:
    """How the move that ends at each step follows a leap, `(melodies, steps)`; 0 where it follows none.

    A repeated pitch keeps the leap waiting. Two leaps the same way that fill an octave with its fourth or fifth are
    no doubled leap but one on the way (`CONTINUED`).

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> leap_recoveries(GridEncoding().line(np.array([[14, 21, 21, 19, 26, 33, 28]]))).tolist()
        [[0, 0, 0, 1, 0, 4, 2]]
    """
    turns = Notes.of(line).turns()
    move = turns.interval
    before = np.where(turns.opens, 0, np.roll(move, 1))
    leapt = np.abs(before) >= leap
    back, again = before * move < 0, np.abs(move) >= leap
    octave = np.abs(before + move) == 12
    outcome = np.select(
        [~leapt, back & (np.abs(move) <= 2), back, again & ~octave], [0, RECOVERED, RETURNED, DOUBLED], CONTINUED
    )
    return turns.at_steps(outcome).astype(np.int8)


@rule("leap_recovery", source=SIXTEENTH_CENTURY)
def cantilena_leap_recovery(
    line: Line,
    context: Context,
    *,
    returned: float = -0.2,
    continued: float = -0.5,
    doubled: float = -2.0,
    leap: int = FOURTH,
) -> Rewards:
    """A leap of a fourth or more should turn back, best by step; to go on the same way costs more, to leap on most."""
    worth = np.array([0.0, 0.0, returned, continued, doubled])
    return worth[leap_recoveries(line, leap=leap)]
