"""The bars of a voice in ABC: what barlines mean, whether bars have the length of the meter, where voices meet.

Source: The ABC Music Standard 2.1, 4.8 "Repeat/bar symbols" to 4.10 "Variant endings".
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from cantilena.io.notation.build import Doubts
from cantilena.io.score import NOTATION_RESOLUTION, Bar, repeats_of
from cantilena.music import MOST_PLAYED, Repeats, Section

Time = int | Fraction
"""Ticks of notation; a fraction where a note does not last a whole number of ticks."""

_MOST_NAMED = 20
"""Bars of a voice with a doubt of their own; the others are counted together."""

_SECTION = re.compile(r"\|\||\[\||\]")
_MOST_PLAYS = 20


@dataclass(slots=True)
class WrittenBar:
    """A bar while it is read; `length` is that of its meter, None without one. Other fields as those of `Bar`."""

    start: Time
    length: Time | None
    end: Time = 0
    opens: bool = False
    closes: int = 0
    endings: tuple[int, ...] = ()
    ends_section: bool = False
    begins: str = ""
    jump: str = ""


@dataclass(slots=True)
class Bars:
    """Collects the bars of a voice from left to right.

    Args:
        closed: the bars up to the last barline.
        open: the one that is being read.
        length: length of a bar in the present meter, None without one.
    """

    length: Time | None = None
    closed: list[WrittenBar] = field(default_factory=list)
    open: WrittenBar = field(default_factory=lambda: WrittenBar(0, None))
    _signs: list[str] = field(default_factory=list)
    _endings: tuple[int, ...] = ()
    _plays: int = 0

    def set_length(self, length: Time | None, now: Time) -> None:
        """Change the meter, from the open bar on if nothing stands in it yet."""
        self.length = length
        if now == self.open.start:
            self.open.length = length

    def close(self, now: Time) -> None:
        """End the open bar, if it is not empty."""
        if now > self.open.start:
            self.open.end = now
            self.closed.append(self.open)
            self.open = WrittenBar(now, self.length, endings=self._endings)
            self._signs = []

    def barline(self, sign: str, endings: str, now: Time) -> None:
        """Read a barline such as `:|`; signs without music between them are one barline.

        Args:
            sign: the barline.
            endings: the numbers after it, such as `1,3-5`, or "".
            now: the time at which it stands.
        """
        is_soft = sign in (".|", "[|]")
        if is_soft and self.open.length not in (None, now - self.open.start):
            return  # within a bar
        self.close(now)
        if len(self._signs) < 9:
            self._signs.append("|" if is_soft else sign)
        joined = "".join(self._signs)
        bare = joined.strip(":")
        if bare:
            closing = len(joined) - len(joined.lstrip(":"))
            opening = len(joined) - len(joined.rstrip(":"))
        else:
            closing = opening = len(joined) // 2
        is_section = any(map(_SECTION.search, self._signs))
        if self.closed:
            last = self.closed[-1]
            last.ends_section |= is_section
            if closing:
                last.closes = min(max(closing, self._plays) + 1, _MOST_PLAYS)
        if opening:
            self._plays = opening
        elif closing:
            self._plays = 0
        self.open.opens = bool(opening)
        if closing or opening or is_section:
            self._endings = self.open.endings = ()
        if endings:
            self.ending(endings, now)

    def ending(self, numbers: str, now: Time) -> None:
        """Begin an alternative ending, also within a bar."""
        self.close(now)
        self._endings = self.open.endings = _numbers(numbers)

    def finish(self, now: Time) -> None:
        """End the last bar; a jump that stands after the last barline belongs to the bar before it."""
        self.close(now)
        if self.closed and self.open.jump and not self.closed[-1].jump:
            self.closed[-1].jump = self.open.jump
        codas = [place for place, bar in enumerate(self.closed) if bar.begins == "coda"]
        if len(codas) > 1 and codas[0] > 0 and all(bar.jump != "tocoda" for bar in self.closed):
            # Of two signs the first one is where the jump to the coda begins.
            self.closed[codas[0]].begins = ""
            self.closed[codas[0] - 1].jump = "tocoda"

    def jump(self, name: str, now: Time) -> None:
        """Read a jump; one between sections belongs to the bar before it."""
        bar = self.open
        if now == bar.start and self.closed and name in ("dacapo", "dalsegno"):
            last = self.closed[-1]
            bar = last if last.closes or last.ends_section else bar
        bar.jump = name

    @property
    def number(self) -> str:
        """The number of the open bar, from 1."""
        return str(len(self.closed) + 1)


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of `1,3-5`."""
    found: list[int] = []
    for first, last in re.findall(r"([0-9]{1,2})(?:-([0-9]{1,2}))?", text[:40]):
        found += range(int(first), min(int(last or first), int(first) + _MOST_PLAYS) + 1)
    return tuple(sorted({number for number in found if number}))


def bars_of(bars: Sequence[WrittenBar], sections: Collection[Time]) -> tuple[Bar, ...]:
    """Return the bars of a score.

    Args:
        bars: those of one voice.
        sections: times at which a section begins by a field P:.
    """
    return tuple(
        Bar(
            round(bar.start),
            round(bar.end),
            str(number),
            bar.opens,
            bar.closes,
            bar.endings,
            bar.ends_section or bar.end in sections,
            bar.begins,
            bar.jump,
        )
        for number, bar in enumerate(bars, start=1)
    )


