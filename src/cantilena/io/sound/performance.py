"""Expressive performance: dynamics and tempo by rules, without randomness.

Every phrase is an arch (N. P. McAngus Todd, "The dynamics of dynamics: a model of musical expression", Journal of the
Acoustical Society of America 91, 1992): it grows louder and faster to a turn a little after its middle, and ends softer
and slower; the time of a beat is a quadratic in its place x in the phrase,

    pace(x) = 1 + d(x) - mean of d,  d(x) = BEGIN (1 - x/T)^2 for x < T,  END ((x - T)/(1 - T))^2 after it,  T = TURN,

so that a phrase is as long as it is without. Two rules of the KTH system go with it (A. Friberg, R. Bresin and
J. Sundberg, "Overview of the KTH rule system for musical performance", Advances in Cognitive Psychology 2, 2006): the
higher, the louder, which lets a phrase's climax speak; and beats of the meter are stressed.

A phrase ends where the melody rests for half a beat or more, or where a note is held twice as long as is usual and at
least for a beat; and no phrase is shorter than `SHORTEST` bars or longer than `LONGEST`, where it is cut into equal
parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from cantilena.io.timing import tick_to_seconds
from cantilena.music import Melody, Note, Tempo

VELOCITY = 80
"""Default mean MIDI velocity: mezzo-forte."""

SHORTEST, LONGEST = 2, 8
"""Bounds of a phrase's length in bars."""

BEGIN, END, TURN = 0.04, 0.12, 0.6
"""How much slower a phrase begins and ends than at its turn, and the place of the turn."""

# In units of velocity: from a phrase's ends to its turn; a semitone above the phrase's mean pitch; and a note on the
# downbeat, on another beat, and between beats.
_ARCH, _HIGH = 14, 0.6
_DOWNBEAT, _BEAT, _BETWEEN = 6, 2, -4

_SLOWEST, _FASTEST = 4.0, 2000.0


@dataclass(frozen=True)
class Performance:
    """A melody as it is played.

    Args:
        tempo: a tempo map with a change at every beat.
        velocities: MIDI velocity of each note of `melody.sounding`, 1 to 127.
        onsets: when each of them begins, seconds from the start.
        ends: when each ends, likewise.
        seconds: the total duration.
    """

    tempo: Tempo
    velocities: tuple[int, ...]
    onsets: tuple[float, ...]
    ends: tuple[float, ...]
    seconds: float


def perform(melody: Melody, velocity: int = VELOCITY) -> Performance:
    """Play a melody expressively; the same melody gives the same performance.

    Args:
        melody: the melody; the arches modify its own tempo map.
        velocity: mean MIDI velocity, 1 to 127.

    Examples:
        >>> played = perform(Melody.from_pitches([(60, 24), (62, 24), (64, 24), (65, 24), (67, 48), (60, 48)]))
        >>> played.velocities
        (75, 79, 85, 87, 93, 71)
        >>> round(played.seconds, 2)  # 4.0 as written
        4.0
    """
    phrases = phrases_of(melody)
    tempo = _arched_tempo(melody, phrases)
    seconds = tick_to_seconds(tempo)
    notes = melody.sounding
    return Performance(
        tempo,
        tuple(_velocities(melody, phrases, velocity)),
        tuple(seconds(note.onset) for note in notes),
        tuple(seconds(note.end) for note in notes),
        seconds(melody.length),
    )


def phrases_of(melody: Melody) -> list[tuple[int, int]]:
    """Return start and end of each phrase in ticks; they fill the melody without gaps.

    Examples:
        >>> scale = [(60 + step, 24) for step in range(5)]
        >>> phrases_of(Melody.from_pitches([*scale, (65, 48), (None, 24), *scale, (60, 72)]))
        [(0, 192), (192, 384)]
    """
    beat, bar, notes = melody.meter.ticks_per_beat, melody.meter.ticks_per_bar, melody.sounding
    waits = [after.onset - note.onset for note, after in pairwise(notes)]
    usual = sorted(waits)[len(waits) // 2] if waits else beat
    ends = [0]
    silent_from = 0
    for (note, after), wait in zip(pairwise(notes), waits, strict=True):
        silent_from = max(silent_from, note.end)
        breathes = after.onset - silent_from >= beat / 2 or wait >= max(2 * usual, beat)
        if breathes and after.onset - ends[-1] >= SHORTEST * bar:
            ends += _parts(ends[-1], after.onset, LONGEST * bar)
    if melody.length > ends[-1]:
        if len(ends) > 1 and melody.length - ends[-1] < SHORTEST * bar:
            ends.pop()
        ends += _parts(ends[-1], melody.length, LONGEST * bar)
    return list(pairwise(ends))


def _parts(start: int, end: int, longest: int) -> list[int]:
    """The ends of equal parts of a span, none longer than a phrase may be."""
    count = -(-(end - start) // longest)
    return [start + (end - start) * part // count for part in range(1, count + 1)]


def _arched_tempo(melody: Melody, phrases: list[tuple[int, int]]) -> Tempo:
    """The melody's tempo map with the arches: a new tempo at each beat of a phrase."""
    beat = melody.meter.ticks_per_beat
    own = melody.tempo.changes
    changes: dict[int, float] = {}
    index = 0
    for start, end in phrases:
        edges = sorted({*range(start, end, beat), *(tick for tick, _ in own if start < tick < end), end})
        mean = sum((b - a) * _slower((a + b) / 2, start, end) for a, b in pairwise(edges)) / (end - start)
        for a, b in pairwise(edges):
            while index + 1 < len(own) and own[index + 1][0] <= a:
                index += 1
            pace = 1 + _slower((a + b) / 2, start, end) - mean
            changes[a] = min(max(own[index][1] / pace, min(_SLOWEST, own[index][1])), _FASTEST)
    later = [(tick, rate) for tick, rate in own if tick >= melody.length or tick not in changes]
    return Tempo(tuple(sorted({**dict(later), **changes}.items())))


def _slower(tick: float, start: int, end: int) -> float:
    """How much slower than at its turn a phrase is at a tick."""
    place = (tick - start) / (end - start)
    if place < TURN:
        return BEGIN * (1 - place / TURN) ** 2
    return END * ((place - TURN) / (1 - TURN)) ** 2


def _velocities(melody: Melody, phrases: list[tuple[int, int]], velocity: int) -> list[int]:
    notes = melody.sounding
    played: list[int] = []
    first = 0
    for _, end in phrases:
        last = first
        while last < len(notes) and notes[last].onset < end:
            last += 1
        inside = notes[first:last]
        mean = sum(note.top for note in inside) / max(len(inside), 1)
        span = inside[-1].onset - inside[0].onset if inside else 0
        for note in inside:
            place = (note.onset - inside[0].onset) / span if span else TURN
            side = place / TURN if place < TURN else (1 - place) / (1 - TURN)
            arch = _ARCH * (1 / 3 - (1 - side) ** 2)  # a parabola, 0 on the whole
            loud = velocity + arch + _HIGH * (note.top - mean) + _stress(note, melody)
            played.append(min(max(round(loud), 1), 127))
        first = last
    return played


def _stress(note: Note, melody: Melody) -> int:
    place = (note.onset - melody.pickup) % melody.meter.ticks_per_bar
    if place == 0:
        return _DOWNBEAT
    return _BEAT if place % melody.meter.ticks_per_beat == 0 else _BETWEEN
