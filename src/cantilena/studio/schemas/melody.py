"""Schemas of music in requests and responses: notes, melodies, and the rules that judge them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cantilena.errors import UsageError
from cantilena.generation import Conditioning
from cantilena.models import REGISTERS
from cantilena.music import (
    MOST_SECTIONS,
    TICKS_PER_QUARTER,
    Cadence,
    Chord,
    ChordTrack,
    Form,
    Key,
    Melody,
    Meter,
    Note,
    Tempo,
)
from cantilena.rules import RULE_SETS, RuleSet
from cantilena.studio.options import LIMITS

MAX_TICKS = 64 * 4 * TICKS_PER_QUARTER * LIMITS.bars
"""The longest time in ticks: as many bars as a melody may have, of the longest meter."""

Ticks = Annotated[int, Field(ge=0, le=MAX_TICKS)]
"""A time in ticks, 24 a quarter note."""

Pitch = Annotated[int, Field(ge=0, le=127)]
"""A MIDI pitch."""

Name = Annotated[str, StringConstraints(max_length=80)]
"""The name of a rule, a style, a key .."""

Title = Annotated[str, StringConstraints(max_length=200)]
"""A title."""

BeatsPerMinute = Annotated[float, Field(ge=10, le=1000, allow_inf_nan=False)]
"""A tempo in quarter notes a minute."""

Seed = Annotated[int, Field(ge=0, lt=2**53)]
"""A seed; JavaScript represents integers exactly up to 2^53."""

Weight = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]
"""The weight of a rule."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A number that JSON can represent."""


