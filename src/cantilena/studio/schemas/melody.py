"""The shapes of music in requests and answers: a melody, its notes, the rules that judge it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cantilena.errors import UsageError
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Meter, Note, Tempo
from cantilena.rules import RULE_SETS, RuleSet
from cantilena.studio.options import LIMITS

LONGEST = 64 * 4 * TICKS_PER_QUARTER * LIMITS.bars
"""Ticks that no melody is longer than: as many bars as are allowed, of the longest meter."""

Ticks = Annotated[int, Field(ge=0, le=LONGEST)]
"""A time in ticks, 24 a quarter."""

Pitch = Annotated[int, Field(ge=0, le=127)]
"""A MIDI number."""

Name = Annotated[str, StringConstraints(max_length=80)]
"""A name of something that the studio knows."""

Seed = Annotated[int, Field(ge=0, lt=2**53)]
"""A seed; numbers of JavaScript are whole up to 2^53."""

Weight = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]
"""The weight of a rule."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A number that JSON can hold."""


class Shape(BaseModel):
    """What a request holds: nothing but the fields that are named, of their own types."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class NoteShape(Shape):
    """One note, or several struck together."""

    onset: Ticks = Field(description="When it begins, in ticks from the start; 24 ticks are a quarter.")
    duration: Annotated[int, Field(ge=1, le=LONGEST)] = Field(description="How long it sounds, in ticks.")
    pitches: Annotated[list[Pitch], Field(min_length=1, max_length=12)] = Field(
        description="MIDI numbers; several are a chord."
    )

    @classmethod
    def of(cls, note: Note) -> NoteShape:
        """How a note is sent."""
        return cls.model_construct(onset=note.onset, duration=note.duration, pitches=list(note.pitches))


class MelodyShape(Shape):
    """A melody: one line of notes and chords, numbered from 0 in the order of their onsets; silence needs no note.

    A note ends at the latest where the next begins. Notes that begin together are one chord.
    """

    notes: Annotated[list[NoteShape], Field(max_length=LIMITS.notes)] = Field(description="Its notes.")
    key: Name | None = Field(default="C major", description="Such as `D minor`; null while it is unknown.")
    meter: Name = Field(default="4/4", description="The time signature.")
    tempo: Annotated[float, Field(ge=10, le=1000, allow_inf_nan=False)] = Field(
        default=120.0, description="Quarters a minute."
    )
    pickup: Ticks = Field(default=0, description="Ticks before the first barline.")
    length: Ticks = Field(default=0, description="Ticks from start to end; at least the end of the last note.")
    title: Annotated[str, StringConstraints(max_length=200)] = Field(default="", description="What it is called.")

    def melody(self) -> Melody:
        """The melody itself.

        Raises:
            UsageError: a key or a meter that is none, more bars than are allowed, two notes that begin together.
        """
        made = Melody(
            tuple(_in_one_line(self.notes)),
            key=Key.parse(self.key) if self.key else None,
            meter=Meter.parse(self.meter),
            tempo=Tempo.constant(self.tempo),
            pickup=self.pickup,
            length=self.length,
            title=self.title,
        )
        if made.length > LIMITS.bars * made.meter.ticks_per_bar + made.pickup % made.meter.ticks_per_bar:
            raise UsageError(
                f"this melody is longer than {LIMITS.bars} bars", f"send {LIMITS.bars} bars or fewer at a time"
            )
        return made

    @classmethod
    def of(cls, melody: Melody) -> MelodyShape:
        """How a melody is sent."""
        return cls.model_construct(
            notes=[NoteShape.of(note) for note in melody.sounding],
            key=melody.key.name if melody.key else None,
            meter=str(melody.meter),
            tempo=melody.tempo.initial,
            pickup=melody.pickup,
            length=melody.length,
            title=melody.title,
        )


def _in_one_line(notes: Sequence[NoteShape]) -> Iterator[Note]:
    """The notes one after another; many that overlap would take minutes to engrave."""
    ordered = sorted(notes, key=lambda note: note.onset)
    for note, following in zip_longest(ordered, ordered[1:]):
        room = following.onset - note.onset if following is not None else note.duration
        if not room:
            raise UsageError(
                f"two notes begin at tick {note.onset}", "send them as one note with several pitches: a chord"
            )
        yield Note(tuple(note.pitches), note.onset, min(note.duration, room))


class RulesShape(Shape):
    """Which rules judge, and how much each weighs."""

    set: Literal["cantilena", "rl-tuner", "paper"] = Field(
        default="cantilena", description="A set of `GET /api/rules`."
    )
    weights: Annotated[dict[Name, Weight], Field(max_length=64)] = Field(
        default_factory=dict, description="Weights by rule; 1 is the published value, 0 switches a rule off."
    )
    only: Annotated[list[Name], Field(max_length=64)] = Field(
        default_factory=list, description="The rules that judge; all of the set where none is named."
    )

    def rules(self) -> RuleSet:
        """The rules themselves, those that are switched off left out of the sum.

        Raises:
            UsageError: the set has no rule of that name.
        """
        rules = RULE_SETS[self.set].with_weights(**self.weights)
        return rules.only(*self.only) if self.only else rules


def constraining(text: str) -> RuleSet | None:
    """Rules that no note may break, by name alone: `rl-tuner`, `rl-tuner:key`, or several joined by + or commas.

    Files, which the command line takes too, are not looked for: no path from a request touches the disk.

    Raises:
        UsageError: there is no such set or rule.

    Example:
        >>> constraining("rl-tuner:key, paper:tonic").names
        ('key', 'tonic')
    """
    pieces = [piece.strip() for piece in text.replace("+", ",").split(",")]
    if not text.strip():
        return None
    chosen = {}
    for piece in pieces:
        name, _, rule = piece.partition(":")
        rules = RULE_SETS[name]
        for one in (rules.only(rule) if rule else rules).rules:
            if one.name in chosen:
                raise UsageError(f"'{text}' names the rule '{one.name}' twice", "name rules of one set alone")
            chosen[one.name] = one
    return RuleSet(text, tuple(chosen.values()))
