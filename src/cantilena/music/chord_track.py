"""Chords over time, and lead sheets: text such as `C | Am | F G7 | C`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, overload

from cantilena.errors import UsageError, shown
from cantilena.music.chord import Chord
from cantilena.music.form import MOST_BARS, MOST_SECTIONS
from cantilena.music.key import Key
from cantilena.music.meter import TICKS_PER_QUARTER, Meter

MOST_CHARACTERS = 20_000
"""The longest text of a lead sheet."""

_TOKEN = re.compile(r"[^\S\n]+|\|+|\n|\(|\)|(?:[^\s|()]|\([^\s|()]*\))+")
_TIMES = re.compile(r"[x×](\d+)")
_SECTION = re.compile(r"(?:\A|;|\n)\s*([A-Za-z])\s*:")
_LIKE = "write bars like C | Am | F G7 | C"


@dataclass(frozen=True, slots=True)
class ChordTrack(Sequence[tuple[int, Chord]]):
    """The chords of a piece: changes at ticks, ascending; a chord sounds until the next change.

    Args:
        changes: (tick, chord), the ticks at least 0 and strictly ascending; N.C. ends a chord without another one.

    Raises:
        UsageError: the ticks are not as above.

    Examples:
        >>> track = ChordTrack.parse("C | Am | F G7 | C", Meter(4, 4))
        >>> str(track.at(100)), [str(chord) for _, chord in track.transposed(2)]
        ('Am', ['D', 'Bm', 'G', 'A7', 'D'])
    """

    changes: tuple[tuple[int, Chord], ...] = ()

    def __post_init__(self) -> None:
        changes = tuple((int(tick), chord) for tick, chord in self.changes)
        object.__setattr__(self, "changes", changes)
        for before, after in pairwise((-1, *(tick for tick, _ in changes))):
            if before >= after:
                raise UsageError(f"a chord at tick {after} after {before}", "give changes from tick 0 on, ascending")

    @overload
    def __getitem__(self, place: int) -> tuple[int, Chord]: ...
    @overload
    def __getitem__(self, place: slice) -> ChordTrack: ...
    def __getitem__(self, place: int | slice) -> tuple[int, Chord] | ChordTrack:
        if isinstance(place, slice):
            return ChordTrack(self.changes[place])
        return self.changes[place]

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[tuple[int, Chord]]:
        return iter(self.changes)

    @classmethod
    def parse(cls, text: str, meter: Meter, pickup: int = 0) -> ChordTrack:
        """Parse a lead sheet, bar by bar.

        Bars are divided by `|` or by lines, and the chords of a bar share it equally. `%` repeats the bar before; `x4`
        after a bar, or after bars in parentheses, plays it four times. Each bar has a change at its start, so that
        the track tells how many bars it has.

        Args:
            text: up to `MOST_CHARACTERS` characters, of up to `MOST_BARS` bars; names of notes are the English ones.
            meter: the time signature.
            pickup: ticks before the first bar, in which no chord sounds.

        Raises:
            UsageError: something in it is not as above; the text names the bar and the column.

        Examples:
            >>> track = ChordTrack.parse("(C | F G) x2 | %", Meter(4, 4))
            >>> [(tick, str(chord)) for tick, chord in track][-2:], track.bars(Meter(4, 4))
            ([(384, 'F'), (432, 'G')], 5)
        """
        if len(text) > MOST_CHARACTERS:
            raise UsageError(
                f"the chords have {len(text):,} characters", f"give up to {MOST_CHARACTERS:,}; x4 repeats a bar"
            )
        changes: list[tuple[int, Chord]] = []
        bar_ticks = meter.ticks_per_bar
        for number, bar in enumerate(_LeadSheet(text, meter).bars()):
            share = bar_ticks // len(bar)
            changes += ((pickup + number * bar_ticks + place * share, chord) for place, chord in enumerate(bar))
        return cls(tuple(changes))

    def transposed(self, semitones: int) -> ChordTrack:
        """The chords `semitones` higher."""
        return ChordTrack(tuple((tick, chord.transposed(semitones)) for tick, chord in self.changes))

    def moved(self, ticks: int) -> ChordTrack:
        """The chords `ticks` later.

        Raises:
            UsageError: a chord would begin before tick 0.
        """
        return ChordTrack(tuple((tick + ticks, chord) for tick, chord in self.changes))

    def between(self, start: int, end: int) -> ChordTrack:
        """The chords that sound in [start, end), moved by -start; the one that sounds at the start begins there."""
        if end <= start:
            return ChordTrack()
        return ChordTrack(tuple({max(tick - start, 0): chord for tick, chord in self.changes if tick < end}.items()))

    def then(self, other: ChordTrack, at: int) -> ChordTrack:
        """These chords up to a tick, followed by others, which are moved to begin there.

        Examples:
            >>> whole = ChordTrack.parse("C | F | G", Meter(4, 4))
            >>> whole.between(0, 100).then(whole.between(100, 288), 100).merged() == whole
            True
        """
        return ChordTrack(self.between(0, at).changes + other.moved(at).changes)

    def merged(self) -> ChordTrack:
        """The chords without changes from a chord to the same one."""
        before = (None, *(chord for _, chord in self.changes))
        return ChordTrack(
            tuple(change for change, last in zip(self.changes, before, strict=False) if change[1] != last)
        )

    def at(self, tick: int) -> Chord | None:
        """The chord that sounds at a tick, which may be N.C.; None before the first change."""
        place = bisect_right(self.changes, tick, key=lambda change: change[0]) - 1
        return self.changes[place][1] if place >= 0 else None

    def spans(self, length: int) -> Iterator[tuple[int, int, Chord]]:
        """The (onset, duration, chord) of each change before a length, in ticks; the last one lasts up to the length.

        Examples:
            >>> [(onset, duration) for onset, duration, _ in ChordTrack.parse("C | F", Meter(3, 4)).spans(120)]
            [(0, 72), (72, 48)]
        """
        ends = [*(tick for tick, _ in self.changes[1:]), length]
        for (tick, chord), end in zip(self.changes, ends, strict=False):
            if tick < length:
                yield tick, min(end, length) - tick, chord

    def bars(self, meter: Meter, pickup: int = 0) -> int:
        """The number of bars after the pickup up to that of the last change."""
        return (self.changes[-1][0] - pickup) // meter.ticks_per_bar + 1 if self.changes else 0

    def in_bars(self, meter: Meter, length: int, pickup: int = 0) -> list[ChordTrack]:
        """The chords of each bar, moved to begin at 0 in it; a pickup is a bar of its own.

        Args:
            meter: the time signature.
            length: ticks of the piece.
            pickup: ticks before the first barline.
        """
        starts = list(meter.bar_starts(length, pickup))
        ends = [*starts[1:], max(length, 1)]
        return [self.between(start, end).merged() for start, end in zip(starts, ends, strict=True)]

    def lead_sheet(self, meter: Meter, length: int, pickup: int = 0, key: Key | None = None) -> str:
        """The chords as text that `parse` reads, from the first barline on; a chord is written again as it sounds on.

        Args:
            meter: the time signature.
            length: ticks of the piece.
            pickup: ticks before the first barline.
            key: in which the symbols are spelled.

        Examples:
            >>> ChordTrack.parse("C | % | F F F G", Meter(4, 4)).lead_sheet(Meter(4, 4), 288)
            'C | C | F F F G'
        """
        bar = meter.ticks_per_bar
        written = []
        for start in range(pickup, max(length, 1), bar):
            inside = self.between(start, start + bar).merged()
            slots = next(count for count in _divisors(bar) if all(tick % (bar // count) == 0 for tick, _ in inside))
            chords = (inside.at(place * (bar // slots)) or Chord(None) for place in range(slots))
            written.append(" ".join(chord.symbol(key) for chord in chords))
        return " | ".join(written)

    def to_json(self, length: int, key: Key | None = None) -> list[dict[str, Any]]:
        """The chords as JSON values, times in quarter notes.

        Args:
            length: ticks of the piece.
            key: the key of symbols and Roman numerals; without one there are no numerals.

        Examples:
            >>> ChordTrack(((0, Chord.parse("Am7")),)).to_json(48, Key.parse("C major"))
            [{'onset': 0.0, 'duration': 2.0, 'root': 9, 'quality': 'min7', 'bass': 9, 'symbol': 'Am7', 'roman': 'vi7'}]
        """
        return [
            {
                "onset": onset / TICKS_PER_QUARTER,
                "duration": duration / TICKS_PER_QUARTER,
                "root": chord.root,
                "quality": chord.quality or None,
                "bass": chord.bass,
                "symbol": chord.symbol(key),
                "roman": None if key is None or chord.root is None else chord.roman(key),
            }
            for onset, duration, chord in self.spans(length)
        ]


def parse_sections(text: str, meter: Meter) -> dict[str, ChordTrack]:
    """Parse lead sheets of sections by letter: `A: C | Am | F | G; B: F | G | C | C`.

    Args:
        text: sections divided by `;` or lines, each a letter, a colon and bars as `ChordTrack.parse` reads them.
        meter: the time signature.

    Raises:
        UsageError: it does not begin with a letter and a colon, a letter has two sections, or bars are wrong.

    Examples:
        >>> sections = parse_sections("A: C | G7; B: F", Meter(3, 4))
        >>> {letter: track.bars(Meter(3, 4)) for letter, track in sections.items()}
        {'A': 2, 'B': 1}
    """
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"the chords have {len(text):,} characters", f"give up to {MOST_CHARACTERS:,}")
    marks = list(_SECTION.finditer(text))
    if not marks or marks[0].start() != 0:
        raise UsageError(
            f"the chords {shown(text.strip())} do not begin with a section",
            "write a letter and a colon before the bars of each section: A: C | G7; B: F | C",
        )
    if len(marks) > MOST_SECTIONS:
        raise UsageError(f"the chords have {len(marks):,} sections", f"give up to {MOST_SECTIONS}")
    sections: dict[str, ChordTrack] = {}
    for mark, end in zip(marks, [*(mark.start() for mark in marks[1:]), len(text)], strict=True):
        letter = mark[1].upper()
        if letter in sections:
            raise UsageError(f"section {letter} has chords twice", "give the chords of each letter once")
        body = text[mark.end() : end]
        try:
            sections[letter] = ChordTrack.parse(body.rstrip().removesuffix(";"), meter)
        except UsageError as error:
            raise UsageError(f"section {letter}: {error.text}", error.hint) from error
    if (total := sum(track.bars(meter) for track in sections.values())) > MOST_BARS:
        raise UsageError(f"the sections have {total:,} bars", f"give up to {MOST_BARS:,} in all")
    return sections


class _LeadSheet:
    """The reading of one text, from left to right."""

    def __init__(self, text: str, meter: Meter) -> None:
        self.text, self.meter = text, meter
        self.done: list[tuple[Chord, ...]] = []
        self.open: list[Chord] = []  # the bar that is being read
        self.group: int | None = None  # the place of the first bar in parentheses
        self.start: int | None = None  # of the bars that x4 after them would repeat
        self.may_open = True  # whether a barline may stand here that ends no bar

    def bars(self) -> list[tuple[Chord, ...]]:
        place = 0
        while place < len(self.text):
            match = _TOKEN.match(self.text, place)
            assert match is not None  # every character begins a token
            self._read(match[0], place)
            place = match.end()
        self._end_bar(place)
        if self.group is not None:
            raise self._wrong("a parenthesis is not closed", place, "write ) after the last bar of the group")
        if not self.done:
            raise UsageError("there are no chords", _LIKE)
        return self.done

    def _read(self, word: str, place: int) -> None:
        if word.isspace() and word != "\n":
            return
        if word == "\n" or word[0] == "|":
            if word != "\n" and not self.open and self.start is None and not self.may_open:
                raise self._wrong("a bar is empty", place, "write % to repeat the bar before, N.C. for no chord")
            self._end_bar(place)
            self.start, self.may_open = None, word == "\n"
        elif times := _TIMES.fullmatch(word):
            self._end_bar(place)
            self._repeat(times[1], place)
        elif word == "(":
            if self.open or self.start is not None or self.group is not None:
                raise self._wrong(
                    "a parenthesis opens inside a bar or a group",
                    place,
                    "write ( after a barline; groups are not nested",
                )
            self.group, self.may_open = len(self.done), True
        elif word == ")":
            self._end_bar(place)
            if self.group is None or self.group == len(self.done):
                raise self._wrong("a parenthesis closes no bars", place, "write the bars between ( and )")
            self.start, self.group = self.group, None
        else:
            self._chord(word, place)

    def _chord(self, word: str, place: int) -> None:
        if self.start is not None:
            raise self._wrong(f"'{shown(word)}' follows the end of a bar", place, "write | before the next bar")
        if word == "%":
            if self.open or not self.done:
                raise self._wrong(
                    "there is no bar that % can repeat", place, "write % alone in a bar after another one"
                )
            self._add(self.done[-1], place)
            self.start = len(self.done) - 1
            return
        try:
            if word.startswith("Do"):
                raise UsageError(f"'{shown(word)}' is not a chord symbol", "do is written C, D diminished Ddim or D°")
            self.open.append(Chord.parse(word))
        except UsageError as error:
            raise self._wrong(f"'{shown(word)}' is not a chord symbol", place, error.hint) from error
        if len(self.open) > self.meter.ticks_per_bar:
            raise self._wrong(f"a bar of {self.meter} cannot hold so many chords", place, _LIKE)

    def _end_bar(self, place: int) -> None:
        if not self.open:
            return
        if self.meter.ticks_per_bar % len(self.open):
            shares = ", ".join(map(str, _divisors(self.meter.ticks_per_bar)[:6]))
            raise self._wrong(
                f"{len(self.open)} chords cannot share a bar of {self.meter} equally",
                place,
                f"give {shares} .. chords; a chord may be written twice to last longer",
            )
        self._add(tuple(self.open), place)
        self.start = len(self.done) - 1
        self.open = []

    def _repeat(self, times: str, place: int) -> None:
        if self.start is None:
            raise self._wrong(
                f"x{shown(times)} follows no bar", place, "write it after a bar or a group: C x4 | (F | G) x2"
            )
        if len(times) > len(str(MOST_BARS)) or int(times) < 1:
            raise self._wrong(f"x{shown(times)} is no number of times", place, f"give x1 to x{MOST_BARS}")
        block = self.done[self.start :]
        if len(self.done) + len(block) * (int(times) - 1) > MOST_BARS:
            raise self._wrong(f"there are more than {MOST_BARS:,} bars", place, "repeat fewer bars")
        self.done += block * (int(times) - 1)

    def _add(self, bar: tuple[Chord, ...], place: int) -> None:
        if len(self.done) == MOST_BARS:
            raise self._wrong(f"there are more than {MOST_BARS:,} bars", place, "give fewer bars")
        self.done.append(bar)

    def _wrong(self, text: str, place: int, hint: str) -> UsageError:
        column = place - (self.text.rfind("\n", 0, place) + 1) + 1
        bar = len(self.done) + (self.start is None)  # the start is known at the end of a bar
        return UsageError(f"bar {bar}, column {column}: {text}", hint)


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
