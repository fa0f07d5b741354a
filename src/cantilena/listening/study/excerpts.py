"""Excerpts of melodies that can become clips: between ends of phrases, on one metrical grid, at one tempo."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Note, Tempo, find_key
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)
"""Sixteenths, without folding of octaves: human melodies are quantised like generated ones."""

_MIN_NOTES = 8
_MAX_CANDIDATES = 60
"""Candidates per melody: a sonata has thousands, and at most one clip is cut from it."""
_PAPER_SECONDS_PER_NOTE = 0.25


@dataclass(frozen=True)
class Excerpt:
    """An excerpt that can become a clip.

    Args:
        melody: from its first note to the end of its last, quantised, at the study's tempo, in its original key.
        piece: index of the melody in its arm.
        source: file of the melody.
        key: key of the whole melody.
        quarters: duration in quarter notes.
        mean_pitch: mean MIDI number, weighted by duration.
        density: notes per quarter note.
        silence: share of the duration without sound.
    """

    melody: Melody
    piece: int
    source: str
    key: Key
    quarters: float
    mean_pitch: float
    density: float
    silence: float

    @classmethod
    def from_melody(cls, melody: Melody, piece: int, source: str, key: Key) -> Excerpt:
        """Compute the properties of an excerpt that starts with its first note and ends with its last."""
        notes = melody.sounding
        sounding = sum(note.duration for note in notes)
        return cls(
            melody, piece, source, key,
            quarters=melody.length / TICKS_PER_QUARTER,
            mean_pitch=sum(note.top * note.duration for note in notes) / sounding,
            density=len(notes) / (melody.length / TICKS_PER_QUARTER),
            silence=1 - min(sounding / melody.length, 1.0),
        )  # fmt: skip


def phrase_excerpts(melody: Melody, piece: int, *, tempo: float, shortest: float, longest: float) -> list[Excerpt]:
    """Find the excerpts that begin and end at phrase boundaries; of more than 60, a regular selection.

    A phrase ends with a rest of half a beat, or with a note that is held for at least a beat and twice the median
    duration. The place where a file breaks off is not a boundary.

    Args:
        melody: the melody.
        piece: its index in its arm.
        tempo: quarter notes per minute.
        shortest: seconds.
        longest: seconds.

    Examples:
        >>> phrase = [*((pitch, 24) for pitch in (60, 62, 64, 65, 67, 65, 64, 62)), (60, 72), (None, 24)]
        >>> melody = Melody.from_pitches([*phrase, *phrase])
        >>> [excerpt.quarters for excerpt in phrase_excerpts(melody, 0, tempo=120, shortest=4, longest=6)]
        [11.0, 11.0]
    """
    quantised = GRID.fit(melody).melody
    if len(quantised.sounding) < _MIN_NOTES:
        return []
    key = melody.key or find_key(quantised) or Key()
    boundaries = _phrase_boundaries(quantised)
    low, high = (seconds * tempo / 60 * TICKS_PER_QUARTER for seconds in (shortest, longest))
    spans = [
        (start, end)
        for index, start in enumerate(boundaries)
        for end in boundaries[index + 1 :]
        if low <= end - start <= high + quantised.meter.ticks_per_bar
    ]
    selected = np.linspace(0, len(spans) - 1, min(len(spans), _MAX_CANDIDATES)).round().astype(int).tolist()
    excerpts = []
    for start, end in (spans[index] for index in selected):
        cut = _trimmed(quantised.between(start, end), tempo)
        if low <= cut.length <= high and len(cut.sounding) >= _MIN_NOTES:
            excerpts.append(Excerpt.from_melody(cut, piece, melody.source, key))
    return excerpts


def isochronous_excerpt(melody: Melody, piece: int, *, seconds: float) -> Excerpt | None:
    """Return the start of a melody as the paper plays it: notes and chords in turn, a quarter of a second each.

    The result is None if it would fill less than half of `seconds`.
    """
    step = TICKS_PER_QUARTER // 2
    events = melody.sounding[: math.floor(seconds / _PAPER_SECONDS_PER_NOTE)]
    if len(events) < seconds / (2 * _PAPER_SECONDS_PER_NOTE):
        return None
    notes = tuple(Note(note.pitches, index * step, step) for index, note in enumerate(events))
    even = replace(melody, notes=notes, length=len(notes) * step, tempo=Tempo.constant(120), pickup=0)
    return Excerpt.from_melody(even, piece, melody.source, melody.key or find_key(melody) or Key())


def _phrase_boundaries(melody: Melody) -> list[int]:
    """The start, and every tick at which a phrase ends and no note sounds on."""
    beat, notes = melody.meter.ticks_per_beat, melody.sounding
    onsets = [note.onset for note in notes]
    intervals = [after - before for before, after in pairwise([*onsets, melody.length])]
    long = max(2 * sorted(intervals)[len(intervals) // 2], beat)
    boundaries, silent_from = [0], 0
    for note, interval, tick in zip(notes, intervals, [*onsets[1:], melody.length], strict=True):
        silent_from = max(silent_from, note.end)
        if silent_from <= tick and (tick - silent_from >= beat / 2 or interval >= long):
            boundaries.append(tick)
    return boundaries


def _trimmed(melody: Melody, tempo: float) -> Melody:
    """A melody from its first note to the end of its last, at one tempo."""
    notes = melody.sounding
    if not notes:
        return replace(melody, notes=(), length=0)
    first = notes[0].onset
    kept = tuple(replace(note, onset=note.onset - first) for note in notes)
    return replace(
        melody, notes=kept, length=kept[-1].end, tempo=Tempo.constant(tempo),
        pickup=(melody.pickup - first) % melody.meter.ticks_per_bar,
    )  # fmt: skip
