"""Meter: which steps of a bar are strong, notes on downbeats, and syncopation."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cantilena.music import TICKS_PER_QUARTER, Line, Meter
from cantilena.rules.bands import two_sided
from cantilena.rules.notes import Notes, lengths, ratio, tones, where_defined
from cantilena.rules.rule import LERDAHL_JACKENDOFF, LONGUET_HIGGINS_LEE, Context, Example

_OFF_BEAT = Example("notes across the beats", "C4/8 E4 G4 E4 G4 E4 G4 E4 C4/8 C4/1")


@lru_cache(maxsize=256)
def metrical_strengths(context: Context) -> NDArray[np.int64]:
    """The strength of each step of a bar, `(steps_per_bar,)`: the number of levels with a beat there.

    The metrical grid of F. Lerdahl and R. Jackendoff, A Generative Theory of Tonal Music, 1983: the bar is a level; it
    divides into halves, else thirds, down to the felt beat (a prime number of beats, five or seven, at once); a beat of
    three written ones divides into them; everything below divides into halves.

    Examples:
        >>> metrical_strengths(Context(meter=Meter(4, 4), steps_per_bar=8)).tolist()
        [4, 1, 2, 1, 3, 1, 2, 1]
        >>> metrical_strengths(Context(meter=Meter(6, 8), steps_per_bar=6)).tolist()
        [3, 1, 1, 2, 1, 1]
    """
    step = Fraction(context.meter.ticks_per_bar, context.steps_per_bar)
    places = [place * step for place in range(context.steps_per_bar)]
    levels = [[place % period == 0 for place in places] for period in beat_periods(context.meter)]
    strengths: NDArray[np.int64] = np.sum(levels, axis=0, dtype=np.int64)
    # Levels shorter than a step are the same at all places and are not counted.
    strengths -= strengths.min() - 1 if strengths.min() > 1 else 0
    strengths.setflags(write=False)
    return strengths


def beat_periods(meter: Meter) -> list[int]:
    """The period of each metrical level in ticks, from the bar down.

    Examples:
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
    """The number of steps in a felt beat: 4 sixteenths in 4/4, 6 in 6/8.

    Examples:
        >>> steps_per_beat(Context(meter=Meter(6, 8), steps_per_bar=12))
        6.0
    """
    return context.steps_per_bar * context.meter.ticks_per_beat / context.meter.ticks_per_bar


def strong_places(context: Context) -> NDArray[np.bool_]:
    """Which steps of a bar are strong beats, `(steps_per_bar,)`: those on a level above the felt beat.

    In 4/4 the first and the third beat, in 2/4 and 3/4 the first, in 6/8 both.

    Examples:
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


def downbeat_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of bars, incomplete ones included, on whose first step a note begins, `(melodies,)`.

    NaN where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> downbeat_share(GridEncoding().line(np.array([[14, 1, 16, 1, 1, 1]])), Context(steps_per_bar=4)).tolist()
        [0.5]
    """
    downbeats = tones(line)[:, :: context.steps_per_bar].sum(axis=1)
    bars = -(-lengths(line) // context.steps_per_bar)
    return where_defined(context.timed & (lengths(line) > 0), ratio(downbeats, bars))


cantilena_meter = two_sided(
    "meter",
    downbeat_share,
    "Most bars should begin with a note, so that the meter is heard.",
    source=LERDAHL_JACKENDOFF,
    label="Downbeats",
    definition="Mean share of bars on whose first step a note begins.",
    rule_set="cantilena",
    example=_OFF_BEAT,
)


def syncopations(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where a note begins that still sounds when a stronger beat comes, `(melodies, steps)`.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 1, 1, 18, 1]]))  # quarter, half, quarter
        >>> np.argwhere(syncopations(line, Context(steps_per_bar=8))).tolist()
        [[0, 2]]
    """
    notes = Notes.from_line(line)
    held_across = notes.sounding > _steps_to_stronger(context)[notes.step % context.steps_per_bar]
    return notes.at_steps(held_across & context.timed)


def syncopated_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of notes that still sound when a stronger beat comes, `(melodies,)`; NaN where steps are not timed."""
    share = ratio(syncopations(line, context).sum(axis=1), Notes.from_line(line).counts())
    return where_defined(context.timed & (lengths(line) > 0), share)


cantilena_syncopation = two_sided(
    "syncopation",
    syncopated_share,
    "Some notes, but not too many, may be held across a stronger beat.",
    source=LONGUET_HIGGINS_LEE,
    label="Syncopation",
    definition="Mean share of notes that still sound when a stronger beat than their own comes.",
    rule_set="cantilena",
    example=_OFF_BEAT,
)


def _steps_to_stronger(context: Context) -> NDArray[np.int64]:
    """The number of steps from each step of a bar to the next stronger one; the largest integer for the strongest."""
    strengths = metrical_strengths(context)
    waits = np.full(len(strengths), np.iinfo(np.int64).max)
    twice = np.concatenate([strengths, strengths])
    for place, strength in enumerate(strengths):
        stronger = np.flatnonzero(twice[place:] > strength)
        if len(stronger):
            waits[place] = stronger[0]
    return waits
