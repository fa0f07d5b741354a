"""Whether the meter can be heard: notes on downbeats, and notes held across stronger beats.

Phrases of two, four and eight bars: what answers what came before, and where the melody breathes.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.bands import only_where, two_sided
from cantilena.rules.grid import metrical_strengths
from cantilena.rules.notes import Notes, lengths, ratio, tone_before, tones
from cantilena.rules.rule import LERDAHL_JACKENDOFF, LONGUET_HIGGINS_LEE, SCHOENBERG, Context


def downbeat_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of bars, begun ones included, on whose first step a note begins, `(melodies,)`.

    NaN where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> downbeat_share(GridEncoding().line(np.array([[14, 1, 16, 1, 1, 1]])), Context(steps_per_bar=4)).tolist()
        [0.5]
    """
    downbeats = tones(line)[:, :: context.steps_per_bar].sum(axis=1)
    bars = -(-lengths(line) // context.steps_per_bar)
    return only_where(context.timed & (lengths(line) > 0), ratio(downbeats, bars))


def syncopations(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where a note begins that still sounds when a stronger beat comes, `(melodies, steps)`.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 1, 16, 1, 1, 1, 18, 1]]))  # quarter, half, quarter
        >>> np.argwhere(syncopations(line, Context(steps_per_bar=8))).tolist()
        [[0, 2]]
    """
    notes = Notes.from_line(line)
    held_across = notes.sounding > _steps_to_stronger(context)[notes.step % context.steps_per_bar]
    across = np.zeros(line.event.shape, dtype=np.bool_)
    across[notes.melody[held_across], notes.step[held_across]] = context.timed
    return across


def syncopated_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of notes that still sound when a stronger beat comes, `(melodies,)`; NaN where steps tell no time."""
    share = ratio(syncopations(line, context).sum(axis=1), Notes.from_line(line).counts())
    return only_where(context.timed & (lengths(line) > 0), share)


def _steps_to_stronger(context: Context) -> NDArray[np.int64]:
    """How many steps after each of a bar the next stronger one comes; very many after the strongest."""
    strengths = metrical_strengths(context)
    waits = np.full(len(strengths), np.iinfo(np.int64).max)
    twice = np.concatenate([strengths, strengths])
    for place, strength in enumerate(strengths):
        stronger = np.flatnonzero(twice[place:] > strength)
        if len(stronger):
            waits[place] = stronger[0]
    return waits


cantilena_meter = two_sided(
    "meter",
    downbeat_share,
    "Most bars should begin with a note, so that the meter is heard.",
    source=LERDAHL_JACKENDOFF,
)
cantilena_syncopation = two_sided(
    "syncopation",
    syncopated_share,
    "Some notes, but not too many, may be held across a stronger beat.",
    source=LONGUET_HIGGINS_LEE,
)


PHRASE = 4
"""Bars at whose end a melody breathes."""


def similarity_after(line: Line, context: Context, *, bars: int) -> NDArray[np.float64]:
    """How much each melody resembles itself so many bars before, in rhythm and in direction, 0 to 1, `(melodies,)`.

    Of the places where a note begins now or began then, those where one begins at both count half, and whole if both
    were reached from the same direction: from above, from below, or by repetition. NaN for melodies without a bar to
    compare, and where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 1, 16, 18, 16, 1]]))  # C D E, D E D
        >>> similarity_after(line, Context(steps_per_bar=4), bars=1).tolist()
        [0.6666666666666666]
    """
    lag = bars * context.steps_per_bar
    long_enough = context.timed & (lengths(line) >= lag + context.steps_per_bar)
    if not np.any(long_enough):
        return np.full(line.melodies, np.nan)
    begins = tones(line)
    before = tone_before(line)
    direction = np.where(before >= 0, np.sign(line.pitch - before), 2)
    now, then = begins[:, lag:], begins[:, :-lag]
    both = now & then
    alike = both & (direction[:, lag:] == direction[:, :-lag])
    either = (now | then) & line.valid[:, lag:]
    return only_where(long_enough, ratio(both.sum(axis=1) + alike.sum(axis=1), 2 * either.sum(axis=1)))


def breathing(line: Line, context: Context) -> NDArray[np.float64]:
    """How much longer the longest wait of every fourth bar is than that of other bars, `(melodies,)`.

    A bar's longest wait is the longest time from a note that begins in it to the next note, held or silent. Its mean
    over the fourth, eighth ... bars, over its mean over all bars: 1 where the fourth bars are like the others, 0
    without notes; NaN for melodies under four bars, and where steps tell no time.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 14, 16, 14, 16, 14, 1]]))
        >>> breathing(line, Context(steps_per_bar=2)).tolist()
        [1.6]
    """
    whole = lengths(line) // context.steps_per_bar
    if not context.timed or not np.any(whole >= PHRASE):
        return np.full(line.melodies, np.nan)
    notes = Notes.from_line(line)
    bar = notes.step // context.steps_per_bar
    longest = np.zeros((line.melodies, int(bar.max(initial=0)) + 1))
    first = np.flatnonzero(notes.opens | (np.diff(bar, prepend=-1) != 0))  # note of each bar that has one
    if len(first):
        longest[notes.melody[first], bar[first]] = np.maximum.reduceat(notes.gap, first)
    longest *= np.arange(longest.shape[1]) < whole[:, None]
    at_ends = ratio(longest[:, PHRASE - 1 :: PHRASE].sum(axis=1), whole // PHRASE)
    return only_where(whole >= PHRASE, ratio(at_ends, ratio(longest.sum(axis=1), whole)))


cantilena_phrases = tuple(
    two_sided(
        f"phrase_{bars}",
        partial(similarity_after, bars=bars),
        f"What sounded {bars} bars before should come back in part, neither never nor note for note.",
        source=SCHOENBERG,
    )
    for bars in (2, 4, 8)
)
cantilena_breathing = two_sided(
    "breathing",
    breathing,
    "The end of every fourth bar should leave time to breathe: a long note or a rest.",
    source=LERDAHL_JACKENDOFF,
)
