"""Humdrum files: columns ("spines") that split, merge, change places, begin and end, and sections played in an order.

Source: David Huron, The Humdrum Toolkit: Reference Manual (1994), on Humdrum syntax, spine paths and `thru`. Columns
may be parted by several tabs, as newer programs write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from cantilena.errors import ScoreError, UsageError
from cantilena.io.score import Bar, repeats_of
from cantilena.music import Repeats, Section

MOST_SPINES = 1000
"""The largest number of spines beside each other."""

MOST_SECTIONS = 200
"""The longest list of sections that is followed."""

_PATHS = frozenset(("*^", "*v", "*x", "*+", "*-"))
_GROWTH = {"*^": 2, "*+": 2, "*-": 0}


@dataclass(slots=True, eq=False)
class Spine:
    """A column, or one of those that it has split into.

    Args:
        kind: its exclusive interpretation without asterisks, such as `kern`; "" before it is named.
        origin: number of the column that it comes from, counted over the file.
        voice: 0 for the leftmost column of an origin, others as they split off.
    """

    kind: str
    origin: int
    voice: int = 0


class Record(NamedTuple):
    """A line of a file with its columns, or what happens to some columns.

    Args:
        kind: `data`, `bar` (`=`), `tandem` (`*`); `merge`: the first spine takes up the others; `end`: all end.
        line: number of the line, from 1.
        spines: the columns.
        tokens: what stands in them; empty for `merge` and `end`.
    """

    kind: str
    line: int
    spines: tuple[Spine, ...]
    tokens: list[str]


def read_records(text: str) -> Iterator[Record]:
    r"""Read a Humdrum file line by line, without comments.

    Args:
        text: the file.

    Raises:
        ScoreError: a line has too few or too many columns.

    Examples:
        >>> for record in read_records("**kern\n*^\n4c\t4e\n*v\t*v\n4d\n*-"):
        ...     print(record.kind, [spine.voice for spine in record.spines], record.tokens)
        tandem [0] ['**kern']
        data [0, 1] ['4c', '4e']
        merge [0, 1] []
        data [0] ['4d']
        end [0] []
    """
    if "\t" not in text and re.search(r"^ *\*\*\S+ {2,}\*\*", text, re.MULTILINE):  # single spaces part chords
        text = re.sub(r"(?<=\S) {2,}(?=\S)", "\t", text)
    lines = [line.strip("\t ") for line in re.split(r"\r\n?|\n", text)]
    spines: tuple[Spine, ...] = ()
    begun = 0
    for index, line in enumerate(lines):
        tokens = _tokens(line)
        if not tokens or line.startswith("!!") or all(token[0] == "!" for token in tokens):
            continue
        number = index + 1
        if line[0] != "*":
            _check(number, len(tokens), len(spines))
            yield Record("bar" if line[0] == "=" else "data", number, spines, tokens)
            continue
        if not spines and tokens[0].startswith("**"):
            if " **" in line:
                raise ScoreError(f"line {number} parts its columns by single spaces", "part columns by tabs")
            spines = (Spine("", 0),) * len(tokens)
        _check(number, len(tokens), len(spines))
        if any(token.startswith("**") for token in tokens):
            before = spines
            spines = tuple(
                Spine(token[2:], begun + place) if token.startswith("**") else spine
                for place, (spine, token) in enumerate(zip(before, tokens, strict=True))
            )
            begun += len(tokens)
        if _PATHS.isdisjoint(tokens):
            yield Record("tandem", number, spines, tokens)
            continue
        before, (spines, merged) = spines, _follow(spines, tokens, _next_width(lines, index + 1))
        _check(number, 0, max(0, len(spines) - MOST_SPINES))
        for group in merged:
            yield Record("merge", number, group, [])
        if not spines:
            yield Record("end", number, before, [])


def _tokens(line: str) -> list[str]:
    tokens = line.split("\t")
    return [token for token in tokens if token] if "" in tokens else tokens


def _check(line: int, tokens: int, spines: int) -> None:
    if tokens == spines:
        return
    if not tokens:
        raise ScoreError(f"line {line} makes more than {MOST_SPINES:,} columns", "split the file into several")
    if not spines:
        raise ScoreError(f"line {line} stands before the first column is named", "begin the file with **kern")
    raise ScoreError(
        f"line {line} has {tokens} columns, not {spines}", "part columns by tabs, and write . where nothing begins"
    )


def _next_width(lines: Sequence[str], start: int) -> int:
    """Number of columns in the next line that has some; 0 at the end of the file."""
    for line in lines[start : start + 1000]:
        if line and not line.startswith("!!"):
            return len(_tokens(line))
    return 0


def _follow(
    spines: Sequence[Spine], tokens: Sequence[str], width: int
) -> tuple[tuple[Spine, ...], list[tuple[Spine, ...]]]:
    """The columns after a line of spine paths, and the groups that merge.

    All neighbours with `*v` merge into one by the manual, while many files mean one a staff, and some one a pair; the
    width of the next line says which.
    """
    adjacent = [False, *(left == right == "*v" for left, right in pairwise(tokens))]
    same_staff = [joins and spines[at].origin == spines[at - 1].origin for at, joins in enumerate(adjacent)]
    pairs: list[bool] = []
    for joins in adjacent:
        pairs.append(joins and not (pairs and pairs[-1]))
    grown = sum(_GROWTH.get(sign, 1) for sign in tokens)
    joined = next((way for way in (same_staff, adjacent, pairs) if grown - sum(way) == width), same_staff)

    taken = {(spine.origin, spine.voice) for spine in spines}
    after: list[Spine] = []
    groups: list[list[Spine]] = []
    exchanged = [at for at, sign in enumerate(tokens) if sign == "*x"]
    moved = list(spines)
    for left, right in zip(exchanged[::2], exchanged[1::2], strict=False):
        moved[left], moved[right] = moved[right], moved[left]
    for spine, sign, joins in zip(moved, tokens, joined, strict=True):
        if sign == "*-":
            continue
        if sign == "*v" and joins:
            groups[-1].append(spine)
            continue
        if sign == "*v":
            groups.append([spine])
        after.append(spine)
        if sign == "*+":
            after.append(Spine("", -1))
        if sign == "*^":
            voice = 0
            while (spine.origin, voice) in taken:
                voice += 1
            taken.add((spine.origin, voice))
            after.append(Spine(spine.kind, spine.origin, voice))
    first = {group[0]: min(group, key=lambda spine: (spine.origin, spine.voice)) for group in groups}
    merged = [
        (first[group[0]], *(spine for spine in group if spine is not first[group[0]]))
        for group in groups
        if len(group) > 1
    ]
    return tuple(first.get(spine, spine) for spine in after), merged


def mark_order(
    bars: tuple[Bar, ...], labels: Mapping[int, str], order: Sequence[str]
) -> tuple[tuple[Bar, ...], Repeats | None]:
    """Mark bars so that they are played in the order of a list of sections (`*>[A,A,B]`).

    Args:
        bars: the bars; sections begin with bars.
        labels: name of each section (`*>A`) by the tick where it begins.
        order: the names as they are played, each one a label.

    Returns:
        The bars with repeat signs, endings and a da capo; and the order itself where such marks cannot say it.
    """
    starts = sorted(labels.items())
    if bars and starts[0][0] > bars[0].start:
        starts.insert(0, (bars[0].start, ""))
        order = ("", *order)
    ends = [*(tick for tick, _ in starts[1:]), bars[-1].end]
    sections = tuple(Section(tick, end) for (tick, _), end in zip(starts, ends, strict=True))
    index = {name: place for place, (_, name) in enumerate(starts)}
    wanted = Repeats(sections, tuple(index[name] for name in order))
    for marked in (bars, _marked(bars, sections, wanted.order)):
        try:
            if _spans(repeats_of(marked)) == _spans(wanted):
                return marked, None
        except UsageError:  # more repeats than are followed
            continue
    return bars, wanted


def _spans(repeats: Repeats) -> list[tuple[int, int]]:
    """What is played: (start, end) of passages, those that follow each other joined."""
    spans: list[tuple[int, int]] = []
    for turn in repeats.order:
        section = repeats.sections[turn]
        if spans and spans[-1][1] == section.start:
            spans[-1] = (spans[-1][0], section.end)
        else:
            spans.append((section.start, section.end))
    return spans


def _marked(bars: tuple[Bar, ...], sections: Sequence[Section], order: Sequence[int]) -> tuple[Bar, ...]:
    """Bars with the signs for passages that are repeated at once, with two endings, and a da capo."""
    marks = [replace(bar, opens_repeat=False, closes_repeat=0, endings=(), begins="", jump="") for bar in bars]
    first = {bar.start: place for place, bar in reversed(list(enumerate(bars)))}
    last = {bar.end: place for place, bar in enumerate(bars)}

    def mark(section: int, *, opens: bool = False, closes: int = 0, ending: int = 0, jump: str = "") -> None:
        begin, end = first[sections[section].start], last[sections[section].end]
        marks[begin] = replace(marks[begin], opens_repeat=opens or marks[begin].opens_repeat)
        marks[end] = replace(marks[end], closes_repeat=closes or marks[end].closes_repeat, jump=jump or marks[end].jump)
        for place in range(begin, end + 1) if ending else ():
            marks[place] = replace(marks[place], endings=(ending,))

    finished = len(order) - 1 - [*reversed(order)].index(max(order))
    if finished + 1 < len(order):
        mark(max(order), jump="dacapo")
        mark(order[-1], jump="fine")
    once = list(order[: finished + 1])
    here = 0
    while here < len(once):
        for length in range(1, (len(once) - here) // 2 + 1):
            passage = once[here : here + length]
            turns = 1
            while once[here + turns * length : here + (turns + 1) * length] == passage:
                turns += 1
            if turns > 1:
                mark(passage[0], opens=True)
                mark(passage[-1], closes=turns)
                here += turns * length
                break
            second = once[here + length + 1 : here + 2 * length + 2]
            if second == [*passage, passage[-1] + 2] and once[here + length] == passage[-1] + 1:
                mark(passage[0], opens=True)
                mark(passage[-1] + 1, closes=2, ending=1)
                mark(passage[-1] + 2, ending=2)
                here += 2 * length + 2
                break
        else:
            here += 1
    return tuple(marks)
