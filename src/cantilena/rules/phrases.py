"""Phrases of two, four and eight bars: what answers what came before, and where the melody breathes."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.context import Context
from cantilena.rules.notes import Notes, ratio
from cantilena.rules.reading import lengths, tone_before, tones
from cantilena.rules.sources import LERDAHL_JACKENDOFF, SCHOENBERG
from cantilena.rules.two_sided import only_where, two_sided

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
    notes = Notes.of(line)
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
