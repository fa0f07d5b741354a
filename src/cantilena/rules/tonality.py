"""Tonality: notes of the key, the opening on the tonic, and the cadence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.music import HOLD, OFF, Key, Line
from cantilena.rules.bands import two_sided
from cantilena.rules.meter import steps_per_beat, strong_places
from cantilena.rules.notes import Notes, last_steps, lengths, ratio, tone_before, tones, where_defined
from cantilena.rules.rule import COUNTERPOINT, FUX, KRUMHANSL, PAPER, RL_TUNER, Context, Example, Metric, Rewards, rule

_OUT_OF_KEY = Example("a note outside the key", "C4 D4 E4 F#4 G4/2 C4/2")
_ON_TONIC = Example("it begins and ends with the tonic", "C4 E4 D4 C4")


def out_of_key(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where a note begins of which any pitch class lies outside the key, `(melodies, steps)`.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> out_of_key(GridEncoding().line(np.array([[14, 15, 1, 0]])), Context())
        array([[False,  True, False, False]])
    """
    outside: NDArray[np.bool_] = tones(line) & ((line.pitch_classes & ~np.int16(context.key.mask)) != 0)
    return outside


_NOT_IN_KEY = Metric(
    "not_in_key",
    "Notes not in key",
    "Share of notes with a pitch class outside the key's scale.",
    better="less",
    count=lambda line, context: (out_of_key(line, context), tones(line)),
)


@rule("key", source=RL_TUNER, rule_set="rl-tuner", metric=_NOT_IN_KEY, example=_OUT_OF_KEY)
def rl_tuner_key(line: Line, context: Context, *, penalty: float = -1.0) -> Rewards:
    """A note outside the key is penalised; for a chord, every pitch class counts."""
    return np.where(out_of_key(line, context), penalty, 0.0)


@rule("key", source=PAPER, rule_set="paper", metric=_NOT_IN_KEY, example=_OUT_OF_KEY)
def paper_key(line: Line, context: Context, *, penalty: float = -1.0) -> Rewards:
    """All notes should belong to the same key."""
    return np.where(out_of_key(line, context), penalty, 0.0)


