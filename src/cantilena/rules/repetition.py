"""Repetition: events and pitches repeated too often in a row, and the autocorrelation of the melody.

RL Tuner counts a hold or an off like any other event: the sixth hold in a row is excessive, and a tone held between
its repetitions may come seven times. By the paper's wording a note may be held and a tone may return after a rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import OFF, Line
from cantilena.rules.meter import steps_per_beat
from cantilena.rules.notes import Notes, class_numbers, codes, lengths, tones
from cantilena.rules.rule import PAPER, RL_TUNER, SIXTEENTH_CENTURY, Context, Counter, Example, Metric, Rewards, rule

IN_A_ROW, WITH_BREAKS, OFFS = 4, 6, 1
"""RL Tuner's limits on earlier equal events: nothing between, holds or offs between, and for an off."""

_SIXTEENTHS = Example("one note in sixteenths", " ".join(["C4", *["E4/16"] * 8, "D4"]))


def rl_tuner_repeated(
    line: Line, *, in_a_row: int = IN_A_ROW, with_breaks: int = WITH_BREAKS, offs: int = OFFS
) -> NDArray[np.bool_]:
    """Where an event is excessively repeated as RL Tuner counts, `(melodies, steps)`.

    Earlier events equal to this one are counted back to the nearest other pitch. Too many are: more than `offs` for
    an off; else more than `in_a_row`, or more than `with_breaks` where offs or holds (other than it) lie between.

    Examples:
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


@rule(
    "repetition",
    source=RL_TUNER,
    rule_set="rl-tuner",
    metric=Metric(
        "excessively_repeated",
        "Notes excessively repeated",
        "Share of steps that repeat an event too often: for the fifth time in a row, for the seventh with rests or "
        "holds between, or a rest for the second; a hold counts as an event like any other.",
        better="less",
        count=lambda line, _: (rl_tuner_repeated(line), line.valid),
    ),
    example=_SIXTEENTHS,
)
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

    A rest or a hold ends the row: a tone that is held, or returns after silence, is not a repetition.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 14, 14, 14, 14, 14], [14, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]]))
        >>> np.argwhere(paper_repeated(line)).tolist()
        [[0, 5]]
    """
    events = codes(line)
    again = tones(line)
    again[:, :1] = False
    again[:, 1:] &= events[:, 1:] == events[:, :-1]
    steps = np.arange(line.steps)
    row_began = np.maximum.accumulate(np.where(again, 0, steps), axis=1)
    return again & (steps - row_began > in_a_row)


@rule(
    "repetition",
    source=PAPER,
    rule_set="paper",
    metric=Metric(
        "excessively_repeated",
        "Notes excessively repeated",
        "Share of steps that repeat a tone for the fifth time in a row or more; a tone that is held, or returns "
        "after a rest, is no repetition.",
        better="less",
        count=lambda line, _: (paper_repeated(line), line.valid),
    ),
    example=_SIXTEENTHS,
)
def paper_repetition(line: Line, context: Context, *, penalty: float = -10.0, in_a_row: int = IN_A_ROW) -> Rewards:
    """Unless a rest is introduced or a note is held, a tone should not be repeated more than four times in a row."""
    return np.where(paper_repeated(line, in_a_row=in_a_row), penalty, 0.0)


STRIKES = 4
"""A pitch may be struck this often in a row."""


def strikes_in_a_row(line: Line, context: Context) -> NDArray[np.int64]:
    """How often the pitch that begins has been struck in a row, `(melodies, steps)`; 0 where none begins.

    A held note is struck once. A silence shorter than a felt beat only separates the strokes; after one of a beat or
    more the count begins anew.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 14, 1, 14, 0, 14, 0, 1, 1, 1, 14, 16]]))
        >>> strikes_in_a_row(line, Context()).tolist()
        [[1, 2, 0, 3, 0, 4, 0, 0, 0, 0, 1, 1]]
    """
    notes = Notes.from_line(line)
    silence = np.roll(notes.gap - notes.sounding, 1)
    breath = context.timed & (silence >= steps_per_beat(context))
    anew = notes.is_first | (notes.interval != 0) | breath
    places = np.arange(len(notes))
    began = np.maximum.accumulate(np.where(anew, places, 0))
    return notes.at_steps(places - began + 1)


