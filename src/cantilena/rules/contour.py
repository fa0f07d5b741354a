"""Contour: intervals, leaps and their recovery, extremes and the climax, range and motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import HOLD, OFF, Line
from cantilena.rules.bands import two_sided
from cantilena.rules.notes import (
    FIRST_TONE,
    Notes,
    codes,
    last_steps,
    lengths,
    ratio,
    tone_before,
    tones,
    where_defined,
)
from cantilena.rules.rule import (
    COUNTERPOINT,
    GAULDIN,
    HURON,
    SIXTEENTH_CENTURY,
    Context,
    Example,
    Metric,
    Rewards,
    rule,
)

_BY_STEP = Example("down to the tonic by step", "E4/8 F4/8 D4 C4/2")
_TWO_LEAPS = Example("two leaps up, and the way back", "C4 G4 E5 C5/8 G4/8 E4/8 C4/8 C4/2.")
_THREE_OCTAVES = Example("over three octaves", "C3 G3 E4 C5 G5 E6 C6 G5 E5 C5 G4 E4 C4 G3 E3 C3")

_WIDEST = 127  # semitones between the lowest and the highest MIDI pitch


def melodic_intervals(line: Line) -> NDArray[np.int16]:
    """Semitones from the last tone to the one that begins, up or down, `(melodies, steps)`; -1 where there is none.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> melodic_intervals(GridEncoding().line(np.array([[14, 1, 21, 19]])))
        array([[-1, -1,  7,  2]], dtype=int16)
    """
    before = tone_before(line)
    return np.where(tones(line) & (before >= 0), np.abs(line.pitch - before), -1).astype(np.int16)


@rule(
    "intervals",
    source=GAULDIN,
    rule_set="rl-tuner",
    example=Example("steps, a third and sevenths", "C4 E4/8 D4/8 C4/8 B4/8 C4"),
)
def rl_tuner_intervals(
    line: Line,
    context: Context,
    *,
    off: float = 0.25,
    hold: float = 0.375,
    off_after_tonic_or_fifth: float = 0.75,
    hold_after_tonic_or_fifth: float = 1.5,
    whole_tone: float = 0.4,
    third: float = 0.45,
    third_in_key: float = 0.75,
    fourth: float = 0.35,
    fifth: float = 0.1,
    fifth_in_key: float = 0.5,
    sixth: float = 0.25,
    seventh: float = -1.5,
    beyond_octave: float = -5.0,
) -> Rewards:
    """Small steps and in-key thirds and fifths are preferred, wide leaps and major sevenths are not.

    Each step is compared with the last tone before it; the reward is 0 before the second tone. In key are a major
    third from the first or third degree and a fifth from the first or fifth, in either direction.
    """
    sizes = np.zeros(_WIDEST + 1)  # the reward of each interval, by semitones
    sizes[[2, 4, 5, 7, 9, 11]] = whole_tone, third, fourth, fifth, sixth, seventh
    sizes[13:] = beyond_octave

    before = tone_before(line)
    interval = melodic_intervals(line)
    origin = before % 12
    tonic, mediant, dominant = (origin == degree for degree in (context.key.tonic, context.mediant, context.dominant))
    stable = tonic | dominant

    rewards = np.where(interval >= 0, sizes[interval], 0.0)
    rewards[(interval == 4) & (tonic | mediant)] = third_in_key
    rewards[(interval == 7) & stable] = fifth_in_key
    for event, elsewhere, after_stable in (
        (OFF, off, off_after_tonic_or_fifth),
        (HOLD, hold, hold_after_tonic_or_fifth),
    ):
        rewards[line.event == event] = elsewhere
        rewards[(line.event == event) & stable] = after_stable
    rewards[before < 0] = 0.0
    return rewards


LEAP, PATIENCE = 7, 6
"""A leap is at least so many semitones; a leap back counts only after more than so many steps."""


def leap_outcomes(line: Line, *, leap: int = LEAP, patience: int = PATIENCE) -> NDArray[np.int8]:
    """What each step does to the pending leap, `(melodies, steps)`: 1 resolves it, -1 doubles it, else 0.

    A leap becomes pending if none is. Another the same way doubles it, and the first stays pending. One the other way
    clears it: resolved if more than `patience` steps have passed since the last leap; it does not become pending
    itself. A smaller move that reaches or passes the tone that the leap started from resolves it.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> leap_outcomes(GridEncoding().line(np.array([[14, 21, 33, 32, 26, 20, 16, 14]])))
        array([[ 0,  0, -1,  0,  0,  0,  0,  1]], dtype=int8)
    """
    from cantilena.rules import kernels

    return kernels.leap_outcomes(codes(line), lengths(line), leap, patience)


def _resolved_leaps(line: Line, _: Context) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    outcome = leap_outcomes(line)
    return outcome > 0, outcome != 0


@rule(
    "leap",
    source=GAULDIN,
    rule_set="rl-tuner",
    metric=Metric(
        "leaps_resolved",
        "Leaps resolved",
        "Of the leaps of a fifth or more that were followed up, the share that turned back to or past the pitch "
        "leapt from, rather than leapt again the same way.",
        better="more",
        count=_resolved_leaps,
    ),
    example=_TWO_LEAPS,
)
def rl_tuner_leap(
    line: Line,
    context: Context,
    *,
    resolved: float = 5.0,
    doubled: float = -5.0,
    leap: int = LEAP,
    patience: int = PATIENCE,
) -> Rewards:
    """A leap of a fifth or more that is resolved is rewarded; one that is doubled is penalised."""
    outcome = leap_outcomes(line, leap=leap, patience=patience)
    return np.where(outcome > 0, resolved, np.where(outcome < 0, doubled, 0.0))


FOURTH = 5
"""The smallest leap in semitones."""

RECOVERED, RETURNED, CONTINUED, DOUBLED = 1, 2, 3, 4
"""What follows a leap: a step back, a larger move back, a move on by less than a leap, another leap the same way."""


def leap_recoveries(line: Line, *, leap: int = FOURTH) -> NDArray[np.int8]:
    """How the move that ends at each step follows a leap, `(melodies, steps)`; 0 where it follows none.

    A repeated pitch keeps the leap pending. Two leaps the same way that fill an octave with its fourth or fifth are
    not a doubled leap (`CONTINUED`).

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> leap_recoveries(GridEncoding().line(np.array([[14, 21, 21, 19, 26, 33, 28]]))).tolist()
        [[0, 0, 0, 1, 0, 4, 2]]
    """
    notes = Notes.from_line(line).without_repeats()
    move = notes.interval
    before = np.where(notes.is_first, 0, np.roll(move, 1))
    leapt = np.abs(before) >= leap
    back, again = before * move < 0, np.abs(move) >= leap
    octave = np.abs(before + move) == 12
    outcome = np.select(
        [~leapt, back & (np.abs(move) <= 2), back, again & ~octave], [0, RECOVERED, RETURNED, DOUBLED], CONTINUED
    )
    return notes.at_steps(outcome).astype(np.int8)


def _recovered_leaps(line: Line, _: Context) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    outcome = leap_recoveries(line)
    return (outcome == RECOVERED) | (outcome == RETURNED), outcome > 0


@rule(
    "leap_recovery",
    source=SIXTEENTH_CENTURY,
    rule_set="cantilena",
    metric=Metric(
        "leap_recovery",
        "Leaps that turn back",
        "Of the leaps of a fourth or more, the share after which the next other pitch lies in the opposite direction.",
        better="more",
        count=_recovered_leaps,
    ),
    example=_TWO_LEAPS,
)
def cantilena_leap_recovery(
    line: Line,
    context: Context,
    *,
    returned: float = -0.2,
    continued: float = -0.5,
    doubled: float = -2.0,
    leap: int = FOURTH,
) -> Rewards:
    """A leap of a fourth or more should turn back, best by step; going on costs more, leaping on costs most."""
    values = np.array([0.0, 0.0, returned, continued, doubled])
    return values[leap_recoveries(line, leap=leap)]


_NEVER = 32767  # above every code


def unique_extremes(line: Line) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the highest event and the lowest tone of each melody occur once, both `(melodies,)`.

    As RL Tuner counts: without any tone, a single hold among offs is a unique highest event, and there is no lowest.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> highest, lowest = unique_extremes(GridEncoding().line(np.array([[14, 16, 18, 14]])))
        >>> highest.tolist(), lowest.tolist()
        ([True], [False])
    """
    events = np.where(line.valid, codes(line), -1)
    highest = line.valid & (events == events.max(axis=1, keepdims=True, initial=-1))
    struck = np.where(events >= FIRST_TONE, events, _NEVER)
    lowest = (events >= FIRST_TONE) & (events == struck.min(axis=1, keepdims=True, initial=_NEVER))
    return highest.sum(axis=1) == 1, lowest.sum(axis=1) == 1


