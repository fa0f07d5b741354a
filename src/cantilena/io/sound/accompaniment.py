"""The chords of a melody as notes of a piano: voice-led voicings, in patterns that fit the meter.

Each chord has a bass and three upper voices. The bass takes its pitch from Eb2 to D3; the upper voices take the other
tones, the root or the fifth being left out where four would be too many: so that a seventh chord is complete. Of the
positions of the upper voices between C3 and B4, the sequence with the least movement is found by dynamic programming:
the sum over successive chords of the semitones that the first, second and third voice move, plus what a chord costs by
itself (`_own_cost`): tones that reach the melody, gaps over an octave, thirds in the low register, distance to the
middle. Voices are paired in ascending order, so that they never cross.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Literal, get_args

from cantilena.errors import UsageError, unknown_name_hint
from cantilena.music import CHORD_TONES, Chord, Melody, Meter, Note

Pattern = Literal["block", "arpeggio", "bass-and-chord", "none"]
"""How chords are played: struck together in every bar, broken, or a bass note and chords in turn; or not at all."""

PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
"""The patterns."""

ACCOMPANIMENT_VELOCITY = 40
"""MIDI velocity of an accompaniment: under a melody at 80 the whole is 6 to 8 dB softer on our piano."""

LOWEST, HIGHEST = 48, 71
"""MIDI numbers between which the upper voices lie: C3 to B4."""

_LOWEST_BASS = 39  # Eb2: an octave up from there each pitch class has one place
_MIDDLE = 58
_Voicing = tuple[int, ...]
"""Pitches of the bass and the upper voices, ascending."""

_Stroke = tuple[int, int, tuple[int, ...]]
"""Start and end in ticks from the start of a bar, and the voices: 0 for the bass, 1 to 3 for the upper ones."""

_ALL, _BASS, _UPPER = (0, 1, 2, 3), (0,), (1, 2, 3)
_BROKEN = (0, 1, 2, 3, 2, 1)


def accompaniment(melody: Melody, pattern: Pattern = "block") -> tuple[Note, ...]:
    """Return the notes of an accompaniment by the chords of a melody; where there is no chord, or N.C., none sound.

    Args:
        melody: the melody with its chords.
        pattern: `block` (each chord for its duration, again in each bar), `arpeggio` (broken chords in eighths),
            `bass-and-chord` (bass-chord-chord in 3/4, bass-chord twice in 4/4), or `none`.

    Raises:
        UsageError: there is no such pattern.

    Examples:
        >>> tune = Melody.from_pitches([(76, 96), (79, 96)], chords=((0, Chord.parse("C")), (96, Chord.parse("F"))))
        >>> [note.name for note in accompaniment(tune)]
        ['C3+G3+C4+E4', 'F2+A3+C4+F4']
        >>> [note.name for note in accompaniment(tune, "bass-and-chord")][:2]
        ['C3', 'G3+C4+E4']
    """
    if pattern not in PATTERNS:
        raise UsageError(
            f"'{pattern}' is not a pattern of accompaniment", unknown_name_hint(pattern, PATTERNS, "the patterns")
        )
    if pattern == "none":
        return ()
    spans, strokes = _spans(melody), _strokes(melody.meter, pattern)
    bar_ticks = melody.meter.ticks_per_bar
    first_barline = melody.pickup % bar_ticks
    notes: list[Note] = []
    for (start, end, _), voicing in zip(spans, _voicings(melody, spans), strict=True):
        for bar in range(start - (start - first_barline) % bar_ticks, end, bar_ticks):
            for a, b, voices in strokes:
                first, last = max(bar + a, start), min(bar + b, end)
                if first >= last:
                    continue
                struck = voices
                # A chord is heard whole where it comes within a stroke, lasts for one or begins without its bass.
                if first == start and (start > bar + a or last == end or 0 not in voices):
                    struck = _BASS if pattern == "arpeggio" and last < end else _ALL
                notes.append(Note(tuple(voicing[voice] for voice in struck), first, last - first))
    return tuple(notes)


def _spans(melody: Melody) -> list[tuple[int, int, Chord]]:
    """Start, end and chord of all chords but N.C."""
    ticks = [*(min(tick, melody.length) for tick, _ in melody.chords), melody.length]
    spans = zip(ticks, ticks[1:], (chord for _, chord in melody.chords), strict=False)
    return [(start, end, chord) for start, end, chord in spans if chord.root is not None and start < end]


def _voicings(melody: Melody, spans: Sequence[tuple[int, int, Chord]]) -> list[_Voicing]:
    """The voicings of all chords with the least sum of costs and movements."""
    notes = melody.sounding
    onsets = [note.onset for note in notes]
    best: list[tuple[float, int]] = []
    columns: list[tuple[list[_Voicing], list[tuple[float, int]]]] = []
    for start, end, chord in spans:
        first = max(bisect_right(onsets, start) - 1, 0)
        over = notes[first : bisect_left(onsets, end)]
        lowest = min((note.pitches[0] for note in over if note.end > start), default=128)
        voicings = _positions(chord)
        before, reached = columns[-1] if columns else ([], best)
        best = []
        for voicing in voicings:
            ways = (
                (cost + _movement(other, voicing), place)
                for place, (other, (cost, _)) in enumerate(zip(before, reached, strict=True))
            )
            cost, place = min(ways, default=(0.0, 0))
            best.append((cost + _own_cost(voicing, lowest), place))
        columns.append((voicings, best))
    chosen: list[_Voicing] = []
    place = min(range(len(best)), key=best.__getitem__, default=0)
    for voicings, reached in reversed(columns):
        chosen.append(voicings[place])
        place = reached[place][1]
    return chosen[::-1]


def _positions(chord: Chord) -> list[_Voicing]:
    """All voicings of a chord: its bass, and upper voices above it, each within the bounds."""
    assert chord.root is not None
    assert chord.bass is not None
    bass = _LOWEST_BASS + (chord.bass - _LOWEST_BASS) % 12
    tones = [(chord.root + tone) % 12 for tone in CHORD_TONES[chord.quality]]
    if len(tones) > 3:  # the bass holds one, or the fifth is the tone that is missed least
        tones.remove(chord.bass if chord.bass in tones else tones[2])
    places = [[pitch for pitch in range(LOWEST, HIGHEST + 1) if pitch % 12 == tone and pitch > bass] for tone in tones]
    return sorted((bass, *sorted(upper)) for upper in product(*places))


def _movement(one: _Voicing, other: _Voicing) -> int:
    """Semitones that the upper voices move."""
    return sum(abs(a - b) for a, b in zip(one[1:], other[1:], strict=True))


def _own_cost(voicing: _Voicing, melody: int) -> float:
    """What is wrong with a voicing by itself, in semitones of movement.

    Args:
        voicing: the pitches.
        melody: the lowest pitch of the melody over it.
    """
    upper = voicing[1:]
    above = sum(6.0 + (pitch - melody) for pitch in upper if pitch >= melody)
    gaps = sum(max(high - low - 12, 0) for low, high in pairwise(upper))
    muddy = sum(4.0 for low, high in pairwise(voicing) if low < 52 and high - low < 5)
    return above + gaps + muddy + 0.1 * abs(sum(upper) / 3 - _MIDDLE)


def _strokes(meter: Meter, pattern: Pattern) -> list[_Stroke]:
    """A pattern in one bar."""
    bar, beat, written = meter.ticks_per_bar, meter.ticks_per_beat, 96 // meter.denominator
    if pattern == "block":
        return [(0, bar, _ALL)]
    if beat > written:  # beats of three eighths: a broken chord each, or a long bass and a short chord
        if pattern == "bass-and-chord":
            halves = ((0, 2 * written, _BASS), (2 * written, beat, _UPPER))
            return [(at + a, at + b, voices) for at in range(0, bar, beat) for a, b, voices in halves]
        return [(at, at + written, ((at % beat) // written + 1,) if at else _BASS) for at in range(0, bar, written)]
    unit = beat if pattern == "bass-and-chord" or meter.denominator >= 8 else beat // 2
    # Pairs of beats, and three at the end where their number is odd.
    groups = [2] * (meter.numerator // 2) if meter.numerator % 2 == 0 else [2] * (meter.numerator // 2 - 1) + [3]
    strokes: list[_Stroke] = []
    for beats in groups if meter.numerator > 1 else [1]:
        for place in range(beats * beat // unit):
            at = strokes[-1][1] if strokes else 0
            broken = (_BROKEN[place % len(_BROKEN)],)
            voices = broken if pattern == "arpeggio" else _UPPER if place else _BASS
            strokes.append((at, at + unit, voices))
    return strokes