@rule(
    "repetition",
    source=SIXTEENTH_CENTURY,
    rule_set="cantilena",
    metric=Metric(
        "repetition",
        "Notes struck too often",
        "Share of notes that strike their pitch for the fifth time in a row or more; holding a note is no stroke, "
        "and silence of a beat ends the row.",
        better="less",
        count=lambda line, context: (strikes_in_a_row(line, context) > STRIKES, tones(line)),
    ),
    example=Example("one note, again and again", " ".join(["G4/8"] * 8)),
)
def cantilena_repetition(line: Line, context: Context, *, penalty: float = -1.0, strikes: int = STRIKES) -> Rewards:
    """Each stroke of one pitch beyond the fourth in a row is penalised; holding it or pausing for a beat is not."""
    return np.where(strikes_in_a_row(line, context) > strikes, penalty, 0.0)


LAGS = 3
"""RL Tuner uses the lags 1, 2 and 3."""


def autocorrelations(line: Line, *, lags: int = LAGS) -> NDArray[np.float64]:
    """The autocorrelation of each melody up to each step, `(lags, melodies, steps)`.

    With x the class numbers (0 off, 1 hold, pitch - 46), centred, n of them up to the step:
    rho = sum over t of x[t] x[t + lag], / n, / var(x). NaN where x is constant, and in the padding.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rho = autocorrelations(GridEncoding().line(np.array([[16, 9, 8]])))
        >>> rho[:, 0, -1].round(6).tolist()
        [-0.105263, -0.394737, 0.0]
    """
    return _autocorrelations_from(line, np.zeros(line.melodies, dtype=np.int64), lags)


def final_autocorrelations(line: Line, *, lags: int = LAGS) -> NDArray[np.float64]:
    """The same for whole melodies only, `(lags, melodies)`."""
    last = np.maximum(lengths(line) - 1, 0)
    if line.steps == 0:
        return np.full((lags, line.melodies), np.nan)
    rho: NDArray[np.float64] = _autocorrelations_from(line, last, lags)[:, np.arange(line.melodies), last]
    return rho


def _autocorrelations_from(line: Line, first: NDArray[np.int64], lags: int) -> NDArray[np.float64]:
    from cantilena.rules import kernels

    rho: NDArray[np.float64] = kernels.autocorrelations(class_numbers(line), first, lengths(line), lags)
    return rho


def _count_autocorrelation(lag: int) -> Counter:
    def count(line: Line, _: Context) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        rho = final_autocorrelations(line)[lag - 1]
        return np.nan_to_num(rho), ~np.isnan(rho)

    return count


@rule(
    "autocorrelation",
    source=RL_TUNER,
    rule_set="rl-tuner",
    metric=[
        Metric(
            f"autocorrelation_{lag}",
            f"Autocorrelation, lag {lag}",
            f"Mean correlation of a melody with itself {lag} step{'s' if lag > 1 else ''} later, over the class "
            "numbers of the encoding, rests and holds included; undefined for melodies that never change.",
            unit="correlation",
            count=_count_autocorrelation(lag),
        )
        for lag in range(1, LAGS + 1)
    ],
    example=Example("down to the tonic by step", "E4/8 F4/8 D4 C4/2"),
)
def rl_tuner_autocorrelation(
    line: Line, context: Context, *, penalty: float = -3.0, threshold: float = 0.15
) -> Rewards:
    """At each lag, an autocorrelation of the melody so far beyond the threshold is penalised by its size."""
    size = np.abs(autocorrelations(line))
    above: Rewards = np.where(size > threshold, size, 0.0).sum(axis=0)  # NaN is not above the threshold
    return penalty * above
