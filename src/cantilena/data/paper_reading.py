"""Notes and chords as the paper's tools read them from MIDI: `music21.converter.parse(file).flatten().notes`.

The behaviour of music21 10.5.1 is reproduced, as found by comparison on 307 piano pieces (306 of them equal to the last
note, all 307 within their first 30 s):

1. Within a track, a note ends at the first note-off of its pitch after its onset, even one of an earlier note.
2. Notes that begin less than a quarter of a quarter note after a first one, and end within as much of its end, become
   one chord: quick successive notes fuse. The chord lasts as long as its last note.
3. Onsets and durations are quantised to the nearest sixteenth or triplet eighth; a duration that reaches the next onset
   is preferred.
4. What crosses a barline is struck again in the next bar, as a tied note or chord. Where notes overlap in a bar, the
   bar is split into voices; what is tied from voices into a bar with voices stands beside these and is not cut at the
   end of its own bar.
5. Bars are placed one after another by their lengths, and music21 caches some lengths from before the ties were made: a
   chord that overshot the end of its voice keeps that voice, and all later bars of the part, that much longer. This
   happens in 1 piece of 5. Whether a length is cached depends on whether the elements had to be sorted, and that on
   floating-point sums of their positions; both are reproduced.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from cantilena.io import Part, Score
from cantilena.music import TICKS_PER_QUARTER, Meter, Note


@dataclass(frozen=True, slots=True)
class Struck:
    """A note or chord of a track.

    Args:
        pitches: MIDI numbers in the order of the file, perhaps the same twice.
        onset: ticks from the start of the track, or of the bar it was put in.
        duration: ticks; 0 for a grace note.
        is_chord: whether several notes were fused.
    """

    pitches: tuple[int, ...]
    onset: int
    duration: int
    is_chord: bool

    @property
    def end(self) -> int:
        """Ticks from the start to its end."""
        return self.onset + self.duration


@dataclass(slots=True)
class _Voice:
    """A voice in a bar, or the bar itself where it has no voices.

    Args:
        notes: in order, with onsets from the start of the bar.
        cached: its length before ties were made, if music21 caches it; else None.
    """

    notes: list[Struck] = field(default_factory=list)
    cached: int | None = None

    def length(self, bar: int, marks: Sequence[int] = ()) -> int:
        """Return its ticks: those of the bar, unless a longer length is cached and no rest has to be inserted."""
        if self.cached is None or self.cached <= bar:
            return bar
        reached = 0
        for onset, end in sorted([*((note.onset, note.end) for note in self.notes), *((mark, mark) for mark in marks)]):
            if onset > reached:
                return bar
            reached = max(reached, end)
        return self.cached


@dataclass(slots=True)
class _Bar:
    start: int
    length: int
    marks: list[int] = field(default_factory=list)
    loose: _Voice = field(default_factory=_Voice)
    voices: list[_Voice] = field(default_factory=list)


def laid_out(
    struck: Sequence[Struck],
    meters: Sequence[tuple[int, Meter]],
    marks: Sequence[int],
    *,
    has_voices: bool,
    end: float = float("inf"),
) -> Iterator[tuple[int, Struck]]:
    """Yield the notes and chords of a track where music21 places them, tied ones struck again, each with its onset.

    Args:
        struck: in order of onset, ticks at 24 a quarter.
        meters: (tick, meter), ascending.
        marks: ticks of all tempos, meters and keys, ascending.
        has_voices: whether notes of different lengths begin together anywhere in the track.
        end: bars from here on may be left out.
    """
    bars, is_closed = _bars(struck, meters, marks, end)
    for bar in bars:
        # Lengths of bars are computed, and then cached, only where a mark closes the last bar.
        if is_closed and _stays_sorted(bar):
            bar.loose.cached = max(note.end for note in bar.loose.notes)
        if has_voices:
            _split(bar)
    _tie(bars)
    start = 0
    for bar in bars:
        _join(bar)
        length = max([voice.length(bar.length) for voice in bar.voices] or [bar.loose.length(bar.length, bar.marks)])
        for voice in (*bar.voices, bar.loose):
            for note in voice.notes:
                yield start + note.onset, note
        start += max([length, *(note.end for note in bar.loose.notes)])


def _bars(
    struck: Sequence[Struck], meters: Sequence[tuple[int, Meter]], marks: Sequence[int], end: float
) -> tuple[list[_Bar], bool]:
    """Bars with the notes that begin in them, and whether a mark stands where the last of all bars ends."""
    changes = [(tick, meter.ticks_per_bar) for tick, meter in meters]
    if not changes or changes[0][0] > 0:
        changes.insert(0, (0, Meter().ticks_per_bar))
    last = max([*(note.end for note in struck), *marks])
    bars: list[_Bar] = []
    start = 0
    while start < last or not bars:
        length = next(length for tick, length in reversed(changes) if tick <= start)
        bars.append(_Bar(start, length))
        start += length
    is_closed = start == last and last in marks
    starts = [bar.start for bar in bars]
    if end < last:
        # Two more bars, since a bar depends on the next one.
        bars = bars[: bisect_right(starts, end) + 2]
        start = bars[-1].start + bars[-1].length
    for note in struck:
        if note.onset >= start:
            break
        bar = bars[bisect_right(starts, note.onset) - 1]
        bar.loose.notes.append(Struck(note.pitches, note.onset - bar.start, note.duration, note.is_chord))
    for mark in marks:
        if mark < start:
            bar = bars[bisect_right(starts, mark) - 1]
            bar.marks.append(mark - bar.start)
    return bars, is_closed


def _stays_sorted(bar: _Bar) -> bool:
    """Whether the last note of a bar follows all else in it, so that nothing has to be sorted."""
    if not bar.loose.notes:
        return False
    *earlier, last = bar.loose.notes
    return all(mark <= last.onset for mark in bar.marks) and all(
        _follows(last.onset, note.end, bar.start) for note in earlier
    )


def _follows(onset: int, end: int, bar_start: int = 0) -> bool:
    """Whether an onset counts as no earlier than an end: onsets are floats, ends are fractions."""
    place = (bar_start + onset) / TICKS_PER_QUARTER - bar_start / TICKS_PER_QUARTER
    return onset > end or (onset == end and place >= Fraction(end, TICKS_PER_QUARTER))


def _split(bar: _Bar) -> None:
    """Put overlapping notes into voices: each into the first that has ended."""
    notes = bar.loose.notes
    latest = 0
    overlaps = False
    for note in notes:
        overlaps = overlaps or note.onset < latest
        latest = max(latest, note.end)
    if not overlaps:
        return
    is_cached: list[bool] = []
    for note in notes:
        for number, voice in enumerate(bar.voices):
            # Testing whether a voice has ended computes its length, which is then cached.
            is_cached[number] = True
            if voice.notes[-1].end <= note.onset:
                voice.notes.append(note)
                is_cached[number] = False
                break
        else:
            bar.voices.append(_Voice([note]))
            is_cached.append(False)
    for voice, was_cached in zip(bar.voices, is_cached, strict=True):
        pairs = zip(voice.notes, voice.notes[1:], strict=False)
        # A voice that has to be sorted later loses its cached length.
        if was_cached and all(_follows(after.onset, note.end) for note, after in pairs):
            voice.cached = max(note.end for note in voice.notes)
    bar.loose = _Voice()


def _tie(bars: list[_Bar]) -> None:
    """Cut notes at the ends of their bars and strike the rest again in the next; a new last bar is made if needed."""
    number = 0
    while number < len(bars):
        bar = bars[number]
        after = bars[number + 1] if number + 1 < len(bars) else _Bar(bar.start + bar.length, bar.length)
        after_has_voices = bool(after.voices)
        for voice in bar.voices or [bar.loose]:
            for place, note in enumerate(voice.notes):
                if note.end <= bar.length or note.onset >= bar.length:
                    continue
                voice.notes[place] = Struck(note.pitches, note.onset, bar.length - note.onset, note.is_chord)
                if not note.is_chord:
                    voice.cached = None  # cutting a single note clears the cache, cutting a chord does not
                rest = Struck(note.pitches, 0, note.end - bar.length, note.is_chord)
                _strike_again(rest, after, from_voice=bool(bar.voices), had_voices=after_has_voices)
                if after is not bars[-1] and number + 1 == len(bars):
                    bars.append(after)
        number += 1


def _strike_again(rest: Struck, bar: _Bar, *, from_voice: bool, had_voices: bool) -> None:
    if had_voices and from_voice:
        # Beside the voices; inserting it caches the lengths of all of them.
        for voice in bar.voices:
            voice.cached = max(note.end for note in voice.notes)
        bar.loose.notes.insert(0, rest)
        return
    if from_voice and (bar.loose.notes or not bar.voices):
        bar.voices.append(_Voice(bar.loose.notes))
        bar.loose = _Voice()
    into = bar.voices[0] if bar.voices else bar.loose
    into.notes.insert(0, rest)
    into.cached = None


def _join(bar: _Bar) -> None:
    """Dissolve the voices of a bar where only one holds notes."""
    filled = [voice for voice in bar.voices if voice.notes]
    if len(filled) == 1:
        bar.loose, filled = _Voice([*bar.loose.notes, *filled[0].notes]), []
    bar.voices = filled


_DIVISORS = (4, 3)  # of a quarter note: sixteenths, triplet eighths


@dataclass(frozen=True, slots=True)
class PaperReading:
    """What music21 finds in a MIDI file.

    Args:
        notes: the notes and chords, at 24 ticks a quarter.
        rounded: number of them that were moved to a sixteenth or triplet eighth.
    """

    notes: list[Note]
    rounded: int


def paper_reading(score: Score, end: float = float("inf")) -> PaperReading:
    """Return the notes and chords of a score from MIDI as music21 does, without percussion.

    Args:
        score: a score from MIDI.
        end: where to cut, ticks at 24 a quarter; what begins before it after quantising is kept.
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
    sounding: list[int] = np.concatenate([part.pitch for part in parts])[order].tolist()
    tolerance = resolution / max(_DIVISORS)
    taken = [False] * len(starts)
    has_voices = False
    raw: list[_Raw] = []
    for first, onset in enumerate(starts):
        if taken[first]:
            continue
        end, last, pitches = stops[first], first, [sounding[first]]
        for other in range(first + 1, len(starts)):
            if starts[other] - onset >= tolerance:
                break
            if abs(stops[other] - end) > tolerance:
                has_voices = True
            else:
                # Even one that is in another chord: notes of an arpeggio can be in two.
                taken[other] = True
                pitches.append(sounding[other])
                last = other
        raw.append((tuple(pitches), onset, stops[last] - starts[last]))
    return raw, has_voices


def _ends(part: Part) -> NDArray[np.int64]:
    """The end of each note: the first note-off of its pitch after its onset."""
    ends = part.onset + part.duration
    by_pitch = np.sort(part.pitch << 40 | ends)
    first = by_pitch[np.searchsorted(by_pitch, part.pitch << 40 | part.onset, side="right").clip(max=len(ends) - 1)]
    return np.where(part.duration > 0, first & (2**40 - 1), ends)


def _quantised(raw: list[_Raw], resolution: int) -> tuple[list[Struck], list[int]]:
    """The quantised chords of a track, ticks at 24 a quarter; the onsets of those that were moved."""
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
    """Quantise times to the nearest sixteenth or triplet eighth; of equally near ones the sixteenth is taken.

    Args:
        quarters: `(times,)` quarter notes.
        gaps: `(times,)` ticks to the next onset, for durations: a division that fills the gap, or leaves less of it, is
            preferred to a nearer one. The sums are in floating point as in music21, since that decides ties.
        may_vanish: `(times,)` which durations may become 0; onsets always may.

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
