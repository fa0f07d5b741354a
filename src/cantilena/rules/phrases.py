"""Phrases of two, four and eight bars: how much returns, and where the melody breathes."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.bands import TwoSidedRule, two_sided
from cantilena.rules.notes import Notes, lengths, ratio, tone_before, tones, where_defined
from cantilena.rules.rule import LERDAHL_JACKENDOFF, SCHOENBERG, Context, Example

PHRASE = 4
"""The length of a phrase in bars."""

_FIGURE = Example("eight bars of one figure", " ".join(["C4 E4 G4 E4"] * 8))
_JOY = "E4 E4 F4 G4 G4 F4 E4 D4 C4 C4 D4 E4"
OLD_TUNE = f"{_JOY} E4/4. D4/8 D4/2 {_JOY} D4/4. C4/8 C4/2"
_TUNE_TWICE = Example("an old tune, twice", f"{OLD_TUNE} {OLD_TUNE}")


def similarity_after(line: Line, context: Context, *, bars: int) -> NDArray[np.float64]:
    """The similarity of each melody to itself so many bars before, in rhythm and direction, 0 to 1, `(melodies,)`.

    Of the places where a note begins now or began then, those where one begins at both count half, and whole if both
    were reached from the same direction: from above, from below, or by repetition. NaN for melodies without a bar to
    compare, and where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 1, 16, 18, 16, 1]]))  # C D E, D E D
        >>> similarity_after(line, Context(steps_per_bar=4), bars=1).tolist()
        [0.6666666666666666]
    """
    lag = bars * context.steps_per_bar
    long_enough = context.timed & (lengths(line) >= lag + context.steps_per_bar)
    if not np.any(long_enough):
        return np.full(line.melodies, np.nan)
    onsets, direction = tones(line), directions(line)
    now, then = onsets[:, lag:], onsets[:, :-lag]
    both = now & then
    same = both & (direction[:, lag:] == direction[:, :-lag])
    either = (now | then) & line.valid[:, lag:]
    return where_defined(long_enough, ratio(both.sum(axis=1) + same.sum(axis=1), 2 * either.sum(axis=1)))


FIRST_NOTE = 2
"""The direction of the first note of a melody, which is reached from nowhere."""


def directions(line: Line) -> NDArray[np.int8]:
    """The direction in which a note that begins at a step is reached, `(melodies, steps)`.

    1 from below, -1 from above, 0 by repetition, `FIRST_NOTE` for the first.
    """
    before = tone_before(line)
    return np.where(before >= 0, np.sign(line.pitch - before), FIRST_NOTE).astype(np.int8)


def _phrase_rule(bars: int, example: Example) -> TwoSidedRule:
    return two_sided(
        f"phrase_{bars}",
        partial(similarity_after, bars=bars),
        f"What sounded {bars} bars before should come back in part, neither never nor note for note.",
        source=SCHOENBERG,
        label=f"{bars}-bar likeness",
        definition=f"Mean similarity, in rhythm and direction, to what sounded {bars} bars before; 1 is the same.",
        rule_set="cantilena",
        example=example,
    )


cantilena_phrase_2 = _phrase_rule(2, _FIGURE)
cantilena_phrase_4 = _phrase_rule(4, _FIGURE)
cantilena_phrase_8 = _phrase_rule(8, _TUNE_TWICE)


def breathing(line: Line, context: Context) -> NDArray[np.float64]:
    """The longest wait of every fourth bar relative to that of all bars, `(melodies,)`.

    The longest wait of a bar is the longest time from a note that begins in it to the next note, held or silent. Its
    mean over the fourth, eighth ... bars is divided by its mean over all bars: 1 where the fourth bars are like the
    others, 0 without notes; NaN for melodies under four bars, and where steps are not timed.

    Examples:
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
    first = np.flatnonzero(notes.is_first | (np.diff(bar, prepend=-1) != 0))  # the first note of each bar that has one
    if len(first):
        longest[notes.melody[first], bar[first]] = np.maximum.reduceat(notes.gap, first)
    longest *= np.arange(longest.shape[1]) < whole[:, None]
    at_ends = ratio(longest[:, PHRASE - 1 :: PHRASE].sum(axis=1), whole // PHRASE)
    return where_defined(whole >= PHRASE, ratio(at_ends, ratio(longest.sum(axis=1), whole)))


cantilena_breathing = two_sided(
    "breathing",
    breathing,
    "The end of every fourth bar should leave time to breathe: a long note or a rest.",
    source=LERDAHL_JACKENDOFF,
    label="Breathing, every fourth bar",
    definition="Mean of the longest wait for the next note in every fourth bar, over that in all bars.",
    unit="number",
    rule_set="cantilena",
    example=_TUNE_TWICE,
)
