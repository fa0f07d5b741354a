"""Forms while composing: what a form is told to the network, and which tokens it leaves.

A network of notes that has learned forms is told of each bar how it returns, how far back, how much of the phrase is
left, and the cadence (`plan_rows`). It obeys only in part, and so

    sections     no note lasts beyond the end of a section
    literal      a section that returns literally repeats the tokens of what it returns to
    varied       a section that returns with changes repeats its beginning, and the rest of it, an eighth to three
                 eighths of the notes, is composed anew and begins with another note; over other chords the network is
                 free
    last note    has the length that was drawn with the form: people's melodies close on a long note, or on a strong
                 beat, more often than a network left to itself
    cadence      the note at the end of a section is the tonic (full), another tone of the dominant chord (half), or
                 neither (open); a section can end with a rest, but for the last one, whose last note lasts to its end

whatever the network says; within these the network decides.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cantilena.models import Bars, FormModel, padded_plans, plan_rows
from cantilena.music import ChordTrack, Form, FormSection, Key, Meter, dominant_tones
from cantilena.tokenizers import END, NotesEncoding

_NEW_SHARES = (0.125, 0.375)
"""The least and the largest share of the notes of a varied section that are composed anew."""


@dataclass(frozen=True)
class FormPlan:
    """The forms of some melodies that are composed together, and where their sections lie.

    Args:
        forms: of each melody.
        key: of the tokens.
        ticks_per_bar: of the meter.
        length: ticks of each melody, a pickup included.
        new_shares: `(melodies, sections of the longest form)`: the share of each varied section that is composed anew.
        pickups: ticks of each melody before its first barline; the last bar is shorter by as much.
        last_notes: ticks from the onset of the last note of each melody to its end; 0 leaves it to the network.
        chords: of each melody; what a varied section returns to is repeated where they are the same. None for none.
    """

    forms: tuple[Form, ...]
    key: Key
    ticks_per_bar: int
    length: int
    new_shares: NDArray[np.float64]
    pickups: tuple[int, ...]
    last_notes: tuple[int, ...]
    chords: tuple[ChordTrack, ...] = ()

    @classmethod
    def draw(
        cls,
        rngs: Sequence[np.random.Generator],
        *,
        form: Form | None,
        model: FormModel,
        bars: int,
        meter: Meter,
        key: Key,
        ending: str,
        length: int,
        pickup: int | None,
    ) -> FormPlan:
        """Decide what the form and the model of forms leave open, with one generator a melody.

        Args:
            rngs: the randomness of each melody.
            form: of all melodies; None lets `model` propose one for each.
            model: of forms.
            bars: number of bars, the last one perhaps incomplete.
            meter: of the melodies.
            key: of the tokens.
            ending: the cadence of the last section; empty for that of the form.
            length: ticks of each melody.
            pickup: ticks before the first barline; None lets `model` propose one for each.
        """
        drawn = [_with_ending(form if form is not None else model.propose(bars, meter, rng), ending) for rng in rngs]
        forms = tuple(model.with_cadences(one, rng) for one, rng in zip(drawn, rngs, strict=True))
        shares = np.zeros((len(forms), max(len(one.sections) for one in forms)))
        for row, one, rng in zip(shares, forms, rngs, strict=True):  # no melody depends on the forms of others
            row[: len(one.sections)] = rng.uniform(*_NEW_SHARES, len(one.sections))
        pickups = tuple(model.propose_pickup(meter, rng) if pickup is None else pickup for rng in rngs)
        ends_with_bar = length % meter.ticks_per_bar == 0
        last_notes = tuple(
            model.propose_last_note(meter, ticks, rng) if ends_with_bar else 0
            for ticks, rng in zip(pickups, rngs, strict=True)
        )
        return cls(forms, key, meter.ticks_per_bar, length, shares, pickups, last_notes)

    def repeated(self, times: int) -> FormPlan:
        """The same for so many copies of each melody, one after the other."""
        return self.take(np.repeat(np.arange(len(self.forms)), times))

    def take(self, rows: NDArray[np.integer]) -> FormPlan:
        """The same for the melodies of these rows."""
        return replace(
            self,
            forms=tuple(self.forms[row] for row in rows),
            new_shares=self.new_shares[rows],
            pickups=tuple(self.pickups[row] for row in rows),
            last_notes=tuple(self.last_notes[row] for row in rows),
            chords=tuple(self.chords[row] for row in rows) if self.chords else (),
        )

    def told(self, bars: Bars) -> Bars:
        """The bars with the forms and pickups, for a network that has learned them."""
        return with_forms(bars, self.forms, self.pickups)

    def guide(self, encoding: NotesEncoding, before: NDArray[np.int64]) -> FormGuide:
        """Start the melodies after the `(tokens,)` of a primer."""
        guide = FormGuide(self, encoding, [_Written() for _ in self.forms])
        for token in before:
            guide.append(np.full(len(self.forms), token))
        return guide


@dataclass
class _Written:
    """The events of one melody so far, and the tokens of the next one that are there."""

    onsets: list[int] = field(default_factory=list)
    events: list[tuple[int, ...]] = field(default_factory=list)
    now: tuple[int, ...] = ()
    clock: int = 0

    def copy(self) -> _Written:
        """The same, to go on with in another way."""
        return replace(self, onsets=self.onsets.copy(), events=self.events.copy())


@dataclass
class FormGuide:
    """Which tokens the forms of some melodies leave, step by step."""

    plan: FormPlan
    encoding: NotesEncoding
    written: list[_Written]

    def restrict(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """`(melodies, vocabulary)`: of the allowed tokens those that the forms leave; what would be none stays."""
        kept = allowed.copy()
        for row, one in enumerate(self.written):
            if one.clock >= self.plan.length:
                continue
            choice = self._restricted(row, one, kept[row].copy())
            if choice.any():
                kept[row] = choice
        return kept

    def append(self, tokens: NDArray[np.integer]) -> None:
        """Go on after `(melodies,)` tokens."""
        for one, token in zip(self.written, tokens.tolist(), strict=True):
            if token == END and not one.now:
                continue
            one.now = (*one.now, token)
            if len(one.now) == len(self.encoding.parts):
                one.onsets.append(one.clock)
                one.events.append(one.now)
                one.clock += self.encoding.durations[one.now[0] - 1]
                one.now = ()

    def after(self, tokens: NDArray[np.integer]) -> FormGuide:
        """The guide after `(melodies,)` first tokens of notes that may be tried; this one stays where it is."""
        tried = [
            replace(one, now=(token,)) if token != END else one
            for one, token in zip(self.written, tokens.tolist(), strict=True)
        ]
        return FormGuide(self.plan, self.encoding, tried)

    def take(self, rows: NDArray[np.integer]) -> None:
        """Go on with the melodies of these rows."""
        self.plan = self.plan.take(rows)
        self.written = [self.written[row].copy() for row in rows]

    def endings(self, bars: int) -> NDArray[np.int64]:
        """`(melodies, 2)` ticks: where so many last bars begin and end, or what these return to literally."""
        ends = []
        for row, form in enumerate(self.plan.forms):
            start, end = self._ticks(next(section for section in form.sections if self._closes(row, section)))
            ends.append((max(end - bars * self.plan.ticks_per_bar, start, 1), end))
        return np.array(ends)

    def _restricted(self, row: int, one: _Written, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        number, section = self._section(row, one.clock)
        start, end = self._ticks(section)
        part, (first, after) = len(one.now), self.encoding.parts[len(one.now)]
        closing = self._last_onset(row, section)
        if part == 0:
            allowed[first:after] &= self._durations <= end - one.clock
            fits = self._durations <= closing - one.clock if one.clock < closing else self._durations == end - closing
            if one.clock <= closing and (allowed[first:after] & fits).any():
                allowed[first:after] &= fits
        elif part == 1 and one.clock + self.encoding.durations[one.now[0] - 1] == end:
            closes = self._closes(row, section)
            cadence = self.plan.forms[row].sections[-1].cadence if closes else section.cadence
            if cadence is not None:
                breathes = not closes and allowed[self.encoding.rest]
                allowed[first:after] &= self._ends[cadence]
                allowed[self.encoding.rest] |= breathes
        if section.kind == "new":
            return allowed
        origin, _ = self._ticks(next(s for s in self.plan.forms[row].sections if s.label == section.label))
        back = start - origin
        repeated = end
        if section.kind == "varied":
            repeated = back + self._last_repeated(one, origin, end - back, self.plan.new_shares[row, number])
            repeated = min(repeated, closing)
        source = self._event_at(one, one.clock - back)
        if source is None or (section.kind == "varied" and not self._same_chord(row, one.clock, back)):
            return allowed
        if one.clock + self.encoding.durations[source[0] - 1] <= repeated and source[:part] == one.now:
            only = np.zeros_like(allowed)
            only[source[part]] = True
            return only
        is_pitch = part == len(self.encoding.parts) - 1
        if section.kind == "varied" and is_pitch and source[:part] == one.now and not self._differs(one, start, back):
            allowed[source[part]] = False
        return allowed

    def _last_onset(self, row: int, section: FormSection) -> int:
        """The tick at which the last note of a section begins, its end if any may be the last."""
        start, end = self._ticks(section)
        ticks = self.plan.last_notes[row] if self._closes(row, section) else 0
        return end - ticks if ticks <= end - start and ticks in self.encoding.durations else end

    def _same_chord(self, row: int, clock: int, back: int) -> bool:
        """Whether the chord at a tick is that of so many ticks before."""
        if not self.plan.chords:
            return True
        chords = self.plan.chords[row]
        return chords.at(clock) == chords.at(clock - back)

    def _last_repeated(self, one: _Written, start: int, end: int, new_share: float) -> int:
        """The tick after the last event of a section that a varied return repeats."""
        first = bisect_left(one.onsets, start)
        count = bisect_left(one.onsets, end) - first
        repeated = min(int(np.ceil((1.0 - new_share) * count)), count - 1)
        return one.onsets[first + repeated] if repeated < count else end

    def _differs(self, one: _Written, start: int, back: int) -> bool:
        """Whether a section that began at a tick has an event yet that what it returns to has not."""
        mine = [(tick, event) for tick, event in zip(one.onsets, one.events, strict=True) if tick >= start]
        return any(self._event_at(one, tick - back) != event for tick, event in mine)

    def _event_at(self, one: _Written, tick: int) -> tuple[int, ...] | None:
        """The event that begins at a tick."""
        place = bisect_left(one.onsets, tick)
        return one.events[place] if place < len(one.onsets) and one.onsets[place] == tick else None

    def _section(self, row: int, clock: int) -> tuple[int, FormSection]:
        sections = self.plan.forms[row].sections
        bar = clock // self.plan.ticks_per_bar + 1
        number = next((n for n, section in enumerate(sections) if bar <= section.last), len(sections) - 1)
        return number, sections[number]

    def _ticks(self, section: FormSection) -> tuple[int, int]:
        """Where a section begins and ends; a pickup is a part of the bar that follows it."""
        bar = self.plan.ticks_per_bar
        return (section.first - 1) * bar, min(section.last * bar, self.plan.length)

    def _closes(self, row: int, section: FormSection) -> bool:
        """Whether a section is the last one, or what that returns to literally."""
        last = self.plan.forms[row].sections[-1]
        return section is last or (section.label == last.label and last.kind == "literal" and section.kind == "new")

    @cached_property
    def _durations(self) -> NDArray[np.int64]:
        """`(duration tokens,)` ticks."""
        return np.array(self.encoding.durations)

    @cached_property
    def _ends(self) -> dict[str, NDArray[np.bool_]]:
        """For each cadence, `(pitch tokens,)`: with which pitches a section may end."""
        pitches = np.arange(self.encoding.low, self.encoding.high + 1)
        above = (pitches - self.plan.key.tonic) % 12
        dominant = np.isin(above, list(dominant_tones(self.plan.key)))
        fits = {"full": above == 0, "half": dominant, "open": (above != 0) & ~dominant}
        return {cadence: np.append(ends, False) for cadence, ends in fits.items()}  # no rest


@dataclass
class FormGuides:
    """The same of melodies whose plans differ in meter, key or length: the guide of each."""

    guides: list[FormGuide]

    def restrict(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """As `FormGuide.restrict`."""
        rows = [guide.restrict(allowed[row : row + 1]) for row, guide in enumerate(self.guides)]
        return np.concatenate(rows)

    def append(self, tokens: NDArray[np.integer]) -> None:
        """As `FormGuide.append`."""
        for row, guide in enumerate(self.guides):
            guide.append(tokens[row : row + 1])

    def after(self, tokens: NDArray[np.integer]) -> FormGuides:
        """As `FormGuide.after`."""
        return FormGuides([guide.after(tokens[row : row + 1]) for row, guide in enumerate(self.guides)])

    def endings(self, bars: int) -> NDArray[np.int64]:
        """As `FormGuide.endings`."""
        return np.concatenate([guide.endings(bars) for guide in self.guides])

    def take(self, rows: NDArray[np.integer]) -> None:
        """As `FormGuide.take`."""
        guides = [self.guides[row] for row in rows]
        self.guides = [replace(guide, written=[one.copy() for one in guide.written]) for guide in guides]


def with_forms(bars: Bars, forms: Sequence[Form], pickups: Sequence[int]) -> Bars:
    """The bars with the form of each melody and the ticks before its first barline."""
    plan = padded_plans([plan_rows(form) for form in forms])
    return replace(bars, plan=plan, pickup=np.array(pickups, dtype=np.int64))


def _with_ending(form: Form, ending: str) -> Form:
    """The form with another cadence of its last section, unless it is empty."""
    if not ending:
        return form
    others = [section.cadence for section in form.sections[:-1]]
    return form.with_cadences([*others, ending])  # type: ignore[list-item]
