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
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cantilena.io import Part, Score
from cantilena.music import TICKS_PER_QUARTER, Meter, Note

_DIVISORS = (4, 3)  # of a quarter note: sixteenths, triplet eighths


def paper_reading(score: Score, end: float = float("inf")) -> tuple[list[Note], int]:
    """Return the notes and chords of a score from MIDI as music21 does, without percussion.

    Args:
        score: a score from MIDI.
        end: where to cut, ticks at 24 a quarter; what begins before it after quantising is kept.

    Returns:
        The notes and chords at 24 ticks a quarter, and the number of them that were moved by quantising.
    """
    notes: list[Note] = []
    rounded = 0
    changes = [tick for changes in (score.tempos, score.meters, score.keys) for tick, *_ in changes]
    marks = _quantise(np.array(sorted(changes)) / score.resolution).tolist()
    meter_ticks = _quantise(np.array([tick for tick, _ in score.meters]) / score.resolution).tolist()
    meters = list(zip(meter_ticks, (meter for _, meter in score.meters), strict=True))
    for track in sorted({part.track for part in score.parts}):
        parts = [part for part in score.parts if part.track == track and not part.is_drums and len(part)]
        if not parts:
            continue
        raw, has_voices = _fused(parts, score.resolution)
        chords, moved = _quantised(raw, score.resolution)
        rounded += sum(onset < end for onset in moved)
        for onset, chord in _in_bars(chords, meters, marks, has_voices=has_voices, end=end):
            if onset < end:
                notes.append(Note(chord.pitches, onset, max(chord.duration, 1)))
    return notes, rounded


@dataclass(frozen=True, slots=True)
class _Chord:
    """One or several notes of a track.

    Args:
        pitches: MIDI numbers in the order of the file; a pitch may stand twice.
        onset: ticks from the start of the track, or of its bar.
        duration: ticks; 0 for a grace note.
    """

    pitches: tuple[int, ...]
    onset: int
    duration: int

    @property
    def end(self) -> int:
        """Ticks from the same start."""
        return self.onset + self.duration


def _fused(parts: Iterable[Part], resolution: int) -> tuple[list[_Chord], bool]:
    """The chords of a track in ticks of the score, and whether notes of different lengths begin together."""
    onsets = np.concatenate([part.onset for part in parts])
    order = np.argsort(onsets, kind="stable")
    starts: list[int] = onsets[order].tolist()
    stops: list[int] = np.concatenate([_ends(part) for part in parts])[order].tolist()
    pitch: list[int] = np.concatenate([part.pitch for part in parts])[order].tolist()
    tolerance = resolution / max(_DIVISORS)
    taken = [False] * len(starts)
    has_voices = False
    chords: list[_Chord] = []
    for first, onset in enumerate(starts):
        if taken[first]:
            continue
        end, last, pitches = stops[first], first, [pitch[first]]
        for other in range(first + 1, len(starts)):
            if starts[other] - onset >= tolerance:
                break
            if abs(stops[other] - end) > tolerance:
                has_voices = True
            else:
                # Even one that is in another chord: notes of an arpeggio can be in two.
                taken[other] = True
                pitches.append(pitch[other])
                last = other
        chords.append(_Chord(tuple(pitches), onset, stops[last] - starts[last]))
    return chords, has_voices


def _ends(part: Part) -> NDArray[np.int64]:
    """The end of each note: the first note-off of its pitch after its onset."""
    ends = part.onset + part.duration
    by_pitch = np.sort(part.pitch << 40 | ends)
    first = by_pitch[np.searchsorted(by_pitch, part.pitch << 40 | part.onset, side="right").clip(max=len(ends) - 1)]
    return np.where(part.duration > 0, first & (2**40 - 1), ends)


def _quantised(raw: list[_Chord], resolution: int) -> tuple[list[_Chord], list[int]]:
    """The quantised chords of a track, ticks at 24 a quarter; the onsets of those that were moved."""
    quarters = np.array([chord.onset for chord in raw]) / resolution
    lengths = np.array([chord.duration for chord in raw]) / resolution
    onsets = _quantise(quarters)
    later = np.append(onsets, -1)[np.searchsorted(onsets, onsets, side="right")]
    gaps = np.where(later < 0, 0, later - onsets)
    durations = _quantise(lengths, gaps, may_vanish=lengths == 0)
    times = zip(raw, onsets.tolist(), durations.tolist(), strict=True)
    chords = [_Chord(chord.pitches, onset, duration) for chord, onset, duration in times]
    chords.sort(key=lambda chord: (chord.onset, chord.duration > 0))
    exact = (quarters * TICKS_PER_QUARTER == onsets) & (lengths * TICKS_PER_QUARTER == durations)
    return chords, onsets[~exact].tolist()


