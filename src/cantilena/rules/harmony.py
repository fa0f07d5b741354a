"""Harmony: tones of the chord on strong beats, what becomes of the others, and the chord under the last note.

Melodies without chord symbols get 0 from these rules. A note over no chord (N.C.) agrees with it. Of notes struck
together the top one counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules.bands import two_sided
from cantilena.rules.meter import strong_places
from cantilena.rules.notes import Notes, last_steps, lengths, ratio, tones, where_defined
from cantilena.rules.rule import HARMONIC_PRACTICE, KOSTKA_PAYNE, TEMPERLEY, Context, Example, Metric, Rewards, rule


def over_chords(line: Line) -> NDArray[np.bool_]:
    """Where a note begins while a chord sounds, `(melodies, steps)`."""
    over: NDArray[np.bool_] = tones(line) & (line.chord_arrays()[0] != 0)
    return over


def chord_tones(line: Line) -> NDArray[np.bool_]:
    """Where a note begins that is a tone of the chord that sounds, `(melodies, steps)`.

    Examples:
        >>> from cantilena.music import ChordTrack, Meter
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 19]])).with_chords(  # C D E F
        ...     [ChordTrack.parse("C", Meter(4, 4))], ticks_per_step=6
        ... )
        >>> chord_tones(line).tolist()
        [[True, False, True, False]]
    """
    return over_chords(line) & _has_tone(line.chord_arrays()[0], line.pitch)


def _has_tone(masks: NDArray[np.integer], pitch: NDArray[np.integer]) -> NDArray[np.bool_]:
    has_tone: NDArray[np.bool_] = (masks.astype(np.int64) >> (pitch.astype(np.int64) % 12)) & 1 == 1
    return has_tone


def strong_beats(line: Line, context: Context) -> NDArray[np.bool_]:
    """Which steps of a line are strong beats, `(steps,)`; none where steps are not timed."""
    return strong_places(context)[np.arange(line.steps) % context.steps_per_bar] & context.timed


def strong_chord_tone_share(line: Line, context: Context) -> NDArray[np.float64]:
    """The share of the notes that begin on strong beats which are tones of the chord, `(melodies,)`.

    NaN where no note begins on a strong beat over a chord, and where steps are not timed.

    Examples:
        >>> from cantilena.music import ChordTrack, Meter
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 19, 18]])).with_chords(  # C D F E
        ...     [ChordTrack.parse("C", Meter(4, 4))], ticks_per_step=24
        ... )
        >>> strong_chord_tone_share(line, Context(steps_per_bar=4)).tolist()
        [0.5]
    """
    if line.chord is None:
        return np.full(line.melodies, np.nan)
    strong = strong_beats(line, context)
    counted, out_of = ((each & strong).sum(axis=1) for each in (chord_tones(line), over_chords(line)))
    return where_defined(out_of > 0, ratio(counted, out_of))


cantilena_chord_tones = two_sided(
    "chord_tones",
    strong_chord_tone_share,
    "Most notes on strong beats should be tones of the chord, but not all of them.",
    source=TEMPERLEY,
    label="Chord tones, strong beats",
    definition="Mean share of the notes that begin on strong beats which are tones of the chord that sounds.",
    rule_set="cantilena",
    example=Example("no chord tone on a strong beat", "D4 E4 A4 G4 A4 B4 C5 D5", chords="C | G"),
    needs_chords=True,
)


@dataclass(frozen=True, slots=True)
class NonChordTones:
    """The notes that are no tones of their chord, melody by melody in time.

    Args:
        melody: `(notes,)`: the index of its melody.
        step: `(notes,)`: the step at which it begins.
        resolved: `(notes,)`: whether it resolves.
        known: `(notes,)`: the step at which that is certain, the last one of the melody at the latest.
    """

    melody: NDArray[np.int64]
    step: NDArray[np.int64]
    resolved: NDArray[np.bool_]
    known: NDArray[np.int64]


def non_chord_tones(line: Line) -> NonChordTones:
    """Find the notes that are no tones of the chord at their beginning or, held into another one, at their end.

    One resolves if a tone of its chord follows by a step of one or two semitones: as the next note, as for passing and
    neighbour tones, suspensions and appoggiaturas; as the one after it, as for two neighbours or an ornamented
    resolution; or as the end of two steps in one direction, as for two passing tones. An anticipation resolves where it
    is held, or struck again, into a chord whose tone it is. An escape tone, which is left by leap, does not resolve.
    Repeated notes count as one.

    Examples:
        >>> from cantilena.music import ChordTrack, Meter
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 18, 19, 26, 14, 1, 1]])).with_chords(  # C D E F C5 C
        ...     [ChordTrack.parse("C", Meter(4, 4))], ticks_per_step=12
        ... )
        >>> found = non_chord_tones(line)
        >>> found.step.tolist(), found.resolved.tolist(), found.known.tolist()
        ([1, 3], [True, False], [3, 5])
    """
    masks, notes = line.chord_arrays()[0], Notes.from_line(line)
    begins, ends = (
        (chord == 0) | _has_tone(chord, notes.pitch)
        for chord in (masks[notes.melody, notes.step], masks[notes.melody, notes.step + notes.sounding - 1])
    )
    first = np.flatnonzero(notes.is_first | (notes.interval != 0) | (begins != np.roll(ends, 1)))
    count = len(first)
    last = np.append(first[1:], len(notes))[:count] - 1
    melody, step, pitch, begins, ends = (
        notes.melody[first],
        notes.step[first],
        notes.pitch[first],
        begins[first],
        ends[last],
    )
    one, two = (np.minimum(np.arange(count) + ahead, count - 1) for ahead in (1, 2))
    has_one, has_two = (
        (np.arange(count) + ahead < count) & (melody[later] == melody) for later, ahead in ((one, 1), (two, 2))
    )
    to_one, to_two, onwards = pitch[one] - pitch, pitch[two] - pitch, pitch[two] - pitch[one]
    next_is_tone = has_one & begins[one] & ((to_one == 0) | _is_step(to_one))
    two_steps = _is_step(to_one) & _is_step(onwards) & (to_one * onwards > 0)
    later_is_tone = has_two & begins[two] & (_is_step(to_two) | two_steps)
    known = np.where(has_two, step[two], lengths(line)[melody] - 1)
    foreign = ~(begins & ends)
    resolved = ends | next_is_tone | later_is_tone
    return NonChordTones(melody[foreign], step[foreign], resolved[foreign], known[foreign])


def _is_step(interval: NDArray[np.integer]) -> NDArray[np.bool_]:
    size = np.abs(interval)
    is_step: NDArray[np.bool_] = (size == 1) | (size == 2)
    return is_step


def _resolutions(line: Line, context: Context) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = non_chord_tones(line)
    every, resolved = (
        np.bincount(some, minlength=line.melodies) for some in (found.melody, found.melody[found.resolved])
    )
    return resolved.astype(np.float64), every.astype(np.float64)


@rule(
    "non_chord_tones",
    source=KOSTKA_PAYNE,
    rule_set="cantilena",
    metric=Metric(
        "non_chord_tones",
        "Non-chord tones that resolve",
        "Share of notes outside the chord that resolve by step to a chord tone within two notes, or are held or "
        "struck again into a chord to which they belong.",
        better="more",
        count=_resolutions,
    ),
    example=Example("a passing tone, and a leap from a tone that is none", "C4 D4 E4 F4 A4 C5/2.", chords="C | C"),
    needs_chords=True,
)
def cantilena_non_chord_tones(line: Line, context: Context, *, penalty: float = -1.0) -> Rewards:
    """A note outside the chord is penalised if it resolves neither by step nor by being held into another chord.

    It is penalised when that is certain: where the second note after it begins, or on the last step of the melody.
    """
    rewards = np.zeros(line.event.shape)
    if line.chord is not None:
        found = non_chord_tones(line)
        np.add.at(rewards, (found.melody[~found.resolved], found.known[~found.resolved]), penalty)
    return rewards


@dataclass(frozen=True, slots=True)
class HarmonicCadences:
    """What the last note of each melody is in the chord that sounds with its end, each `(melodies,)`.

    Args:
        over_chord: whether a chord sounds.
        root: whether it is the root of it.
        third: whether it is the third, major or minor.
        fifth: whether it is the fifth, perfect, diminished or augmented.
        full: whether it is the tonic, over the chord on the tonic.
    """

    over_chord: NDArray[np.bool_]
    root: NDArray[np.bool_]
    third: NDArray[np.bool_]
    fifth: NDArray[np.bool_]
    full: NDArray[np.bool_]

    @property
    def stable(self) -> NDArray[np.bool_]:
        """`(melodies,)`: whether it is the root, the third or the fifth."""
        return self.root | self.third | self.fifth


def harmonic_cadences(line: Line, context: Context) -> HarmonicCadences:
    """Describe how each melody ends over its last chord; all False without notes or chords.

    Examples:
        >>> from cantilena.music import ChordTrack, Meter
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[16, 1, 14, 1]])).with_chords(
        ...     [ChordTrack.parse("G7 C", Meter(4, 4))], ticks_per_step=24
        ... )
        >>> bool(harmonic_cadences(line, Context()).full[0])
        True
    """
    masks, roots = line.chord_arrays()
    notes = Notes.from_line(line)
    final = notes.select(notes.is_last)
    at = final.melody, final.step + final.sounding - 1
    root = roots[at].astype(np.int64)
    above = (final.pitch - root) % 12
    is_tone = _has_tone(masks[at], final.pitch) & (root >= 0)

    def by_melody(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
        placed = np.zeros(line.melodies, dtype=np.bool_)
        placed[final.melody] = values
        return placed

    return HarmonicCadences(
        over_chord=by_melody(root >= 0),
        root=by_melody(is_tone & (above == 0)),
        third=by_melody(is_tone & np.isin(above, (3, 4))),
        fifth=by_melody(is_tone & np.isin(above, (6, 7, 8))),
        full=by_melody(is_tone & (above == 0) & (root == context.key.tonic)),
    )


def _stable_ends(line: Line, context: Context) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    ends = harmonic_cadences(line, context)
    return ends.stable, ends.over_chord


def _full_cadences(line: Line, context: Context) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    ends = harmonic_cadences(line, context)
    return ends.full, ends.over_chord


@rule(
    "harmonic_cadence",
    source=HARMONIC_PRACTICE,
    rule_set="cantilena",
    metric=[
        Metric(
            "harmonic_cadence",
            "Ends on a tone of the triad",
            "Share of melodies whose last note is the root, the third or the fifth of the chord that sounds with its "
            "end.",
            better="more",
            count=_stable_ends,
        ),
        Metric(
            "full_cadence",
            "Ends on the tonic over I",
            "Share of melodies whose last note is the tonic, over the chord on the tonic.",
            better="more",
            count=_full_cadences,
        ),
    ],
    example=Example("a full cadence", "E4 F4 D4/2 C4/1", chords="F G7 | C"),
    needs_chords=True,
)
def cantilena_harmonic_cadence(
    line: Line,
    context: Context,
    *,
    full: float = 2.0,
    root: float = 1.0,
    third: float = 1.0,
    fifth: float = 0.5,
    foreign: float = -1.0,
) -> Rewards:
    """The melody should end on a tone of the last triad, best on the tonic over the chord on the tonic.

    The tonic over the chord on the tonic is rewarded by `full`, over another chord by `root`, `third` or `fifth`.
    """
    if line.chord is None:
        return np.zeros(line.event.shape)
    ends = harmonic_cadences(line, context)
    earned = np.select(
        [ends.full, ends.root, ends.third, ends.fifth, ends.over_chord], [full, root, third, fifth, foreign], 0.0
    )
    return np.where(last_steps(line), earned[:, None], 0.0)
