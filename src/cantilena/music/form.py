"""The form of a melody: sections by letter, which of them return, where phrases end, and the cadence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, get_args

from cantilena.errors import UsageError, shown

Return = Literal["new", "literal", "varied"]
"""How a section returns: not at all, note by note, or with changes."""

Cadence = Literal["full", "half", "open"]
"""How a section ends: on the tonic, on another tone of the dominant chord, or on neither."""

VARIED = (0.6, 0.95)
"""The share of notes that a varied return keeps: below it a section is new, above it the return is literal."""

MOST_SECTIONS = 64
"""The most sections of a form."""

MOST_BARS = 1024
"""The most bars of a form."""

DEFAULT_BARS = 16
"""The bars that sections share where neither they nor the caller say a number."""

BARS_PER_PHRASE = 4
"""The length of phrases where nothing marks their ends."""

_ITEM = re.compile(r"([A-Za-z])(['’′]?)([0-9]*)")


@dataclass(frozen=True, slots=True)
class FormSection:
    """A section of a form.

    Args:
        label: a capital letter; sections of one letter are one passage and its returns.
        first: number of its first bar, from 1; a pickup belongs to bar 1.
        last: number of its last bar.
        kind: `new`, or how it returns to the first section of its letter: `literal` or `varied`.
        cadence: how it ends; None if that is not known.

    Examples:
        >>> FormSection("A", 9, 16, "varied").name, FormSection("A", 9, 16).bars
        ("A'8", 8)
    """

    label: str
    first: int
    last: int
    kind: Return = "new"
    cadence: Cadence | None = None

    @property
    def bars(self) -> int:
        """The number of its bars."""
        return self.last - self.first + 1

    @property
    def name(self) -> str:
        """Letter, prime if it is varied, and number of bars, as `Form.parse` reads them."""
        prime = "'" if self.kind == "varied" else ""
        return f"{self.label}{prime}{self.bars}"


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a melody, bar by bar without gaps.

    It is written as letters, each with its number of bars: `A8A8B8A'8`. A letter that was there before is a literal
    return of its first section; with a prime it is a varied one, which keeps `VARIED` of its notes.

    Args:
        sections: consecutive, the first from bar 1; the first of each letter is new, the others of that letter return
            to it and have as many bars.
        phrase_ends: last bars of phrases, ascending, among them the last bars of all sections. Without them, phrases
            of four bars are counted back from the end of each section, whose first phrase has 2 to 5.

    Raises:
        UsageError: sections or phrases are not as above, or there are more than `MOST_SECTIONS` or `MOST_BARS`.

    Examples:
        >>> form = Form.parse("AABA", bars=32)
        >>> str(form), form.lag_of(25), form.kind_of(17), form.place_of(20)
        ('A8A8B8A8', 24, 'new', (4, 4))
    """

    sections: tuple[FormSection, ...]
    phrase_ends: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_sections(self.sections)
        if not self.phrase_ends:
            object.__setattr__(self, "phrase_ends", tuple(_even_phrases(self.sections)))
        ends = self.phrase_ends
        ascending = all(earlier < later for earlier, later in pairwise((0, *ends)))
        if not ascending or not {one.last for one in self.sections} <= set(ends) or ends[-1] > self.bars:
            raise UsageError(
                f"phrases that end in bars {', '.join(map(str, ends[:12]))} do not fit the form {shown(str(self))}",
                "give bars in ascending order, among them the last one of each section",
            )

    @classmethod
    def parse(
        cls,
        text: str,
        bars: int | None = None,
        ending: Cadence = "full",
        *,
        lengths: Mapping[str, int] | None = None,
    ) -> Form:
        """Parse `AABA`, `AA'BA'`, `A8A8B8A8` or `A4A'4B8`.

        Args:
            text: letters with or without numbers of bars; the prime of a varied return stands after the letter.
            bars: total, which letters without numbers share equally, `DEFAULT_BARS` if None.
            ending: the cadence of the last section; those of the others stay None.
            lengths: bars of the sections of each letter, where letters have no numbers.

        Raises:
            UsageError: it is no form, a letter has no length, its sections cannot share the bars, or its numbers make
                another total.

        Examples:
            >>> Form.parse("A4A'4B8").plan()["sections"][1]
            {'label': 'A', 'bars': [5, 8], 'return': 'varied'}
        """
        items = _items(text)
        if bars is not None and not 1 <= bars <= MOST_BARS:
            raise UsageError(f"a form cannot have {bars:,} bars", f"give 1 to {MOST_BARS:,} bars")
        if ending not in get_args(Cadence):
            raise UsageError(f"'{shown(ending)}' is not a cadence", f"choose one of {', '.join(get_args(Cadence))}")
        if any(length for _, _, length in items):
            counts = [int(length or 0) for _, _, length in items]
            if not all(counts):
                raise UsageError(
                    f"the form {shown(text)} has a section without a number of bars, or with none",
                    "give every section its number of bars, as in A8A8B8A8, or none of them, as in AABA",
                )
            if bars is not None and sum(counts) != bars:
                raise UsageError(
                    f"the form {shown(text)} has {sum(counts):,} bars, not {bars:,}",
                    f"give {sum(counts):,} bars or none, or letters alone, which share the bars",
                )
        elif lengths:
            if missing := [letter for letter, _, _ in items if letter.upper() not in lengths]:
                raise UsageError(
                    f"the form {shown(text)} has a section {missing[0].upper()} of unknown length",
                    f"use {', '.join(lengths)}, or give every section its number of bars, as in A8A8B8A8",
                )
            counts = [lengths[letter.upper()] for letter, _, _ in items]
        else:
            counts = [_equal_share(len(items), DEFAULT_BARS if bars is None else bars, text)] * len(items)
        sections: list[FormSection] = []
        seen: set[str] = set()
        first = 1
        for place, ((letter, prime, _), length) in enumerate(zip(items, counts, strict=True), start=1):
            label = letter.upper()
            if prime and label not in seen:
                raise UsageError(
                    f"the form {shown(text)} varies {label} before there is one", f"write {label} first, then {label}'"
                )
            kind: Return = "varied" if prime else "literal" if label in seen else "new"
            seen.add(label)
            cadence = ending if place == len(items) else None
            sections.append(FormSection(label, first, first + length - 1, kind, cadence))
            first += length
        return cls(tuple(sections))

    def __str__(self) -> str:
        return "".join(section.name for section in self.sections)

    def with_cadences(self, cadences: Sequence[Cadence | None]) -> Form:
        """The form whose sections end as said.

        Raises:
            UsageError: there are more or fewer cadences than sections, or one is none.

        Examples:
            >>> [one.cadence for one in Form.parse("A4A'4").with_cadences(["half", "full"]).sections]
            ['half', 'full']
        """
        if len(cadences) != len(self.sections):
            raise UsageError(
                f"{len(cadences)} cadences for the {len(self.sections)} sections of {shown(str(self))}",
                "give one for each section",
            )
        known = zip(self.sections, cadences, strict=True)
        return Form(tuple(replace(section, cadence=cadence) for section, cadence in known), self.phrase_ends)

    @property
    def bars(self) -> int:
        """The number of all bars."""
        return self.sections[-1].last

    @property
    def cadence(self) -> Cadence:
        """The cadence of the last section; `open` if it is not known."""
        return self.sections[-1].cadence or "open"

    @property
    def cadences(self) -> tuple[Cadence, ...]:
        """The cadences of all sections; none if one of them is not known."""
        known = tuple(section.cadence for section in self.sections if section.cadence is not None)
        return known if len(known) == len(self.sections) else ()

    @property
    def letters(self) -> str:
        """The letters alone, with primes: `AABA'`."""
        return "".join(section.label + "'" * (section.kind == "varied") for section in self.sections)

    def section_of(self, bar: int) -> FormSection:
        """The section of a bar.

        Raises:
            UsageError: the form has no such bar.
        """
        for section in self.sections:
            if section.first <= bar <= section.last:
                return section
        raise UsageError(f"the form {shown(str(self))} has no bar {bar}", f"give 1 to {self.bars}")

    def kind_of(self, bar: int) -> Return:
        """How the section of a bar returns."""
        return self.section_of(bar).kind

    def lag_of(self, bar: int) -> int:
        """How many bars back the bar lies to which a bar returns; 0 for a new one."""
        section = self.section_of(bar)
        return section.first - next(one.first for one in self.sections if one.label == section.label)

    def place_of(self, bar: int) -> tuple[int, int]:
        """The place of a bar in its phrase, from 1, and the number of bars of that phrase."""
        self.section_of(bar)
        before, end = next((start, end) for start, end in pairwise((0, *self.phrase_ends)) if bar <= end)
        return bar - before, end - before

    def plan(self) -> dict[str, Any]:
        """The form as JSON: total of bars, sections with first and last bar, cadence.

        Examples:
            >>> Form.parse("A8", ending="half").plan()
            {'bars': 8, 'sections': [{'label': 'A', 'bars': [1, 8], 'return': 'new'}], 'cadence': 'half'}
        """
        sections = [{"label": one.label, "bars": [one.first, one.last], "return": one.kind} for one in self.sections]
        return {"bars": self.bars, "sections": sections, "cadence": self.cadence}