def _quantise(
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


@dataclass(slots=True)
class _Voice:
    """A voice in a bar, or the bar itself where it has no voices.

    Args:
        chords: in order, with onsets from the start of the bar.
        cached: its length before ties were made, if music21 caches it; else None.
    """

    chords: list[_Chord] = field(default_factory=list)
    cached: int | None = None

    def cache_length(self) -> None:
        self.cached = max(chord.end for chord in self.chords)

    def length(self, bar: int, marks: Sequence[int] = ()) -> int:
        """Return its ticks: those of the bar, unless a longer length is cached and no rest has to be inserted."""
        if self.cached is None or self.cached <= bar:
            return bar
        reached = 0
        for onset, end in sorted([*((one.onset, one.end) for one in self.chords), *((mark, mark) for mark in marks)]):
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


def _in_bars(
    chords: Sequence[_Chord], meters: Sequence[tuple[int, Meter]], marks: Sequence[int], *, has_voices: bool, end: float
) -> Iterator[tuple[int, _Chord]]:
    """Yield the chords of a track where music21 places them, tied ones struck again, each with its onset.

    Args:
        chords: in order of onset, ticks at 24 a quarter.
        meters: (tick, meter), ascending.
        marks: ticks of all tempos, meters and keys, ascending.
        has_voices: whether notes of different lengths begin together anywhere in the track.
        end: bars from here on may be left out.
    """
    bars, is_closed = _bars(chords, meters, marks, end)
    for bar in bars:
        # Lengths of bars are computed, and then cached, only where a mark closes the last bar.
        if is_closed and _stays_sorted(bar):
            bar.loose.cache_length()
        if has_voices:
            _split(bar)
    _tie(bars)
    start = 0
    for bar in bars:
        filled = [voice for voice in bar.voices if voice.chords]
        if len(filled) == 1:  # one voice needs no voices
            bar.loose, filled = _Voice([*bar.loose.chords, *filled[0].chords]), []
        length = max([voice.length(bar.length) for voice in filled] or [bar.loose.length(bar.length, bar.marks)])
        for voice in (*filled, bar.loose):
            for chord in voice.chords:
                yield start + chord.onset, chord
        start += max([length, *(chord.end for chord in bar.loose.chords)])


def _bars(
    chords: Sequence[_Chord], meters: Sequence[tuple[int, Meter]], marks: Sequence[int], end: float
) -> tuple[list[_Bar], bool]:
    """Bars with the chords that begin in them, and whether a mark stands where the last of all bars ends."""
    changes = [(tick, meter.ticks_per_bar) for tick, meter in meters]
    if not changes or changes[0][0] > 0:
        changes.insert(0, (0, Meter().ticks_per_bar))
    last = max([*(chord.end for chord in chords), *marks])
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
    for chord in chords:
        if chord.onset >= start:
            break
        bar = bars[bisect_right(starts, chord.onset) - 1]
        bar.loose.chords.append(_Chord(chord.pitches, chord.onset - bar.start, chord.duration))
    for mark in marks:
        if mark < start:
            bar = bars[bisect_right(starts, mark) - 1]
            bar.marks.append(mark - bar.start)
    return bars, is_closed


def _stays_sorted(bar: _Bar) -> bool:
    """Whether the last chord of a bar follows all else in it, so that nothing has to be sorted."""
    if not bar.loose.chords:
        return False
    *earlier, last = bar.loose.chords
    return all(mark <= last.onset for mark in bar.marks) and all(
        _follows(last.onset, chord.end, bar.start) for chord in earlier
    )


def _follows(onset: int, end: int, bar_start: int = 0) -> bool:
    """Whether an onset counts as no earlier than an end: onsets are floats, ends are fractions."""
    place = (bar_start + onset) / TICKS_PER_QUARTER - bar_start / TICKS_PER_QUARTER
    return onset > end or (onset == end and place >= Fraction(end, TICKS_PER_QUARTER))


def _split(bar: _Bar) -> None:
    """Put overlapping chords into voices: each into the first that has ended."""
    latest = 0
    overlaps = False
    for chord in bar.loose.chords:
        overlaps = overlaps or chord.onset < latest
        latest = max(latest, chord.end)
    if not overlaps:
        return
    is_cached: list[bool] = []
    for chord in bar.loose.chords:
        for number, voice in enumerate(bar.voices):
            # Testing whether a voice has ended computes its length, which is then cached.
            is_cached[number] = True
            if voice.chords[-1].end <= chord.onset:
                voice.chords.append(chord)
                is_cached[number] = False
                break
        else:
            bar.voices.append(_Voice([chord]))
            is_cached.append(False)
    for voice, was_cached in zip(bar.voices, is_cached, strict=True):
        # A voice that has to be sorted later loses its cached length.
        if was_cached and all(_follows(after.onset, chord.end) for chord, after in pairwise(voice.chords)):
            voice.cache_length()
    bar.loose = _Voice()


def _tie(bars: list[_Bar]) -> None:
    """Cut chords at the ends of their bars and strike the rest again in the next; a new last bar is made if needed."""
    number = 0
    while number < len(bars):
        bar = bars[number]
        after = bars[number + 1] if number + 1 < len(bars) else _Bar(bar.start + bar.length, bar.length)
        after_has_voices = bool(after.voices)
        for voice in bar.voices or [bar.loose]:
            for place, chord in enumerate(voice.chords):
                if chord.end <= bar.length or chord.onset >= bar.length:
                    continue
                voice.chords[place] = _Chord(chord.pitches, chord.onset, bar.length - chord.onset)
                if len(chord.pitches) == 1:
                    voice.cached = None  # cutting a single note clears the cache, cutting a chord does not
                rest = _Chord(chord.pitches, 0, chord.end - bar.length)
                _strike_again(rest, after, from_voice=bool(bar.voices), had_voices=after_has_voices)
                if after is not bars[-1] and number + 1 == len(bars):
                    bars.append(after)
        number += 1


def _strike_again(rest: _Chord, bar: _Bar, *, from_voice: bool, had_voices: bool) -> None:
    if had_voices and from_voice:
        # Beside the voices; inserting it caches the lengths of all of them.
        for voice in bar.voices:
            voice.cache_length()
        bar.loose.chords.insert(0, rest)
        return
    if from_voice and (bar.loose.chords or not bar.voices):
        bar.voices.append(_Voice(bar.loose.chords))
        bar.loose = _Voice()
    into = bar.voices[0] if bar.voices else bar.loose
    into.chords.insert(0, rest)
    into.cached = None
