"""Which places of a bar are strong: the grid of beats within beats."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cantilena.music import TICKS_PER_QUARTER, Meter
from cantilena.rules.context import Context


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
