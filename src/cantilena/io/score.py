"""A score as a file holds it: parts of notes at the file's own resolution, with nothing rounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.music import MOST_PLAYED, Chord, Key, Meter, Repeats, Section

NOTATION_RESOLUTION = 10080
"""Ticks a quarter note of scores in notation: 2^5 x 3^2 x 5 x 7, exact for 128ths and tuplets of 3, 5, 7 and 9."""

MOST_DOUBTS = 200
"""Doubts that are kept of one score; the others are counted in the last one."""


@dataclass(frozen=True, slots=True)
class Part:
    """The notes of one voice, in order of onset; notes with equal onsets keep the order of the file.

    Args:
        name: the name of its track or staff, such as `Piano right`.
        onset: `(notes,)` int64, ticks of the score.
        duration: `(notes,)` int64, ticks of the score; may be 0.
        pitch: `(notes,)` int64, MIDI numbers.
        velocity: `(notes,)` int64, 1..127.
        is_drums: whether it is percussion, where a pitch names an instrument.
        track: number of its track or staff in the file; several parts may share one.
        phrase_ends: ticks at which a phrase ends by a mark of the score, ascending: the end of a note under a fermata,
            before a breath mark, at the end of a slur of a bar or more, or at a syllable with punctuation.
    """

    name: str
    onset: NDArray[np.int64]
    duration: NDArray[np.int64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    is_drums: bool = False
    track: int = 0
    phrase_ends: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.onset)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar as written, with the marks that decide in which order bars are played.

    Args:
        start: tick of its first note.
        end: tick of the barline that closes it.
        number: its number as printed, or counted from 1.
        opens_repeat: whether a repeated passage begins with it.
        closes_repeat: how often the passage that ends with it is played; 0 if it is not repeated.
        endings: numbers of the alternative ending (volta) that it belongs to; none elsewhere.
        ends_section: whether a double or final barline closes it.
        begins: `segno`, `coda` or "": what a jump leads to at its start.
        jump: `dacapo`, `dalsegno`, `tocoda`, `fine` or "": what happens at its end.
    """

    start: int
    end: int
    number: str = ""
    opens_repeat: bool = False
    closes_repeat: int = 0
    endings: tuple[int, ...] = ()
    ends_section: bool = False
    begins: str = ""
    jump: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something in a score that could not be read for certain, or that is not kept.

    Args:
        text: what it is, in one line.
        bar: number of its bar, or "".
        voice: name of its part or voice, or "".
        misplaces: whether notes may stand in the wrong place because of it.
        is_chord: whether it is a chord symbol that could not be read, so that the chord before sounds on.
    """

    text: str
    bar: str = ""
    voice: str = ""
    misplaces: bool = False
    is_chord: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """The parts of a piece with its tempo, meters and keys.

    Args:
        parts: parts that hold notes; none where there are only chord symbols.
        resolution: ticks a quarter note in this score.
        tempos: (tick, quarters a minute), ascending, the first at tick 0.
        meters: (tick, meter), ascending; empty if the file names none.
        keys: (tick, key), ascending; empty if the file names none.
        keys_are_explicit: whether the keys were surely written on purpose; in MIDI they are often a default of the
            program that wrote the file.
        pickup: ticks before the first barline.
        title: the piece's name, or "".
        lost: number of notes left out because they do not sound (grace and cue notes), or the file does not say how
            long they sound.
        error: why this tune of a book of tunes cannot be read and has no parts, or "".
        chords: (tick, chord symbol), ascending.
        bars: the bars as written, in order; empty in MIDI.
        doubts: what could not be read for certain, up to `MOST_DOUBTS`.
        played: the sections and their order, where the file states them and the marks of the bars cannot; else None.
    """

    parts: tuple[Part, ...]
    resolution: int
    tempos: tuple[tuple[int, float], ...] = ((0, 120.0),)
    meters: tuple[tuple[int, Meter], ...] = ()
    keys: tuple[tuple[int, Key], ...] = ()
    keys_are_explicit: bool = True
    pickup: int = 0
    title: str = ""
    lost: int = 0
    error: str = ""
    chords: tuple[tuple[int, Chord], ...] = ()
    bars: tuple[Bar, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    played: Repeats | None = None

    @property
    def end(self) -> int:
        """The tick at which the last note ends."""
        return max((int((part.onset + part.duration).max()) for part in self.parts), default=0)

    @property
    def unread_chords(self) -> tuple[str, ...]:
        """What could not be read of the chord symbols, and in which bar."""
        found = (doubt for doubt in self.doubts if doubt.is_chord)
        return tuple(dict.fromkeys(f"bar {doubt.bar}: {doubt.text}" if doubt.bar else doubt.text for doubt in found))

    @property
    def main_meter(self) -> Meter:
        """The meter that lasts longest."""
        lengths: dict[Meter, int] = {}
        for (start, meter), (after, _) in zip(self.meters, [*self.meters[1:], (self.end, Meter())], strict=False):
            lengths[meter] = lengths.get(meter, 0) + max(after - start, 0)
        return max(lengths, key=lambda meter: lengths[meter], default=Meter())

    @property
    def first_barline(self) -> int:
        """The tick of the first barline of the main meter: after a pickup, or after an introduction in another one."""
        main = self.main_meter
        if not self.meters or self.meters[0][1] == main:
            return self.pickup
        return next(tick for tick, meter in self.meters if meter == main)

    @property
    def repeats(self) -> Repeats:
        """Its sections between repeats, endings, double bars and jumps, and the order in which they are played."""
        return self.played or repeats_of(self.bars)


def begins_section(before: Bar, bar: Bar) -> bool:
    """Return whether a repeat, an ending, a double bar or a jump parts a bar from the one before it."""
    return bool(
        before.closes_repeat
        or before.ends_section
        or before.jump
        or bar.opens_repeat
        or bar.begins
        or bar.endings != before.endings
    )


def repeats_of(bars: tuple[Bar, ...]) -> Repeats:
    """The sections of some bars, and the order in which they are played.

    Passages are repeated as often as their repeat sign or their highest ending says. After a jump (da capo, dal segno)
    repeats are not taken and the last ending is, up to `fine` or, from `tocoda`, with the coda; a jump is taken once.
    Movements, whose bars are counted anew, are played one after the other.

    Args:
        bars: the bars as written, in order.

    Examples:
        >>> repeats_of((Bar(0, 4), Bar(4, 8, closes_repeat=2, endings=(1,)), Bar(8, 12, endings=(2,)))).order
        (0, 1, 0, 2)
    """
    sections: list[Section] = []
    order: list[int] = []
    for movement in _movements(bars):
        runs = _runs(movement)
        order += (len(sections) + turn for turn in _order(runs))
        sections += (Section(run[0].start, run[-1].end, run[0].endings) for run in runs)
    return Repeats(tuple(sections), tuple(order[:MOST_PLAYED]))


def _movements(bars: tuple[Bar, ...]) -> Iterator[tuple[Bar, ...]]:
    begin = highest = 0
    for place, bar in enumerate(bars):
        number = int(bar.number) if bar.number.isdecimal() else highest
        before = bars[place - 1]
        if number < 2 <= highest and (before.ends_section or before.closes_repeat or before.jump):
            yield bars[begin:place]
            begin, highest = place, 0
        highest = max(highest, number)
    yield bars[begin:]


def _order(runs: list[list[Bar]]) -> list[int]:
    """The runs of a movement as they are played."""
    order: list[int] = []
    here = start = 0
    turn = 1
    has_jumped = False
    taken: list[int] = []  # jumps
    while here < len(runs) and len(order) < min(10 * len(runs) + 10, MOST_PLAYED):
        first, last = runs[here][0], runs[here][-1]
        if first.endings and here != start:
            is_last = _is_last_ending(runs, here)
            if has_jumped or (is_last and order and not runs[order[-1]][0].endings):  # the others have been left out
                is_played = is_last
            else:
                is_played = turn in first.endings
            if not is_played:
                here += 1
                continue
        if first.opens_repeat and start != here:
            start, turn = here, 1
        order.append(here)
        if last.closes_repeat and not has_jumped and turn < _turns(runs, start, here):
            here, turn = start, turn + 1
            continue
        if last.jump == "fine" and has_jumped:
            break
        if last.jump in ("dacapo", "dalsegno"):
            if here not in taken:
                taken.append(here)
                has_jumped = True
                here = start = _place(runs, "segno") if last.jump == "dalsegno" else 0
                continue
            has_jumped = has_jumped and here != taken[-1]
        here = _place(runs, "coda", here + 1) if last.jump == "tocoda" and has_jumped else here + 1
        is_over = last.closes_repeat or (last.endings and not first.opens_repeat)
        if here < len(runs) and not runs[here][0].endings and is_over:
            start, turn = here, 1
    return order


def _runs(bars: tuple[Bar, ...]) -> list[list[Bar]]:
    """Bars between structural marks."""
    runs: list[list[Bar]] = []
    for bar in bars:
        if not runs or begins_section(runs[-1][-1], bar):
            runs.append([])
        runs[-1].append(bar)
    return runs


def _turns(runs: list[list[Bar]], start: int, here: int) -> int:
    """How often the passage from a run to another one is played."""
    highest = max(runs[here][-1].endings, default=0)
    for run in runs[here + 1 :]:
        if not run[0].endings or min(run[0].endings) <= highest:
            break
        highest = max(run[0].endings)
    return highest or max(run[-1].closes_repeat for run in runs[start : here + 1])


def _is_last_ending(runs: list[list[Bar]], here: int) -> bool:
    return here + 1 == len(runs) or not runs[here + 1][0].endings


def _place(runs: list[list[Bar]], mark: str, otherwise: int = 0) -> int:
    return next((place for place in range(otherwise, len(runs)) if runs[place][0].begins == mark), otherwise)
