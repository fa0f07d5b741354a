"""All notes and chords as the paper's tools read them from MIDI: `music21.converter.parse(file).flatten().notes`.

What music21 10.5.1 does, found by comparison on 307 piano pieces (306 of them equal to the last note, all 307 within
their first 30 s):

1. Within a track, a note ends at the first note-off of its pitch after its onset, also if an earlier note was meant.
2. Notes that begin less than a quarter of a quarter note after a first one, and end within as much of its end, become
   one chord: quick successive notes fuse. The chord lasts as long as its last note.
3. Onsets move to the nearest sixteenth or triplet eighth, whichever is nearer; durations too, where a duration that
   reaches the next onset comes first.
4. Bars are made, and what crosses a barline is struck again in the next bar (`cantilena.data.paper_bars`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.data.paper_bars import Struck, laid_out
from cantilena.io import Part, Score
from cantilena.music import TICKS_PER_QUARTER, Note

_DIVISORS = (4, 3)
"""A quarter note is divided into four (sixteenths) or three (triplet eighths)."""


@dataclass(frozen=True, slots=True)
class PaperReading:
    """What music21 finds in a MIDI file.

    Args:
        notes: the notes and chords, at 24 ticks a quarter.
        rounded: how many of them were moved to a sixteenth or triplet eighth.
    """

    notes: list[Note]
    rounded: int


def paper_reading(score: Score, end: float = float("inf")) -> PaperReading:
    """The notes and chords of a score as music21 gives them; percussion is left out.

    Cutting comes after quantising: an event is kept if its quantised onset lies before the end.

    Args:
        score: a score from MIDI.
        end: where to cut, ticks at 24 a quarter.
    """
    notes: list[Note] = []
    rounded = 0
    marks = [tick for changes in (score.tempos, score.meters, score.keys) for tick, *_ in changes]
    mark_ticks = _snapped(np.array(sorted(marks)) / score.resolution).tolist()
    meter_ticks = _snapped(np.array([tick for tick, _ in score.meters]) / score.resolution).tolist()
    meters = list(zip(meter_ticks, (meter for _, meter in score.meters), strict=True))
    for track in sorted({part.track for part in score.parts}):
        parts = [part for part in score.parts if part.track == track and not part.is_drums and len(part)]
        if not parts:
            continue
        raw, has_voices = _fused(parts, score.resolution)
        struck, moved = _quantised(raw, score.resolution)
        rounded += sum(onset < end for onset in moved)
        for onset, event in laid_out(struck, meters, mark_ticks, has_voices=has_voices, end=end):
            if onset < end:
                notes.append(Note(event.pitches, onset, max(event.duration, 1)))
    return PaperReading(notes, rounded)


_Raw = tuple[tuple[int, ...], int, int]
"""A chord in ticks of the score: pitches, onset, duration."""


def _fused(parts: Iterable[Part], resolution: int) -> tuple[list[_Raw], bool]:
    """Chords of a track, and whether notes of different lengths begin together."""
    onsets = np.concatenate([part.onset for part in parts])
    order = np.argsort(onsets, kind="stable")
    starts: list[int] = onsets[order].tolist()
    stops: list[int] = np.concatenate([_ends(part) for part in parts])[order].tolist()
    heard: list[int] = np.concatenate([part.pitch for part in parts])[order].tolist()
    tolerance = resolution / max(_DIVISORS)
    taken = [False] * len(starts)
    has_voices = False
    raw: list[_Raw] = []
    for first, onset in enumerate(starts):
        if taken[first]:
            continue
        end, last, pitches = stops[first], first, [heard[first]]
        for other in range(first + 1, len(starts)):
            if starts[other] - onset >= tolerance:
                break
            if abs(stops[other] - end) > tolerance:
                has_voices = True
            else:
                # Also one that another chord has: notes of an arpeggio can be in two.
                taken[other] = True
                pitches.append(heard[other])
                last = other
        raw.append((tuple(pitches), onset, stops[last] - starts[last]))
    return raw, has_voices


def _ends(part: Part) -> NDArray[np.int64]:
    """Where each note ends by the first note-off of its pitch after it."""
    ends = part.onset + part.duration
    by_pitch = np.sort(part.pitch << 40 | ends)
    found = by_pitch[np.searchsorted(by_pitch, part.pitch << 40 | part.onset, side="right").clip(max=len(ends) - 1)]
    return np.where(part.duration > 0, found & (2**40 - 1), ends)


def _quantised(raw: list[_Raw], resolution: int) -> tuple[list[Struck], list[int]]:
    """The chords of a track on sixteenths and triplet eighths, ticks at 24 a quarter; the onsets of those moved."""
    quarters = np.array([onset for _, onset, _ in raw]) / resolution
    lengths = np.array([duration for _, _, duration in raw]) / resolution
    onsets = _snapped(quarters)
    later = np.append(onsets, -1)[np.searchsorted(onsets, onsets, side="right")]
    gaps = np.where(later < 0, 0, later - onsets)
    durations = _snapped(lengths, gaps, may_vanish=lengths == 0)
    struck = [
        Struck(pitches, onset, duration, len(pitches) > 1)
        for (pitches, _, _), onset, duration in zip(raw, onsets.tolist(), durations.tolist(), strict=True)
    ]
    struck.sort(key=lambda event: (event.onset, event.duration > 0))
    exact = (quarters * TICKS_PER_QUARTER == onsets) & (lengths * TICKS_PER_QUARTER == durations)
    return struck, onsets[~exact].tolist()


def _snapped(
    quarters: NDArray[np.float64],
    gaps: NDArray[np.int64] | None = None,
    may_vanish: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Times on the nearest multiple of a quarter of a quarter note or of a third of it; the former where both are.

    Args:
        quarters: `(times,)` quarter notes.
        gaps: `(times,)` ticks to the next onset, for durations: a division that fills the gap, or leaves less of it,
            comes before one that is nearer. The sums are in floating point as in music21, since that decides ties.
        may_vanish: `(times,)` which durations may become 0; onsets all may.

    Returns:
        `(times,)` ticks at 24 a quarter.
    """
    best = np.zeros(len(quarters), np.int64)
    best_left = best_error = np.full(len(quarters), np.inf)
    for divisor in _DIVISORS:
        unit = 1 / divisor
        index = np.floor(quarters / unit)
        is_upper = quarters > unit * index + unit / 2
        index = index + is_upper
        error = np.round(np.abs(quarters - unit * index), 7)
        if may_vanish is not None:
            kept = (index == 0) & ~may_vanish
            index = np.where(kept, 1.0, index)
            error = np.where(kept, np.round(np.abs(quarters - unit), 7), error)
        left = np.zeros(len(quarters))
        if gaps is not None:
            gap = gaps / TICKS_PER_QUARTER
            left = np.where(gap % unit == 0, 0.0, np.maximum(gap - unit * index, 0.0))
        is_better = (left < best_left) | ((left == best_left) & (error < best_error))
        best = np.where(is_better, index.astype(np.int64) * (TICKS_PER_QUARTER // divisor), best)
        best_left = np.where(is_better, left, best_left)
        best_error = np.where(is_better, error, best_error)
    return best