def order_of_parts(text: str) -> str:
    """Return the names of the parts in a field P: of the head, one a turn.

    Examples:
        >>> order_of_parts("A2.B"), order_of_parts("((AB)2.C)2")
        ('AAB', 'ABABCABABC')
    """
    groups = [[""]]
    for sign in re.findall(r"[A-Za-z()]|[0-9]+", text[:200]):
        if sign == "(":
            groups.append([""])
        elif sign == ")":
            inner = "".join(groups.pop())
            groups = groups or [[""]]
            groups[-1].append(inner[:MOST_PLAYED])
        elif sign.isalpha():
            groups[-1].append(sign)
        else:
            groups[-1][-1] = (groups[-1][-1] * min(int(sign[:4]), _MOST_PLAYS))[:MOST_PLAYED]
    return "".join(name for group in groups for name in group)


def played_parts(bars: tuple[Bar, ...], parts: Sequence[tuple[Time, str]], order: str) -> Repeats | None:
    """Return the order of playing of parts that are played with their repeats.

    A part that repeats itself is not played twice running: `AABB` with repeat signs in A and B says the same twice.

    Args:
        bars: the bars as written.
        parts: time at which each part begins, and its name.
        order: the name of the part that is played, one a turn.

    Returns:
        None if the order does not fit the parts: some of them have the same name or none.
    """
    times = [round(time) for time, _ in parts]
    names = [name for _, name in parts]
    if not set(order) <= set(names) or len(set(names)) < len(names) or times[0] > bars[0].start:
        return None
    sections: list[Section] = []
    turns: dict[str, list[int]] = {}
    for name, start, end in zip(names, times, [*times[1:], bars[-1].end], strict=True):
        own = repeats_of(tuple(bar for bar in bars if start <= bar.start < end))
        turns[name] = [len(sections) + turn for turn in own.order]
        sections += own.sections
    repeating = {name for name, own in turns.items() if len(set(own)) < len(own)}
    played = [name for place, name in enumerate(order) if name not in repeating or order[place - 1 : place] != name]
    return Repeats(tuple(sections), tuple(turn for name in played for turn in turns[name])[:MOST_PLAYED])


def check_lengths(bars: Sequence[WrittenBar], sections: Collection[Time], doubts: Doubts, voice: str) -> None:
    """Add a doubt for each bar that does not have the length of the meter.

    A section may begin with an upbeat and end with the rest of its bar; two bars that make one are one bar with a
    barline inside. The notes of a voice follow one another whatever the barlines say, so that none is misplaced.
    """
    if len(bars) == 1 and (_missing(bars[0]) or 0) < 0:
        doubts.add("it has no barlines", voice=voice)
        return
    wrong: list[tuple[str, str]] = []
    is_first = [_begins_section(bars, place, sections) for place in range(len(bars))] + [True]
    missing = {_missing(bar) for place, bar in enumerate(bars) if is_first[place] or is_first[place + 1]}
    for place, bar in enumerate(bars):
        lacks = _missing(bar)
        if lacks is None or not lacks or bar.length is None:
            continue
        if lacks > 0:
            if place == 0 or (place == len(bars) - 1 and not bar.closes):
                continue
            at_edge = is_first[place] or is_first[place + 1]
            if at_edge and bar.length - lacks in missing:
                continue
            beside = (_missing(bars[near]) for near in (place - 1, place + 1) if 0 <= near < len(bars))
            if not at_edge and bar.length - lacks in beside:
                continue
        text = f"the bar lasts {_quarters(bar.end - bar.start)} quarters and the meter says {_quarters(bar.length)}"
        wrong.append((text, str(place + 1)))
    for text, number in wrong[:_MOST_NAMED]:
        doubts.add(text, number, voice)
    more = wrong[_MOST_NAMED:]
    if more:
        text = f"{len(more)} more bars do not have the length of the meter"
        doubts.add(text, more[0][1], voice)


def _begins_section(bars: Sequence[WrittenBar], place: int, sections: Collection[Time]) -> bool:
    bar = bars[place]
    if place == 0 or bar.opens or bar.begins or bar.start in sections:
        return True
    before = bars[place - 1]
    return bool(before.closes or before.ends_section or before.jump or before.endings != bar.endings)


def _missing(bar: WrittenBar) -> Time | None:
    """By how much a bar is shorter than its meter; negative if it is longer."""
    return None if bar.length is None else bar.length - (bar.end - bar.start)


def _quarters(ticks: Time) -> str:
    return str(Fraction(ticks) / NOTATION_RESOLUTION)


def aligned_starts(voices: Sequence[Sequence[WrittenBar]]) -> list[Time] | None:
    """Return where bars begin if voices wait for each other at every barline.

    Each bar lasts as long as in the voice where it is longest. None if there is nothing to align, or the voices do not
    have the same number of bars, so that it is unknown which belong together.
    """
    if len({len(bars) for bars in voices}) != 1 or len(voices) == 1:
        return None
    if all(len({bar.end for bar in together}) == 1 for together in zip(*voices, strict=True)):
        return None
    starts: list[Time] = [0]
    for together in zip(*voices, strict=True):
        starts.append(starts[-1] + max(bar.end - bar.start for bar in together))
    return starts


class Shift:
    """Moves times of a voice with its bars."""

    def __init__(self, bars: Sequence[WrittenBar], starts: Sequence[Time]) -> None:
        self._from = [bar.start for bar in bars]
        self._by = [new - old for new, old in zip(starts, self._from, strict=False)]

    def onset(self, time: Time) -> Time:
        """The new time of what begins at a time."""
        return time + self._by[max(bisect_right(self._from, time) - 1, 0)]

    def end(self, time: Time) -> Time:
        """The new time of what ends at a time."""
        return time + self._by[max(bisect_left(self._from, time) - 1, 0)]