def tonic_struck(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where the tonic of the octave C4..B4 begins as the top note, `(melodies, steps)`."""
    struck: NDArray[np.bool_] = tones(line) & (line.pitch == context.tonic_pitch)
    return struck


def starts_on_tonic(line: Line, context: Context) -> NDArray[np.bool_]:
    """Whether the very first step strikes the tonic of the octave C4..B4, as RL Tuner counts, `(melodies,)`."""
    starts: NDArray[np.bool_] = np.any(tonic_struck(line, context)[:, :1], axis=1)
    return starts


def first_tone_is_tonic(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where the first note of the melody begins, if its pitch class is the tonic, `(melodies, steps)`."""
    first: NDArray[np.bool_] = tones(line) & (tone_before(line) < 0) & (line.pitch % 12 == context.key.tonic)
    return first


def last_tone_is_tonic(line: Line, context: Context) -> NDArray[np.bool_]:
    """The last step of the melody, if the pitch class of the last note is the tonic, `(melodies, steps)`."""
    last_tone = np.where(tones(line), line.pitch, tone_before(line))
    ends: NDArray[np.bool_] = last_steps(line) & (last_tone >= 0) & (last_tone % 12 == context.key.tonic)
    return ends


_ENDS_ON_TONIC = Metric(
    "ends_on_tonic",
    "Ends on the tonic",
    "Share of melodies whose last note is the tonic, in any octave.",
    better="more",
    count=lambda line, context: (last_tone_is_tonic(line, context), lengths(line) > 0),
)


@rule(
    "tonic",
    source=RL_TUNER,
    rule_set="rl-tuner",
    metric=[
        Metric(
            "starts_on_tonic",
            "Starts on the tonic",
            "Share of melodies whose very first step strikes the tonic in the octave of middle C.",
            better="more",
            count=lambda line, context: (starts_on_tonic(line, context), lengths(line) > 0),
        ),
        _ENDS_ON_TONIC,
    ],
    example=_ON_TONIC,
)
def rl_tuner_tonic(line: Line, context: Context, *, reward: float = 3.0, close: int = 4) -> Rewards:
    """The tonic in octave 4 on the first step and again `close` steps before the end, held there, then at rest."""
    left = lengths(line)[:, None] - np.arange(line.steps)[None, :]  # steps to the end, this one included
    first = np.arange(line.steps)[None, :] == 0
    held = line.event == HOLD
    quiet = held | (line.event == OFF)
    struck = (first | (left == close)) & tonic_struck(line, context)
    rests = ~first & (((left == close - 1) & held) | ((left < close - 1) & quiet))
    return np.where(struck | rests, reward, 0.0)


@rule(
    "tonic",
    source=PAPER,
    rule_set="paper",
    metric=[
        Metric(
            "starts_on_tonic",
            "Starts on the tonic",
            "Share of melodies whose first note that sounds is the tonic, in any octave.",
            better="more",
            count=lambda line, context: (first_tone_is_tonic(line, context), lengths(line) > 0),
        ),
        _ENDS_ON_TONIC,
    ],
    example=_ON_TONIC,
)
def paper_tonic(line: Line, context: Context, *, reward: float = 3.0) -> Rewards:
    """The composition should begin and end with the tonic note of the key, in any octave."""
    begins = first_tone_is_tonic(line, context).astype(np.float64)
    ends = last_tone_is_tonic(line, context).astype(np.float64)
    return reward * (begins + ends)


_RAISED_SIXTH, _RAISED_SEVENTH = 9, 11  # semitones above the tonic


def foreign_tones(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where a note begins of which a pitch class is foreign to the key, `(melodies, steps)`.

    In minor the raised sixth and seventh degrees are not foreign: `unresolved_degrees` checks their resolution.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.music import Key
        >>> line = GridEncoding().line(np.array([[23, 22, 24, 23]]))  # A G# A# A
        >>> foreign_tones(line, Context(Key.parse("A minor"))).tolist()
        [[False, False, True, False]]
    """
    mask = context.key.mask
    if context.key.mode == "minor":
        for degree in (_RAISED_SIXTH, _RAISED_SEVENTH):
            mask |= 1 << (context.key.tonic + degree) % 12
    foreign: NDArray[np.bool_] = tones(line) & ((line.pitch_classes & ~np.int16(mask)) != 0)
    return foreign


def unresolved_degrees(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where it becomes clear that a raised degree of minor did not resolve, `(melodies, steps)`; False in major.

    A raised seventh goes to the tonic, to the raised sixth, or to another tone of the dominant triad. A raised sixth
    goes to the raised seventh or, if it came down from it, to the fifth. Each is evaluated at the next different pitch,
    at the step where that begins; one that ends the melody, on its last step. For chords the top note counts.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.music import Key
        >>> line = GridEncoding().line(np.array([[22, 23, 22, 19, 20, 22, 23, 20]]))  # G# A G# F F# G# A F#
        >>> np.argwhere(unresolved_degrees(line, Context(Key.parse("A minor")))).tolist()
        [[0, 3], [0, 7]]
    """
    unresolved = np.zeros(line.event.shape, dtype=np.bool_)
    if context.key.mode != "minor":
        return unresolved
    notes = Notes.from_line(line).without_repeats()
    degree = (notes.pitch - context.key.tonic) % 12
    before = np.where(notes.is_first, -1, np.roll(degree, 1))
    earlier = np.where(notes.is_first | np.roll(notes.is_first, 1), -1, np.roll(degree, 2))
    leading = (before == _RAISED_SEVENTH) & ~np.isin(degree, (0, 2, 7, _RAISED_SIXTH, _RAISED_SEVENTH))
    descends = (earlier == _RAISED_SEVENTH) & (degree == 7)
    sixth = (before == _RAISED_SIXTH) & ~np.isin(degree, (_RAISED_SIXTH, _RAISED_SEVENTH)) & ~descends
    late = leading | sixth
    unresolved[notes.melody[late], notes.step[late]] = True
    left = notes.is_last & np.isin(degree, (_RAISED_SIXTH, _RAISED_SEVENTH))
    unresolved[notes.melody[left], lengths(line)[notes.melody[left]] - 1] = True
    return unresolved


@rule(
    "key",
    source=COUNTERPOINT,
    rule_set="cantilena",
    metric=Metric(
        "key",
        "Notes outside the key",
        "Share of notes that are foreign to the key or, in minor, reveal that a raised sixth or seventh degree was "
        "not resolved.",
        better="less",
        count=lambda line, context: (foreign_tones(line, context) | unresolved_degrees(line, context), tones(line)),
    ),
    example=_OUT_OF_KEY,
)
def cantilena_key(line: Line, context: Context, *, foreign: float = -1.0, unresolved: float = -0.5) -> Rewards:
    """A note foreign to the key is penalised, and so is a raised degree of minor that is not resolved."""
    return foreign * foreign_tones(line, context) + unresolved * unresolved_degrees(line, context)


def opening_tones(line: Line, context: Context) -> NDArray[np.bool_]:
    """Where the note begins that opens each melody, `(melodies, steps)`: at most one in each.

    It is the first note; but if that is the dominant and begins off the downbeat, it is a pickup, and the first note
    after the next barline opens the melody.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[0, 0, 21, 25, 26, 28, 1, 1]]))  # a rest, G4 B4 | C5 D5
        >>> np.argwhere(opening_tones(line, Context(steps_per_bar=4))).tolist()
        [[0, 4]]
    """
    notes = Notes.from_line(line)
    bar, within = np.divmod(notes.step, context.steps_per_bar)
    pickup = notes.is_first & (notes.pitch % 12 == context.dominant) & (within > 0) & context.timed
    of_melody = np.cumsum(notes.is_first) - 1
    first_bar = (bar + pickup)[notes.is_first]  # the first bar in which a note can open the melody
    late_enough = bar >= first_bar[of_melody]
    count = np.cumsum(late_enough)
    earlier = (count - late_enough)[notes.is_first]
    return notes.at_steps(late_enough & (count - earlier[of_melody] == 1))


def opens_on(line: Line, context: Context) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a melody opens on the tonic, and where on the third or fifth, both `(melodies, steps)`; in any octave."""
    opening, pitch_class = opening_tones(line, context), line.pitch % 12
    triad = (pitch_class == context.mediant) | (pitch_class == context.dominant)
    return opening & (pitch_class == context.key.tonic), opening & triad


@rule(
    "opening",
    source=COUNTERPOINT,
    rule_set="cantilena",
    metric=Metric(
        "opening",
        "Opens on the tonic",
        "Share of melodies whose first note, or the first downbeat after a pickup on the dominant, is the tonic.",
        better="people",
        count=lambda line, context: (opens_on(line, context)[0], lengths(line) > 0),
    ),
    example=_ON_TONIC,
)
def cantilena_opening(line: Line, context: Context, *, tonic: float = 3.0, triad: float = 1.5) -> Rewards:
    """The melody should open on the tonic, or on another tone of its triad; a pickup on the dominant may precede."""
    on_tonic, on_triad = opens_on(line, context)
    return tonic * on_tonic + triad * on_triad


@dataclass(frozen=True, slots=True)
class Cadences:
    """How melodies end, each `(melodies,)`.

    Args:
        tonic: whether the last note is the tonic, in any octave.
        strong: whether the last pitch began on a strong beat; repeated notes count from the first.
        by_step: whether it was reached by a step.
        lasting: the duration of the last note in felt beats, at most 1.
    """

    tonic: NDArray[np.bool_]
    strong: NDArray[np.bool_]
    by_step: NDArray[np.bool_]
    lasting: NDArray[np.float64]


def cadences(line: Line, context: Context) -> Cadences:
    """Describe how each melody ends; all False without notes, and False for time where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> close = cadences(GridEncoding().line(np.array([[16, 1, 13, 1, 14, 1, 14, 1]])), Context(steps_per_bar=4))
        >>> bool(close.tonic[0]), bool(close.strong[0]), bool(close.by_step[0]), float(close.lasting[0])
        (True, True, True, 1.0)
    """
    notes = Notes.from_line(line)
    final, arrivals = notes.select(notes.is_last), notes.without_repeats()
    arrival = arrivals.select(arrivals.is_last)
    step = np.abs(arrivals.interval[arrivals.is_last])
    timed = context.timed

    def by_melody(values: NDArray[np.generic]) -> NDArray[np.float64]:
        placed = np.zeros(line.melodies)
        placed[final.melody] = values
        return placed

    return Cadences(
        tonic=by_melody(final.pitch % 12 == context.key.tonic) > 0,
        strong=by_melody(timed & strong_places(context)[arrival.step % context.steps_per_bar]) > 0,
        by_step=by_melody((step == 1) | (step == 2)) > 0,
        lasting=by_melody(timed * np.minimum(final.sounding / steps_per_beat(context), 1.0)),
    )


def _strong_tonic_cadences(line: Line, context: Context) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    close = cadences(line, context)
    return close.tonic & close.strong, (lengths(line) > 0) & context.timed


def _tonic_closes(line: Line, context: Context) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    return cadences(line, context).tonic, lengths(line) > 0


@rule(
    "cadence",
    source=FUX,
    rule_set="cantilena",
    metric=[
        Metric(
            "cadence",
            "Closes on a strong tonic",
            "Share of melodies that end with the tonic, first struck on a strong beat of the meter.",
            better="people",
            count=_strong_tonic_cadences,
        ),
        Metric(
            "tonic_close",
            "Closes on the tonic",
            "Share of melodies whose last note is the tonic, in any octave, on whatever beat.",
            better="people",
            count=_tonic_closes,
        ),
    ],
    example=Example("down to the tonic by step", "E4/8 F4/8 D4 C4/2"),
)
def cantilena_cadence(
    line: Line,
    context: Context,
    *,
    tonic: float = 3.0,
    strong: float = 1.0,
    by_step: float = 1.0,
    lasting: float = 1.0,
) -> Rewards:
    """The melody should end on the tonic; better on a strong beat, reached by step, and held for a beat."""
    close = cadences(line, context)
    earned = close.tonic * (tonic + strong * close.strong + by_step * close.by_step + lasting * close.lasting)
    return np.where(last_steps(line), earned[:, None], 0.0)


def tonic_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of the tonic, in any octave, in the time in which a note sounds, `(melodies,)`.

    Of chords the top note counts. 0 without notes; NaN where steps are not timed.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> tonic_share(GridEncoding().line(np.array([[14, 1, 1, 16, 0, 0]])), Context()).tolist()
        [0.75]
    """
    notes = Notes.from_line(line)
    on_tonic = notes.sums(notes.sounding * (notes.pitch % 12 == context.key.tonic))
    return where_defined(context.timed & (lengths(line) > 0), ratio(on_tonic, notes.sums(notes.sounding)))


cantilena_tonic_share = two_sided(
    "tonic_share",
    tonic_share,
    "The tonic should be heard often enough to be the centre, but not all the time.",
    source=KRUMHANSL,
    label="Tonic, share of time",
    definition="Mean share of the tonic, in any octave, in the time in which a note sounds.",
    rule_set="cantilena",
    example=Example("it does not get away from the tonic", "C4/2 C5 C4 D4 C4/2. B3 C4/2. C4/1"),
)


_MAJOR = (0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6)
_MINOR = (0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6)
"""The degree of each pitch class above the tonic, in the usual spelling: C C# D Eb E F F# G G# A Bb B."""


def scale_steps(pitch: NDArray[np.integer[Any]], key: Key) -> NDArray[np.int64]:
    """The number of scale steps of each pitch above the lowest tonic; a chromatic tone counts as the tone it alters.

    Examples:
        >>> scale_steps(np.array([60, 62, 64, 66, 72]), Key()).tolist()
        [35, 36, 37, 38, 42]
    """
    above = pitch.astype(np.int64) - key.tonic
    steps: NDArray[np.int64] = 7 * (above // 12) + np.array(_MINOR if key.is_minor else _MAJOR)[above % 12]
    return steps