class Schema(BaseModel):
    """Base of the request schemas: immutable, unknown fields are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class NoteSchema(Schema):
    """A note, or several struck together as a chord."""

    onset: Ticks = Field(description="Onset in ticks from the start of the melody; 24 ticks are a quarter note.")
    duration: Annotated[int, Field(ge=1, le=MAX_TICKS)] = Field(description="Duration in ticks.")
    pitches: Annotated[list[Pitch], Field(min_length=1, max_length=12)] = Field(
        description="MIDI pitches; several form a chord."
    )

    @classmethod
    def from_note(cls, note: Note) -> NoteSchema:
        """Convert a note."""
        return cls.model_construct(onset=note.onset, duration=note.duration, pitches=list(note.pitches))


class ChordSchema(Schema):
    """A chord that sounds from a tick until the next one."""

    onset: Ticks = Field(description="Onset in ticks from the start of the melody.")
    symbol: Name = Field(description="As in lead sheets: `C`, `Am7`, `F/A`, `N.C.`.")

    @classmethod
    def from_track(cls, chords: ChordTrack) -> list[ChordSchema]:
        """Convert the chords of a melody."""
        return [cls.model_construct(onset=tick, symbol=str(chord)) for tick, chord in chords]

    @staticmethod
    def to_track(chords: Sequence[ChordSchema]) -> ChordTrack:
        """Convert to a chord track.

        Raises:
            UsageError: a symbol is no chord, or two chords have the same onset.
        """
        ordered = sorted(chords, key=lambda chord: chord.onset)
        return ChordTrack(tuple((chord.onset, Chord.parse(chord.symbol)) for chord in ordered))


class MelodySchema(Schema):
    """A melody: notes and chords one after another, numbered from 0 by onset. Rests are not written.

    A note ends at the latest where the next one begins.
    """

    notes: Annotated[list[NoteSchema], Field(max_length=LIMITS.notes)] = Field(description="The notes.")
    key: Name | None = Field(default="C major", description="The key, such as `D minor`; null if unknown.")
    meter: Name = Field(default="4/4", description="The time signature.")
    tempo: BeatsPerMinute = Field(default=120.0, description="Quarter notes a minute.")
    pickup: Ticks = Field(default=0, description="Ticks before the first barline.")
    length: Ticks = Field(default=0, description="Ticks from start to end; at least the end of the last note.")
    title: Title = Field(default="", description="The title.")
    chords: Annotated[list[ChordSchema], Field(max_length=LIMITS.notes)] = Field(
        default_factory=list, description="The chords over it."
    )

    def to_melody(self) -> Melody:
        """Convert to a melody.

        Raises:
            UsageError: an invalid key or meter, too many bars, two notes with the same onset.
        """
        melody = Melody(
            tuple(_monophonic(self.notes)),
            key=Key.parse(self.key) if self.key else None,
            meter=Meter.parse(self.meter),
            tempo=Tempo.constant(self.tempo),
            pickup=self.pickup,
            length=self.length,
            title=self.title,
            chords=ChordSchema.to_track(self.chords),
        )
        bar = melody.meter.ticks_per_bar
        if melody.length > LIMITS.bars * bar + melody.pickup % bar:
            raise UsageError(f"this melody is longer than {LIMITS.bars} bars", f"send at most {LIMITS.bars} bars")
        return melody

    @classmethod
    def from_melody(cls, melody: Melody) -> MelodySchema:
        """Convert a melody."""
        return cls.model_construct(
            notes=[NoteSchema.from_note(note) for note in melody.sounding],
            key=melody.key.name if melody.key else None,
            meter=str(melody.meter),
            tempo=melody.tempo.initial,
            pickup=melody.pickup,
            length=melody.length,
            title=melody.title,
            chords=ChordSchema.from_track(melody.chords),
        )


def _monophonic(notes: Sequence[NoteSchema]) -> Iterator[Note]:
    """Sort notes and end each where the next one begins; many overlapping notes would take minutes to engrave."""
    ordered = sorted(notes, key=lambda note: note.onset)
    for note, following in zip_longest(ordered, ordered[1:]):
        room = following.onset - note.onset if following is not None else note.duration
        if not room:
            raise UsageError(f"two notes begin at tick {note.onset}", "send a chord as one note with several pitches")
        yield Note(tuple(note.pitches), note.onset, min(note.duration, room))


class ConditioningSchema(Schema):
    """What a model was told of a melody before its first note, beside key, meter and pickup."""

    semitones: Annotated[int, Field(ge=-127, le=127)] = Field(
        default=0, description="From the model's own key to that of the melody."
    )
    style_id: Annotated[int, Field(ge=0)] = Field(
        default=0, description="The number of the style among those of the model, from 1; 0 for none."
    )
    register_id: Annotated[int, Field(ge=0, le=REGISTERS)] = Field(
        default=0, description="The mean pitch: thirds of an octave from C2 on, from 1; 0 for none."
    )
    length: Ticks = Field(default=0, description="Ticks of the whole melody; 0 for none.")
    form: Annotated[str, StringConstraints(max_length=400)] = Field(
        default="", description="The form, such as `A4A'4`; empty for none."
    )
    ending: Cadence = Field(default="open", description="How the form ends.")
    cadences: Annotated[list[Cadence], Field(max_length=MOST_SECTIONS)] = Field(
        default_factory=list, description="How each section of the form ends; none if only its end is known."
    )
    chords: Annotated[list[ChordSchema], Field(max_length=LIMITS.notes)] = Field(
        default_factory=list, description="The chords over the melody; none for none."
    )

    def to_conditioning(self) -> Conditioning:
        """Convert to the conditioning of the composer.

        Raises:
            UsageError: the form or a chord is invalid.
        """
        form = Form.parse(self.form, ending=self.ending) if self.form else None
        if form is not None and self.cadences:
            form = form.with_cadences(self.cadences)
        chords = ChordSchema.to_track(self.chords)
        return Conditioning(self.semitones, self.style_id, self.register_id, self.length, form, chords)

    @classmethod
    def from_conditioning(cls, given: Conditioning | None) -> ConditioningSchema | None:
        """Convert the conditioning of a composition, if it has one."""
        if given is None:
            return None
        return cls.model_construct(
            semitones=given.semitones,
            style_id=given.style,
            register_id=given.register,
            length=given.length,
            form="" if given.form is None else str(given.form),
            ending="open" if given.form is None else given.form.cadence,
            cadences=[] if given.form is None else list(given.form.cadences),
            chords=ChordSchema.from_track(given.chords),
        )


class RulesSchema(Schema):
    """Which rules judge, and how much each counts."""

    set: Literal["cantilena", "rl-tuner", "paper"] = Field(
        default="cantilena", description="A rule set of `GET /api/rules`."
    )
    weights: Annotated[dict[Name, Weight], Field(max_length=64)] = Field(
        default_factory=dict, description="Weights by rule; 1 is the published value, 0 switches a rule off."
    )
    only: Annotated[list[Name], Field(max_length=64)] = Field(
        default_factory=list, description="The rules that judge; all of the set if empty."
    )

    def to_rule_set(self) -> RuleSet:
        """Convert to a rule set.

        Raises:
            UsageError: the set has no rule of that name.
        """
        rules = RULE_SETS[self.set].with_weights(**self.weights)
        return rules.only(*self.only) if self.only else rules


def parse_constraints(text: str) -> RuleSet | None:
    """Parse rules that constrain each note: `rl-tuner`, `rl-tuner:key`, or several joined by + or commas.

    Unlike the command line, this accepts names only: no text of a request is used as a path.

    Raises:
        UsageError: there is no such set or rule.

    Examples:
        >>> parse_constraints("rl-tuner:key, paper:tonic").names
        ('key', 'tonic')
    """
    if not text.strip():
        return None
    chosen = {}
    for piece in text.replace("+", ",").split(","):
        set_name, _, rule_name = piece.strip().partition(":")
        rules = RULE_SETS[set_name]
        for rule in (rules.only(rule_name) if rule_name else rules).rules:
            if rule.name in chosen:
                raise UsageError(f"'{text}' names the rule '{rule.name}' twice", "name rules of one set only")
            chosen[rule.name] = rule
    return RuleSet(text, tuple(chosen.values()))
