"""The melody has one highest point, and it lies inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.notes import Notes
from cantilena.rules.reading import last_steps
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import COUNTERPOINT


def climaxes(line: Line) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each melody reaches its highest pitch once, and whether that is also inside, both `(melodies,)`.

    Strokes of the pitch in a row are one climax. It is inside if it is neither the first nor the last pitch.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> once, inside = climaxes(GridEncoding().line(np.array([[14, 19, 19, 16], [19, 16, 14, 16]])))
        >>> once.tolist(), inside.tolist()
        ([True, True], [True, False])
    """
    turns = Notes.of(line).turns()
    highest = np.full(line.melodies, -1)
    np.maximum.at(highest, turns.melody, turns.pitch)
    peak = turns.pitch == highest[turns.melody]
    once = turns.sums(peak) == 1
    return once, once & (turns.sums(peak & ~turns.opens & ~turns.closes) == 1)


@rule("climax", source=COUNTERPOINT)
def cantilena_climax(line: Line, context: Context, *, once: float = 1.5, inside: float = 1.5) -> Rewards:
    """The melody should reach its highest pitch once, and neither begin nor end with it."""
    single, within = climaxes(line)
    return np.where(last_steps(line), (once * single + inside * within)[:, None], 0.0)
