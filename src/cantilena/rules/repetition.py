"""Nothing comes too often in a row: two sisters.

RL Tuner counts a hold or an off like any other event: the sixth hold in a row is excessive, and a tone held between
its repetitions may come seven times. The paper's sentence lets a held note be held and a tone return after a rest.

No pitch is struck again and again.

The melody does not resemble itself one, two or three steps later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import OFF, Line
from cantilena.rules.grid import steps_per_beat
from cantilena.rules.notes import Notes, class_numbers, codes, lengths, tones
from cantilena.rules.rule import PAPER, RL_TUNER, SIXTEENTH_CENTURY, Context, Rewards, rule

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
    notes = Notes.from_line(line)
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


LAGS = 3
"""RL Tuner asks for the lags 1, 2 and 3."""


def autocorrelations(line: Line, *, lags: int = LAGS) -> NDArray[np.float64]:
    """How each melody so far correlates with itself some steps later, `(lags, melodies, steps)`.

    With x the raw class numbers (0 off, 1 hold, pitch - 46), centred, n of them up to the step:
    rho = sum over t of x[t] x[t + lag], / n, / var(x). NaN where x does not vary, and in the padding.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rho = autocorrelations(GridEncoding().line(np.array([[16, 9, 8]])))
        >>> rho[:, 0, -1].round(6).tolist()
        [-0.105263, -0.394737, 0.0]
    """
    return _up_to_steps_from(line, np.zeros(line.melodies, dtype=np.int64), lags)


def final_autocorrelations(line: Line, *, lags: int = LAGS) -> NDArray[np.float64]:
    """The same for whole melodies alone, `(lags, melodies)`."""
    last = np.maximum(lengths(line) - 1, 0)
    if line.steps == 0:
        return np.full((lags, line.melodies), np.nan)
    rho: NDArray[np.float64] = _up_to_steps_from(line, last, lags)[:, np.arange(line.melodies), last]
    return rho


def _up_to_steps_from(line: Line, first: NDArray[np.int64], lags: int) -> NDArray[np.float64]:
    from cantilena.rules import kernels

    rho: NDArray[np.float64] = kernels.autocorrelations(class_numbers(line), first, lengths(line), lags)
    return rho


@rule("autocorrelation", source=RL_TUNER)
def rl_tuner_autocorrelation(
    line: Line,
    context: Context,
    *,
    penalty: float = -3.0,
    threshold: float = 0.15,
) -> Rewards:
    """At each lag, more than a little correlation of the melody so far with itself is penalised by its size."""
    size = np.abs(autocorrelations(line))
    above: Rewards = np.where(size > threshold, size, 0.0).sum(axis=0)  # NaN is not above the threshold
    return penalty * above