def _items(text: str) -> list[tuple[str, str, str]]:
    """The (letter, prime, number of bars as text or nothing) of each section that a form names."""
    joined = "".join(text.split())
    items: list[tuple[str, str, str]] = _ITEM.findall(joined)
    if not items or "".join(map("".join, items)) != joined:
        raise UsageError(f"'{shown(text)}' is not a form", "write sections by letter: AABA, AA'BA' or A8A8B8A8")
    if len(items) > MOST_SECTIONS:
        raise UsageError(f"a form cannot have {len(items):,} sections", f"give up to {MOST_SECTIONS}")
    if any(len(length) > len(str(MOST_BARS)) for _, _, length in items):
        raise UsageError(f"a section of the form {shown(text)} is too long", f"give up to {MOST_BARS:,} bars in all")
    return items


def _equal_share(sections: int, bars: int, text: str) -> int:
    """The bars of each of some sections that share a total."""
    share, rest = divmod(bars, sections)
    if rest:
        low = max(share, 1) * sections
        near = (low, low + sections) if low + sections <= MOST_BARS else (low - sections, low)
        raise UsageError(
            f"{bars:,} bars cannot be shared equally by the {sections} sections of {shown(text)}",
            f"give {near[0]:,} or {near[1]:,} bars, or each section its own number, as in A8A8B8A8",
        )
    return share