@rule(
    "extremes",
    source=GAULDIN,
    rule_set="rl-tuner",
    metric=[
        Metric(
            "unique_max",
            "Unique highest note",
            "Share of melodies in which the highest note occurs once.",
            better="more",
            count=lambda line, _: (unique_extremes(line)[0], lengths(line) > 0),
        ),
        Metric(
            "unique_min",
            "Unique lowest note",
            "Share of melodies in which the lowest note occurs once.",
            better="more",
            count=lambda line, _: (unique_extremes(line)[1], lengths(line) > 0),
        ),
    ],
    example=_BY_STEP,
)
def rl_tuner_extremes(line: Line, context: Context, *, highest: float = 3.0, lowest: float = 3.0) -> Rewards:
    """On the last step, a highest and a lowest note that occurred once are rewarded."""
    highest_once, lowest_once = unique_extremes(line)
    earned = np.where(highest_once, highest, 0.0) + np.where(lowest_once, lowest, 0.0)
    return np.where(last_steps(line), earned[:, None], 0.0)


def climaxes(line: Line) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each melody reaches its highest pitch once, and whether that is also inside, both `(melodies,)`.

    Repeated strokes of the pitch are one climax. It is inside if it is neither the first nor the last pitch.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> once, inside = climaxes(GridEncoding().line(np.array([[14, 19, 19, 16], [19, 16, 14, 16]])))
        >>> once.tolist(), inside.tolist()
        ([True, True], [True, False])
    """
    notes = Notes.from_line(line).without_repeats()
    highest = np.full(line.melodies, -1)
    np.maximum.at(highest, notes.melody, notes.pitch)
    peak = notes.pitch == highest[notes.melody]
    once = notes.sums(peak) == 1
    return once, once & (notes.sums(peak & ~notes.is_first & ~notes.is_last) == 1)


@rule(
    "climax",
    source=COUNTERPOINT,
    rule_set="cantilena",
    metric=Metric(
        "climax",
        "One climax, inside",
        "Share of melodies that reach their highest pitch once, neither first nor last.",
        better="people",
        count=lambda line, _: (climaxes(line)[1], lengths(line) > 0),
    ),
    example=_BY_STEP,
)
def cantilena_climax(line: Line, context: Context, *, once: float = 1.5, inside: float = 1.5) -> Rewards:
    """The melody should reach its highest pitch once, and neither begin nor end with it."""
    single, within = climaxes(line)
    return np.where(last_steps(line), (once * single + inside * within)[:, None], 0.0)


def ambitus(line: Line, context: Context) -> NDArray[np.float64]:
    """Semitones from the lowest to the highest note of each melody, `(melodies,)`; 0 without notes.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> ambitus(GridEncoding().line(np.array([[14, 21, 19], [0, 1, 1]])), Context()).tolist()
        [7.0, 0.0]
    """
    notes = Notes.from_line(line)
    lowest, highest = np.full(line.melodies, 127), np.full(line.melodies, -1)
    np.minimum.at(lowest, notes.melody, notes.pitch)
    np.maximum.at(highest, notes.melody, notes.pitch)
    return where_defined(lengths(line) > 0, np.maximum(highest - lowest, 0))


cantilena_range = two_sided(
    "range",
    ambitus,
    "The melody should span neither too small nor too wide a range.",
    source=SIXTEENTH_CENTURY,
    label="Range, semitones",
    definition="Mean distance from the lowest to the highest note.",
    unit="number",
    rule_set="cantilena",
    example=_THREE_OCTAVES,
)


def stepwise_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of steps, a semitone or a whole tone, among the moves to another pitch, `(melodies,)`.

    0 where nothing moves.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> stepwise_share(GridEncoding().line(np.array([[14, 16, 16, 21]])), Context()).tolist()
        [0.5]
    """
    notes = Notes.from_line(line)
    size = np.abs(notes.interval)
    return where_defined(lengths(line) > 0, ratio(notes.sums((size == 1) | (size == 2)), notes.sums(size > 0)))


cantilena_motion = two_sided(
    "motion",
    stepwise_share,
    "The melody should move by step most of the time, but not always.",
    source=HURON,
    label="Moves by step",
    definition="Mean share of steps (one or two semitones) among moves to another pitch.",
    rule_set="cantilena",
    example=_THREE_OCTAVES,
)
