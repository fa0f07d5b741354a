"""Nothing comes too often in a row: two sisters.

RL Tuner counts a hold or an off like any other event: the sixth hold in a row is excessive, and a tone held between
its repetitions may come seven times. The paper's sentence lets a held note be held and a tone return after a rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import OFF, Line
from cantilena.rules.context import Context
from cantilena.rules.reading import codes, lengths, tones
from cantilena.rules.rule import Rewards, rule
from cantilena.rules.sources import PAPER, RL_TUNER

IN_A_ROW, WITH_BREAKS, OFFS = 4, 6, 1
"""RL Tuner's limits on earlier equal events: nothing between, holds or offs between, and for an off."""


def rl_tuner_repeated(
    line: Line, *, in_a_row: int = IN_A_ROW, with_breaks: int = WITH_BREAKS, offs: int = OFFS
) -> NDArray[np.bool_]:
    """Where an event is excessively repeated as RL Tuner counts, `(melodies, steps)`.

    Earlier events equal to this one are counted back to the nearest other pitch. Too many are: more than `offs` for
    an off; else more than `in_a_row`, or more than `with_breaks` where offs or holds (other than it) lie between.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 14, 14, 14, 14, 14], [0, 1, 0, 1, 0, 1]]))
        >>> np.argwhere(rl_tuner_repeated(line)).tolist()
        [[0, 5], [1, 4]]
    """
    from cantilena.rules import kernels

    most = max(in_a_row, with_breaks, offs) + 1
    equal, passed = kernels.equal_events(codes(line), lengths(line), most)
    limit = np.where(passed, with_breaks, in_a_row)
    repeated: NDArray[np.bool_] = ((equal > limit) | ((line.event == OFF) & (equal > offs))) & line.valid
    return repeated


@rule("repetition", source=RL_TUNER)
def rl_tuner_repetition(
    line: Line,
    context: Context,
    *,
    penalty: float = -100.0,
    in_a_row: int = IN_A_ROW,
    with_breaks: int = WITH_BREAKS,
    offs: int = OFFS,
) -> Rewards:
    """An event (tone, hold or off) that comes too often before another pitch is penalised."""
    repeated = rl_tuner_repeated(line, in_a_row=in_a_row, with_breaks=with_breaks, offs=offs)
    return np.where(repeated, penalty, 0.0)


def paper_repeated(line: Line, *, in_a_row: int = IN_A_ROW) -> NDArray[np.bool_]:
    """Where a tone is repeated for more than the fourth time, step after step, `(melodies, steps)`.

    A rest or a hold between ends the row: a tone that is held, or returns after silence, is not a repetition.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 14, 14, 14, 14, 14], [14, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]]))
        >>> np.argwhere(paper_repeated(line)).tolist()
        [[0, 5]]
    """
    seen = codes(line)
    again = tones(line)
    again[:, :1] = False
    again[:, 1:] &= seen[:, 1:] == seen[:, :-1]
    steps = np.arange(line.steps)
    row_began = np.maximum.accumulate(np.where(again, 0, steps), axis=1)
    return again & (steps - row_began > in_a_row)


@rule("repetition", source=PAPER)
def paper_repetition(
    line: Line,
    context: Context,
    *,
    penalty: float = -10.0,
    in_a_row: int = IN_A_ROW,
) -> Rewards:
    """Unless a rest is introduced or a note is held, a tone should not be repeated more than four times in a row."""
    return np.where(paper_repeated(line, in_a_row=in_a_row), penalty, 0.0)
