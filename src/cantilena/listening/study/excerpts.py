"""What a clip may be cut from: stretches of a melody between phrase ends, on one grid, at one tempo."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Note, Tempo, find_key
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)
"""Sixteenths at their own pitch: people's clips are quantised as generated ones are."""

_FEWEST_NOTES = 8
_MOST_STRETCHES = 60
"""Of a melody: a sonata has thousands, and one clip at the most is cut from it."""


@dataclass(frozen=True)
class Excerpt:
    """A stretch that could be a clip.

    Args:
        melody: from its first note to the end of its last, quantised, at the study's tempo, in its own key.
        piece: number of the melody it is cut from, in its arm.
        source: the file.
        key: of the whole melody.
        quarters: its length.
        height: mean pitch, by duration, MIDI number.
        pace: notes a quarter.
        silence: share of it in which nothing sounds.
    """

    melody: Melody
    piece: int
    source: str
    key: Key
    quarters: float
    height: float
    pace: float
    silence: float

    @classmethod
    def of(cls, melody: Melody, piece: int, source: str, key: Key) -> Excerpt:
        """Describe a stretch whose first note is at 0 and which ends with its last."""
        notes = melody.sounding
        sounds = sum(note.duration for note in notes)
        return cls(
            melody, piece, source, key,
            quarters=melody.length / TICKS_PER_QUARTER,
            height=sum(note.top * note.duration for note in notes) / sounds,
            pace=len(notes) / (melody.length / TICKS_PER_QUARTER),
            silence=1 - min(sounds / melody.length, 1.0),
        )  # fmt: skip


def excerpts(melody: Melody, piece: int, *, tempo: float, shortest: float, longest: float) -> list[Excerpt]:
    """Stretches of a melody that begin and end where phrases do: all, or 60 from its beginning to its end.

    A phrase ends with a rest of half a beat, or with a note that is held for a beat and twice as long as is usual;
    where a file merely breaks off is no end.

    Args:
        melody: the melody.
        piece: its number in its arm.
        tempo: quarters a minute of every clip.
        shortest: seconds.
        longest: seconds.

    Example:
        >>> phrase = [*((pitch, 24) for pitch in (60, 62, 64, 65, 67, 65, 64, 62)), (60, 72), (None, 24)]
        >>> tune = Melody.from_pitches([*phrase, *phrase])
        >>> [found.quarters for found in excerpts(tune, 0, tempo=120, shortest=4, longest=6)]
        [11.0, 11.0]
    """
    fitted = GRID.fit(melody).melody
    if len(fitted.sounding) < _FEWEST_NOTES:
        return []
    key = melody.key or find_key(fitted) or Key()
    edges = _edges(fitted)
    low, high = (seconds * tempo / 60 * TICKS_PER_QUARTER for seconds in (shortest, longest))
    between = [
        (start, end)
        for place, start in enumerate(edges)
        for end in edges[place + 1 :]
        if low <= end - start <= high + fitted.meter.ticks_per_bar
    ]
    evenly_chosen = np.linspace(0, len(between) - 1, min(len(between), _MOST_STRETCHES)).round().astype(int).tolist()
    found = []
    for start, end in (between[row] for row in evenly_chosen):
        cut = trimmed(fitted.between(start, end), tempo)
        if low <= cut.length <= high and len(cut.sounding) >= _FEWEST_NOTES:
            found.append(Excerpt.of(cut, piece, melody.source, key))
    return found


def evenly(melody: Melody, piece: int, *, seconds: float) -> Excerpt | None:
    """A melody as the paper plays it: one note or chord after the other, a quarter of a second each, from its start.

    Args:
        melody: the melody.
        piece: its number in its arm.
        seconds: the longest; None is given where there are not half as many notes.
    """
    step = TICKS_PER_QUARTER // 2
    events = melody.sounding[: math.floor(seconds / 0.25)]
    if len(events) < seconds / 0.5:
        return None
    notes = tuple(Note(note.pitches, place * step, step) for place, note in enumerate(events))
    even = replace(melody, notes=notes, length=len(notes) * step, tempo=Tempo.constant(120), pickup=0)
    return Excerpt.of(even, piece, melody.source, melody.key or find_key(melody) or Key())


def trimmed(melody: Melody, tempo: float) -> Melody:
    """A melody from its first note to the end of its last, at one tempo."""
    notes = melody.sounding
    if not notes:
        return replace(melody, notes=(), length=0)
    first = notes[0].onset
    kept = tuple(replace(note, onset=note.onset - first) for note in notes)
    # `length` never shrinks below the last note's end, and nothing is heard after it.
    return replace(
        melody, notes=kept, length=kept[-1].end, tempo=Tempo.constant(tempo),
        pickup=(melody.pickup - first) % melody.meter.ticks_per_bar,
    )  # fmt: skip


def _edges(melody: Melody) -> list[int]:
    """The start, and every tick at which a phrase ends and across which nothing sounds."""
    beat, notes = melody.meter.ticks_per_beat, melody.sounding
    onsets = [note.onset for note in notes]
    waits = [after - before for before, after in pairwise([*onsets, melody.length])]
    held = max(2 * sorted(waits)[len(waits) // 2], beat)
    edges, silent_from = [0], 0
    for note, wait, tick in zip(notes, waits, [*onsets[1:], melody.length], strict=True):
        silent_from = max(silent_from, note.end)
        if silent_from <= tick and (tick - silent_from >= beat / 2 or wait >= held):
            edges.append(tick)
    return edges
