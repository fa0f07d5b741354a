"""Rhythm and phrases: what returns after some bars, where the melody breathes, how varied and how dense it is."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from cantilena.music import HOLD, ON, TICKS_PER_QUARTER, Line
from cantilena.rules.bands import TwoSidedRule, two_sided
from cantilena.rules.notes import Notes, lengths, ratio, tone_before, tones, where_defined
from cantilena.rules.rule import LERDAHL_JACKENDOFF, PRACTICE, SCHOENBERG, SHANNON, Context, Example

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


def rhythm_entropy(line: Line, context: Context) -> NDArray[np.float64]:
    """The entropy of the times from one note to the next, bits a note, `(melodies,)`.

    0 where all are equal or there are fewer than two notes; NaN where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rhythm_entropy(GridEncoding().line(np.array([[14, 16, 1, 18, 19, 1, 21]])), Context()).tolist()
        [1.0]
    """
    notes = Notes.from_line(line)
    within = notes.select(~notes.is_last)
    kinds, counts = np.unique(within.melody * (line.steps + 1) + within.gap, return_counts=True)
    melody = kinds // (line.steps + 1)
    share = counts / within.counts()[melody]
    entropy = np.bincount(melody, weights=-share * np.log2(share), minlength=line.melodies)
    return where_defined(context.timed & (lengths(line) > 0), entropy)


cantilena_rhythm = two_sided(
    "rhythm",
    rhythm_entropy,
    "The rhythm should be neither monotonous nor random.",
    source=SHANNON,
    label="Rhythm, bits a note",
    definition="Mean entropy of the times from one note to the next.",
    unit="number",
    rule_set="cantilena",
    example=Example("the scale in quarters", "C4 D4 E4 F4 G4 A4 B4 C5 B4 A4 G4 F4 E4 D4 C4/2"),
)


def silent_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of steps in which nothing sounds, `(melodies,)`; NaN where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> silent_share(GridEncoding().line(np.array([[14, 1, 0, 1]])), Context()).tolist()
        [0.5]
    """
    steps = np.arange(line.steps)
    latest = np.maximum.accumulate(np.where(line.event != HOLD, steps, -1), axis=1)
    sounds = (latest >= 0) & (np.take_along_axis(line.event, np.maximum(latest, 0), axis=1) == ON)
    return where_defined(context.timed & (lengths(line) > 0), ratio((~sounds & line.valid).sum(axis=1), lengths(line)))


cantilena_rests = two_sided(
    "rests",
    silent_share,
    "There should be neither too much silence nor too little.",
    source=PRACTICE,
    label="Silence",
    definition="Mean share of steps in which nothing sounds.",
    rule_set="cantilena",
    example=Example("a long silence", "C4 r/2. r/1 r/1 E4 r/2."),
)


def notes_per_quarter(line: Line, context: Context) -> NDArray[np.float64]:
    """The number of notes that begin in a quarter note's time, `(melodies,)`; NaN where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> notes_per_quarter(GridEncoding().line(np.array([[14, 1, 16, 1]])), Context()).tolist()
        [2.0]
    """
    steps_per_quarter = context.steps_per_bar * TICKS_PER_QUARTER / context.meter.ticks_per_bar
    density = ratio(Notes.from_line(line).counts(), lengths(line)) * steps_per_quarter
    return where_defined(context.timed & (lengths(line) > 0), density)


cantilena_density = two_sided(
    "density",
    notes_per_quarter,
    "There should be neither too many notes nor too few in the time.",
    source=PRACTICE,
    label="Notes a quarter",
    definition="Mean number of notes that begin in the time of a quarter note.",
    unit="number",
    rule_set="cantilena",
    example=Example("whole notes", "C4/1 E4/1 D4/1 C4/1"),
)


def sixteenths_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of notes that sound for a sixteenth or less, `(melodies,)`.

    0 without notes; NaN where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> sixteenths_share(GridEncoding().line(np.array([[14, 16, 0, 18, 1, 1, 19, 1]])), Context()).tolist()
        [0.5]
    """
    notes = Notes.from_line(line)
    ticks_per_step = context.meter.ticks_per_bar / context.steps_per_bar
    short = notes.sums(notes.sounding * ticks_per_step <= TICKS_PER_QUARTER / 4)
    return where_defined(context.timed & (lengths(line) > 0), ratio(short, notes.counts()))


cantilena_sixteenths = two_sided(
    "sixteenths",
    sixteenths_share,
    "There should be neither more sixteenths than in human melodies nor fewer.",
    source=PRACTICE,
    label="Sixteenths",
    definition="Mean share of notes that sound for a sixteenth or less.",
    rule_set="cantilena",
    example=Example("a run of sixteenths", " ".join(["C4/16 D4/16 E4/16 F4/16 G4/16 F4/16 E4/16 D4/16"] * 8)),
)