def _check_sections(sections: Sequence[FormSection]) -> None:
    if not 1 <= len(sections) <= MOST_SECTIONS:
        raise UsageError(f"a form cannot have {len(sections):,} sections", f"give 1 to {MOST_SECTIONS}")
    first_of: dict[str, FormSection] = {}
    reached = 0
    for section in sections:
        if len(section.label) != 1 or not "A" <= section.label <= "Z":
            raise UsageError(f"'{shown(section.label)}' is not a letter of a section", "give a capital letter, A to Z")
        if section.kind not in get_args(Return) or section.cadence not in (None, *get_args(Cadence)):
            raise UsageError(
                f"a section cannot be '{section.kind}' with cadence '{section.cadence}'",
                f"sections are {', '.join(get_args(Return))}, cadences {', '.join(get_args(Cadence))}",
            )
        if section.first != reached + 1 or section.last < section.first:
            raise UsageError(
                f"a section from bar {section.first} to {section.last} after bar {reached}",
                "give sections one after the other from bar 1, each of one bar or more",
            )
        first = first_of.setdefault(section.label, section)
        if (first is section) != (section.kind == "new"):
            raise UsageError(
                f"section {section.label} from bar {section.first} is {section.kind}",
                "the first section of a letter is new, the others of that letter are literal or varied",
            )
        if first.bars != section.bars:
            raise UsageError(
                f"section {section.label} has {first.bars} bars, then {section.bars}",
                "give sections of one letter the same number of bars, or another letter",
            )
        reached = section.last
    if reached > MOST_BARS:
        raise UsageError(f"a form cannot have {reached:,} bars", f"give up to {MOST_BARS:,}")


def _even_phrases(sections: Sequence[FormSection]) -> Iterator[int]:
    """The last bars of phrases of four bars, counted back from the end of each section; no phrase has a bar alone."""
    for section in sections:
        whole = (section.bars - 2) // BARS_PER_PHRASE
        yield from range(section.last - max(whole, 0) * BARS_PER_PHRASE, section.last + 1, BARS_PER_PHRASE)
