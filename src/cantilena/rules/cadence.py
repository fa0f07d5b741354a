"""The melody ends: on the tonic, on a strong beat, by step, and with time to hear that it ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.grid import steps_per_beat, strong_places
from cantilena.rules.notes import Notes
from cantilena.rules.reading import last_steps
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import FUX


@dataclass(frozen=True, slots=True)
class Cadences:
    """How melodies end, each `(melodies,)`.

    Args:
        tonic: the last note is the tonic, in any octave.
        strong: the last pitch began on a strong beat; where it is struck again to the end, its first stroke counts.
        by_step: it was reached by a step.
        lasting: the share of a felt beat that the last note sounds, 1 at most.
    """

    tonic: NDArray[np.bool_]
    strong: NDArray[np.bool_]
    by_step: NDArray[np.bool_]
    lasting: NDArray[np.float64]


def cadences(line: Line, context: Context) -> Cadences:
    """How each melody ends; nothing holds for one without notes, and of time nothing where steps tell none.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> close = cadences(GridEncoding().line(np.array([[16, 1, 13, 1, 14, 1, 14, 1]])), Context(steps_per_bar=4))
        >>> bool(close.tonic[0]), bool(close.strong[0]), bool(close.by_step[0]), float(close.lasting[0])
        (True, True, True, 1.0)
    """
    notes = Notes.of(line)
    final, arrivals = notes.kept(notes.closes), notes.turns()
    arrival = arrivals.kept(arrivals.closes)
    step = np.abs(arrivals.interval[arrivals.closes])
    timed = context.timed

    def in_each(values: NDArray[np.generic]) -> NDArray[np.float64]:
        placed = np.zeros(line.melodies)
        placed[final.melody] = values
        return placed

    return Cadences(
        tonic=in_each(final.pitch % 12 == context.key.tonic) > 0,
        strong=in_each(timed & strong_places(context)[arrival.step % context.steps_per_bar]) > 0,
        by_step=in_each((step == 1) | (step == 2)) > 0,
        lasting=in_each(timed * np.minimum(final.sounding / steps_per_beat(context), 1.0)),
    )


@rule("cadence", source=FUX)
def cantilena_cadence(
    line: Line,
    context: Context,
    *,
    tonic: float = 3.0,
    strong: float = 1.0,
    by_step: float = 1.0,
    lasting: float = 1.0,
) -> Rewards:
    """The melody should end on the tonic; better on a strong beat, reached by step, and held for a beat."""
    close = cadences(line, context)
    earned = close.tonic * (tonic + strong * close.strong + by_step * close.by_step + lasting * close.lasting)
    return np.where(last_steps(line), earned[:, None], 0.0)
