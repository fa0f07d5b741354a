"""Which places of a bar are strong: the grid of beats within beats.

How much happens: rhythm, rests, density. Features of whole melodies, judged against what people write.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cantilena.music import HOLD, ON, TICKS_PER_QUARTER, Line, Meter
from cantilena.rules.bands import only_where, two_sided
from cantilena.rules.notes import Notes, lengths, ratio
from cantilena.rules.rule import PRACTICE, SHANNON, Context


@lru_cache(maxsize=256)
def metrical_strengths(context: Context) -> NDArray[np.int64]:
    """How strong each step of a bar is, `(steps_per_bar,)`: the number of levels of beats that have one there.

    The grid of F. Lerdahl and R. Jackendoff, A Generative Theory of Tonal Music, 1983: the bar is a level; it divides
    into halves, else thirds, down to the felt beat (a prime number of beats, five or seven, at once); a beat of three
    written ones divides into them; everything below divides into halves.

    Example:
        >>> metrical_strengths(Context(meter=Meter(4, 4), steps_per_bar=8)).tolist()
        [4, 1, 2, 1, 3, 1, 2, 1]
        >>> metrical_strengths(Context(meter=Meter(6, 8), steps_per_bar=6)).tolist()
        [3, 1, 1, 2, 1, 1]
    """
    step = Fraction(context.meter.ticks_per_bar, context.steps_per_bar)
    places = [place * step for place in range(context.steps_per_bar)]
    levels = [[place % period == 0 for place in places] for period in beat_periods(context.meter)]
    strengths: NDArray[np.int64] = np.sum(levels, axis=0, dtype=np.int64)
    # Levels below the step say nothing: without a difference they would lift all places alike.
    strengths -= strengths.min() - 1 if strengths.min() > 1 else 0
    strengths.setflags(write=False)
    return strengths


def beat_periods(meter: Meter) -> list[int]:
    """The ticks between the beats of each level, from the bar down.

    Example:
        >>> beat_periods(Meter(3, 4)), beat_periods(Meter(6, 8))
        ([72, 24, 12, 6, 3], [72, 36, 12, 6, 3])
    """
    period, beat = meter.ticks_per_bar, meter.ticks_per_beat
    periods = [period]
    while period > beat:
        beats = period // beat
        period //= next((factor for factor in (2, 3) if beats % factor == 0), beats)
        periods.append(period)
    if _is_compound(meter):
        period //= 3
        periods.append(period)
    while period % 2 == 0:
        period //= 2
        periods.append(period)
    return periods


def steps_per_beat(context: Context) -> float:
    """How many steps a felt beat lasts: 4 sixteenths in 4/4, 6 in 6/8.

    Example:
        >>> steps_per_beat(Context(meter=Meter(6, 8), steps_per_bar=12))
        6.0
    """
    return context.steps_per_bar * context.meter.ticks_per_beat / context.meter.ticks_per_bar


def strong_places(context: Context) -> NDArray[np.bool_]:
    """Which steps of a bar are strong beats, `(steps_per_bar,)`: beats that a level above the felt beat has too.

    In 4/4 the first and the third beat, in 2/4 and 3/4 the first; in 6/8, whose two beats are as long as bars, both.

    Example:
        >>> np.flatnonzero(strong_places(Context(meter=Meter(4, 4), steps_per_bar=16))).tolist()
        [0, 8]
    """
    meter = context.meter
    periods = [period for period in beat_periods(meter) if period >= meter.ticks_per_beat]
    both = _is_compound(meter) and meter.ticks_per_bar == 2 * meter.ticks_per_beat
    period = periods[-1] if both or len(periods) < 2 else periods[-2]
    step = Fraction(meter.ticks_per_bar, context.steps_per_bar)
    return np.array([place * step % period == 0 for place in range(context.steps_per_bar)])


def _is_compound(meter: Meter) -> bool:
    """Whether a felt beat has three written ones."""
    return meter.ticks_per_beat * meter.denominator > 4 * TICKS_PER_QUARTER


def rhythm_entropy(line: Line, context: Context) -> NDArray[np.float64]:
    """How varied the rhythm is, bits a note, `(melodies,)`: the entropy of the times from one note to the next.

    0 where all are equal or there are fewer than two notes; NaN where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rhythm_entropy(GridEncoding().line(np.array([[14, 16, 1, 18, 19, 1, 21]])), Context()).tolist()
        [1.0]
    """
    notes = Notes.from_line(line)
    within = notes.kept(~notes.closes)
    kinds, counts = np.unique(within.melody * (line.steps + 1) + within.gap, return_counts=True)
    melody = kinds // (line.steps + 1)
    share = counts / within.counts()[melody]
    entropy = np.bincount(melody, weights=-share * np.log2(share), minlength=line.melodies)
    return only_where(context.timed & (lengths(line) > 0), entropy)


def silent_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of steps in which nothing sounds, `(melodies,)`; NaN where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> silent_share(GridEncoding().line(np.array([[14, 1, 0, 1]])), Context()).tolist()
        [0.5]
    """
    steps = np.arange(line.steps)
    latest = np.maximum.accumulate(np.where(line.event != HOLD, steps, -1), axis=1)
    sounds = (latest >= 0) & (np.take_along_axis(line.event, np.maximum(latest, 0), axis=1) == ON)
    return only_where(context.timed & (lengths(line) > 0), ratio((~sounds & line.valid).sum(axis=1), lengths(line)))


def notes_per_quarter(line: Line, context: Context) -> NDArray[np.float64]:
    """How many notes begin in the time of a quarter note, `(melodies,)`; NaN where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> notes_per_quarter(GridEncoding().line(np.array([[14, 1, 16, 1]])), Context()).tolist()
        [2.0]
    """
    steps_per_quarter = context.steps_per_bar * TICKS_PER_QUARTER / context.meter.ticks_per_bar
    density = ratio(Notes.from_line(line).counts(), lengths(line)) * steps_per_quarter
    return only_where(context.timed & (lengths(line) > 0), density)


cantilena_rhythm = two_sided(
    "rhythm", rhythm_entropy, "The rhythm should be neither monotonous nor at random.", source=SHANNON
)
cantilena_rests = two_sided(
    "rests", silent_share, "There should be neither too much silence nor too little.", source=PRACTICE
)
cantilena_density = two_sided(
    "density",
    notes_per_quarter,
    "There should be neither too many notes nor too few in the time.",
    source=PRACTICE,
)
