"""Lays out a line of a score bar by bar, and refuses what would misplace a note.

Of alternative endings the last is used; repeats are kept as sections. A short bar at the end of a section is completed
by the upbeat that follows it, or by silence, so that every barline stays where the meter puts it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from cantilena.io import Bar, Part, Score
from cantilena.io.score import repeats_of
from cantilena.music import TICKS_PER_QUARTER, ChordTrack, Key, Melody, Meter, Note, Repeats, Section, Tempo

FEWEST_NOTES = 16
"""The fewest notes of a melody."""


class UnfitError(Exception):
    """The score has no usable melody; the text is the reason."""


@dataclass(frozen=True)
class MeteredBar:
    """A bar with the meter and the key that hold in it.

    Args:
        bar: the bar as written.
        place: its index in the score, first endings counted.
        meter: its meter.
        key: its key; one of a signature alone is the major key.
        opens: whether a section begins with it.
        closes: whether a section ends with it.
    """

    bar: Bar
    place: int
    meter: Meter
    key: Key | None
    opens: bool
    closes: bool

    @property
    def length(self) -> int:
        """Its ticks of the score."""
        return self.bar.end - self.bar.start


@dataclass
class Laid:
    """Bars in time: positions are ticks of the score, from the start of the first bar."""

    meter: Meter
    key: Key | None
    resolution: int
    pickup: int = 0
    length: int = 0
    bars: list[MeteredBar] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)


def bars_of(score: Score) -> list[MeteredBar]:
    """The bars of a score without first endings.

    Raises:
        UnfitError: there is no bar, or no meter.
    """
    if not score.meters:
        raise UnfitError("no meter")
    left_out = _first_endings(score.bars)
    found: list[MeteredBar] = []
    closed_before = False
    for place, bar in enumerate(score.bars):
        if place in left_out or bar.end == bar.start:
            continue
        closes = bool(bar.closes_repeat or bar.ends_section or bar.jump)
        opens = bar.opens_repeat or bool(bar.begins) or closed_before
        meter = next((meter for tick, meter in reversed(score.meters) if tick <= bar.start), score.meters[0][1])
        key = next((key for tick, key in reversed(score.keys) if tick <= bar.start), None)
        found.append(MeteredBar(bar, place, meter, key, opens, closes))
        closed_before = closes
    if not found:
        raise UnfitError("no bars")
    return found


def runs_of(bars: Sequence[MeteredBar]) -> Iterator[list[MeteredBar]]:
    """Runs of bars in one meter and one key."""
    run: list[MeteredBar] = []
    for bar in bars:
        if run and (bar.meter, bar.key) != (run[0].meter, run[0].key):
            yield run
            run = []
        run.append(bar)
    if run:
        yield run


def laid_out(bars: Sequence[MeteredBar], resolution: int) -> Laid:
    """Place bars one after the other, each barline where the meter puts it.

    Raises:
        UnfitError: a bar is too long, or too short within a section.
    """
    laid, broken = _laid_until_broken(bars, resolution)
    if broken is not None:
        quarters = Fraction(bars[broken].length, resolution)
        raise UnfitError(f"bar {bars[broken].bar.number} has the wrong length ({quarters} quarters)")
    return laid


def end_with(laid: Laid, parts: Sequence[Part]) -> None:
    """Shorten the last bar to the last note of some parts, where other parts have rests beyond it."""
    ends = [onset + duration for part in parts for onset, duration in zip(part.onset, part.duration, strict=True)]
    last = laid.bars[-1].bar
    inside = [int(end) for end in ends if last.start < end <= last.end]
    if inside:
        laid.length = laid.positions[-1] + max(inside) - last.start


def unbroken(bars: Sequence[MeteredBar], resolution: int, fewest: int) -> Iterator[Laid]:
    """The runs of at least so many bars between bars of the wrong length."""
    while bars:
        laid, broken = _laid_until_broken(bars, resolution)
        if len(laid.bars) >= fewest:
            yield laid
        bars = [] if broken is None else bars[broken + 1 :]


def _laid_until_broken(bars: Sequence[MeteredBar], resolution: int) -> tuple[Laid, int | None]:
    """All bars before the first one of the wrong length, and the index of that one."""
    meter = bars[0].meter
    full = meter.numerator * 4 * resolution // meter.denominator
    laid = Laid(meter, bars[0].key, resolution)
    phase = 0  # the part of a bar before the next one
    if len(bars) > 1 and bars[0].length < full:
        phase = full - bars[0].length
        laid.pickup = bars[0].length
    for index, bar in enumerate(bars):
        begins_section = index > 0 and (bar.opens or bars[index - 1].closes)
        if begins_section and phase and phase + bar.length != full:
            laid.length += full - phase  # silence to the end of the bar
            phase = 0
        if begins_section and not phase and bar.length < full and not bar.closes:
            phase = full - bar.length  # an upbeat to the bar that follows
            laid.length += phase
        ends_short = bar.closes or index + 1 == len(bars) or bar.length + bars[index + 1].length == full
        # A bar of several times the length lacks a barline, which moves no note.
        if (phase + bar.length) % full and not (phase == 0 and bar.length < full and ends_short):
            return laid, index
        laid.bars.append(bar)
        laid.positions.append(laid.length)
        laid.length += bar.length
        phase = (phase + bar.length) % full
    return laid, None


def melody_of(
    laid: Laid, score: Score, parts: Sequence[Part], *, key: Key | None, tempo: Tempo, title: str, source: str
) -> tuple[Melody, int]:
    """The top line of some parts in the bars that were laid out, and how many of its notes were rounded.

    Raises:
        UnfitError: there are fewer than `FEWEST_NOTES` notes.
    """
    notes: list[Note] = []
    rounded = 0
    for onset, end, pitch in _top_line(parts):
        start, stop = _moved(laid, onset), _moved_end(laid, onset, end)
        if start is None or stop is None:
            continue
        first, last = _ticks(start, laid.resolution), _ticks(stop, laid.resolution)
        rounded += any(time * TICKS_PER_QUARTER % laid.resolution for time in (start, stop))
        if last > first:
            notes.append(Note((pitch,), first, last - first))
    if len(notes) < FEWEST_NOTES:
        raise UnfitError(f"fewer than {FEWEST_NOTES} notes")
    ends = {note.end for note in notes}
    marks = {_moved_end(laid, tick - 1, tick) for part in parts for tick in part.phrase_ends}
    melody = Melody(
        tuple(notes),
        key,
        laid.meter,
        tempo,
        pickup=_ticks(laid.pickup, laid.resolution),
        length=_ticks(laid.length, laid.resolution),
        title=title,
        source=source,
        chords=_chords(laid, score),
        repeats=_repeats(laid),
        phrase_ends=tuple(sorted(ends & {_ticks(tick, laid.resolution) for tick in marks if tick is not None})),
    )
    return melody, rounded


def _first_endings(bars: Sequence[Bar]) -> set[int]:
    """Indices of the bars of an ending that another ending follows immediately."""
    left_out: set[int] = set()
    ending: list[int] = []
    for place, bar in enumerate(bars):
        if ending and bar.endings != bars[place - 1].endings:
            left_out.update(ending if bar.endings else ())
            ending = []
        if bar.endings:
            ending.append(place)
    return left_out


def _top_line(parts: Sequence[Part]) -> Iterator[tuple[int, int, int]]:
    """Onset, end and pitch of the highest note at each time."""
    notes = sorted(
        (onset, -pitch, onset + duration)
        for part in parts
        for onset, pitch, duration in zip(part.onset.tolist(), part.pitch.tolist(), part.duration.tolist(), strict=True)
        if duration
    )
    line: list[tuple[int, int, int]] = []
    for onset, below, end in notes:
        if line and onset == line[-1][0]:
            continue
        if line and onset < line[-1][1]:
            if -below < line[-1][2]:
                continue  # below a note that still sounds
            line[-1] = (line[-1][0], onset, line[-1][2])
        line.append((onset, end, -below))
    yield from line


def _moved(laid: Laid, tick: int) -> int | None:
    """Where a time of the score lies in the bars that were laid out; None if it lies in none of them."""
    index = bisect_right([bar.bar.start for bar in laid.bars], tick) - 1
    if index < 0 or tick >= laid.bars[index].bar.end:
        return None
    return laid.positions[index] + tick - laid.bars[index].bar.start


def _moved_end(laid: Laid, onset: int, end: int) -> int | None:
    """Where a note that begins in one of the bars ends; cut where a bar that is left out follows."""
    index = bisect_right([bar.bar.start for bar in laid.bars], onset) - 1
    if index < 0 or onset >= laid.bars[index].bar.end:
        return None
    while (
        end > laid.bars[index].bar.end
        and index + 1 < len(laid.bars)
        and laid.bars[index + 1].place == laid.bars[index].place + 1
    ):
        index += 1
    return laid.positions[index] + min(end, laid.bars[index].bar.end) - laid.bars[index].bar.start


def _chords(laid: Laid, score: Score) -> ChordTrack:
    moved = ((_moved(laid, tick), chord) for tick, chord in score.chords)
    changes = {_ticks(tick, laid.resolution): chord for tick, chord in moved if tick is not None}
    return ChordTrack(tuple(sorted(changes.items())))


def _repeats(laid: Laid) -> Repeats:
    """The sections: of alternative endings the last stands for all of them."""
    bars: list[Bar] = []
    for place, bar in zip(laid.positions, laid.bars, strict=True):
        written = bar.bar
        times = max(written.closes_repeat, max(written.endings, default=0))
        following = laid.bars[len(bars) + 1].bar if len(bars) + 1 < len(laid.bars) else None
        ends_here = bool(written.endings) and (following is None or following.endings != written.endings)
        closes = times if ends_here else 0 if written.endings else written.closes_repeat
        bars.append(replace(written, start=place, end=place + bar.length, endings=(), closes_repeat=closes))
    repeats = repeats_of(tuple(bars))
    sections = tuple(
        Section(_ticks(one.start, laid.resolution), _ticks(one.end, laid.resolution)) for one in repeats.sections
    )
    return Repeats(sections, repeats.order)


def _ticks(time: int, resolution: int) -> int:
    return round(Fraction(time * TICKS_PER_QUARTER, resolution))
