"""A leap is followed by a return, not by another leap the same way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.reading import codes, lengths
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import GAULDIN

LEAP, PATIENCE = 7, 6
"""A leap is this many semitones or more; a leap back counts only after more than so many steps."""


def leap_outcomes(line: Line, *, leap: int = LEAP, patience: int = PATIENCE) -> NDArray[np.int8]:
    """What each step does to the leap that is pending, `(melodies, steps)`: 1 resolves it, -1 doubles it, else 0.

    A leap with none pending becomes the pending one. Another the same way doubles it, and the first stays pending.
    One the other way clears it: resolved if more than `patience` steps have passed since the last leap; it does not
    become pending itself. A smaller move that reaches or passes the tone that the leap left resolves it.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> leap_outcomes(GridEncoding().line(np.array([[14, 21, 33, 32, 26, 20, 16, 14]])))
        array([[ 0,  0, -1,  0,  0,  0,  0,  1]], dtype=int8)
    """
    from cantilena.rules import kernels

    return kernels.leap_outcomes(codes(line), lengths(line), leap, patience)


@rule("leap", source=GAULDIN)
def rl_tuner_leap(
    line: Line,
    context: Context,
    *,
    resolved: float = 5.0,
    doubled: float = -5.0,
    leap: int = LEAP,
    patience: int = PATIENCE,
) -> Rewards:
    """A leap of a fifth or more that is resolved is rewarded; one that is doubled is penalised."""
    outcome = leap_outcomes(line, leap=leap, patience=patience)
    return np.where(outcome > 0, resolved, np.where(outcome < 0, doubled, 0.0))
