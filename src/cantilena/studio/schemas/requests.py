"""Schemas of request bodies."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from cantilena.errors import UsageError
from cantilena.generation import (
    MOST_BARS_OF_CALL,
    ComposeOptions,
    Lock,
    LockKind,
    PlayedNote,
    Reply,
    SamplingOptions,
    call_melody,
)
from cantilena.io import InstrumentName, Pattern
from cantilena.models.harmony.options import Every, Style
from cantilena.models.shipped import DEFAULT, DEFAULT_VAE
from cantilena.music import MOST_SECTIONS, Cadence, Form, Key, Melody, Meter
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.melody import (
    BeatsPerMinute,
    ConditioningSchema,
    Finite,
    MelodySchema,
    Name,
    Pitch,
    RulesSchema,
    Schema,
    Seed,
    Title,
)

NoteText = Annotated[str, StringConstraints(max_length=20_000)]
"""Notes as text, such as `C4 D4 E4/2`."""

FormText = Annotated[str, StringConstraints(min_length=1, max_length=400)]
"""A form, such as `AABA`."""

Temperature = Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)]
"""The temperature of sampling; 1 leaves the model's probabilities as they are."""

ModelName = Annotated[str, StringConstraints(min_length=1, max_length=80)]
"""The name of a model of `GET /api/models`."""

BarNumber = Annotated[int, Field(ge=0, le=LIMITS.bars)]
"""The number of a bar, from 1; a pickup is bar 0."""

_SAMPLING_FIELDS = {field.name for field in fields(SamplingOptions)}
# A primer and constraints are passed to the composer as objects: as text they could name files. The rules of a request
# judge what was composed, and those of the composer guide a search.
_COMPOSE_FIELDS = {field.name for field in fields(ComposeOptions)} - {"primer", "constrain", "rules"}


class GenerationRequest(Schema):
    """The model that generates, what limits it, and the rules that judge the result."""

    model: ModelName = Field(default=DEFAULT, description="A model of `GET /api/models`.")
    range: Name = Field(default="", description="The lowest and highest new note, such as `C4-A5`.")
    constrain: Annotated[str, StringConstraints(max_length=400)] = Field(
        default="", description="Rules that no new note may break if another keeps them, such as `rl-tuner:key`."
    )
    rules: RulesSchema = Field(default=RulesSchema(), description="The rules that judge the result.")

    def compose_options(self) -> ComposeOptions:
        """Return the fields of this request that are options of composing."""
        return ComposeOptions(**self.model_dump(include=_COMPOSE_FIELDS))


class SamplingRequest(GenerationRequest):
    """How notes are sampled."""

    temperature: Temperature = Field(default=1.0, description="Above 1 more surprising, below 1 more cautious.")
    top_k: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=0, description="Sample among the k most probable tokens; 0 means all."
    )
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Sample among the most probable tokens that together hold this probability."
    )
    greedy: bool = Field(default=False, description="Always take the most probable token.")
    seed: Seed = Field(default=1, description="The same seed gives the same melodies.")
    count: Annotated[int, Field(ge=1, le=LIMITS.candidates)] = Field(default=1, description="How many candidates.")

    def sampling_options(self) -> SamplingOptions:
        """Return the fields of this request that are options of sampling."""
        return SamplingOptions(**self.model_dump(include=_SAMPLING_FIELDS))


class ComposeRequest(SamplingRequest):
    """What to compose."""

    primer: NoteText = Field(default="", description="Notes to continue, as text: `C4 D4 E4/2 r/8`.")
    idea: MelodySchema | None = Field(default=None, description="A melody to continue, instead of `primer`.")
    bars: Annotated[int, Field(ge=1, le=LIMITS.bars)] = Field(default=8, description="Bars of new music.")
    total_bars: Annotated[int, Field(ge=1, le=LIMITS.bars)] | None = Field(
        default=None, description="Bars of the whole melody, the primer included, in place of `bars`."
    )
    key: Name = Field(default="", description="The key, such as `D minor`; if empty the primer's or the model's own.")
    meter: Name = Field(default="", description="The meter, such as `3/4`; if empty the primer's or the model's own.")
    tempo: BeatsPerMinute | None = Field(
        default=None, description="Quarter notes a minute; if null the primer's, or 120."
    )
    style: Name = Field(default="", description="One of the model's styles.")
    with_primer: bool = Field(default=True, description="Whether the melodies begin with the primer.")
    chords: NoteText = Field(default="", description="Chords to compose over, as text: `C | Am | F G7 | C`.")
    form: FormText = Field(
        default="auto",
        description="Sections by letter, such as `AABA` or `A8A8B8A'8`; `auto` draws a form, `free` leaves it to the "
        "model. For models that have `has_forms`.",
    )
    ending: Literal["auto", "full", "half", "open"] = Field(default="auto", description="How such a melody ends.")
    cadences: Annotated[list[Cadence | None], Field(max_length=MOST_SECTIONS)] = Field(
        default_factory=list, description="How each section of `form` ends, null if that is drawn; none for none."
    )

    @model_validator(mode="after")
    def _check_size(self) -> ComposeRequest:
        if self.total_bars is not None and "bars" in self.model_fields_set:
            raise ValueError("bars and total_bars are both given: give one")
        bars = self.total_bars or self.bars
        if bars * self.count > LIMITS.drawn_bars:
            raise ValueError(f"{bars} bars times {self.count} candidates are more than {LIMITS.drawn_bars}")
        return self

    def whole_bars(self) -> int | None:
        """Return the bars of the whole melody, if the request says them, or else its form; None if neither does.

        Raises:
            UsageError: the form is no form, or has too many bars.
        """
        if self.total_bars is not None or "bars" in self.model_fields_set or not re.search(r"\d", self.form):
            return self.total_bars
        bars = Form.parse(self.form).bars
        if bars > LIMITS.bars or bars * self.count > LIMITS.drawn_bars:
            raise UsageError(
                f"the form {self.form} has {bars} bars, times {self.count} candidates",
                f"ask for up to {LIMITS.bars} bars, and {LIMITS.drawn_bars} with all candidates together",
            )
        return bars

    def form_of(self, bars: int) -> Form | str:
        """Return the form of a melody of so many bars, with the cadences of its sections if they are given.

        Raises:
            UsageError: cadences do not fit the form, or the form not the bars.
        """
        if not self.cadences:
            return self.form
        if self.form in ("auto", "free"):
            raise UsageError("cadences of sections without a form", "give a form too, such as AABA")
        ending = self.cadences[-1] or ("full" if self.ending == "auto" else self.ending)
        return Form.parse(self.form, bars).with_cadences([*self.cadences[:-1], ending])


class LockSchema(Schema):
    """What a rewrite keeps of some notes."""

    kind: LockKind = Field(
        description="`notes` keeps them as they are, `rhythm` their onsets and durations, `contour` also whether each "
        "is higher than the one before, lower, or the same."
    )
    notes: Annotated[list[Annotated[int, Field(ge=0, lt=LIMITS.notes)]], Field(max_length=LIMITS.notes)] = Field(
        description="The numbers of the notes, from 0."
    )


class RewriteRequest(SamplingRequest):
    """Which bars of a melody to compose anew."""

    melody: MelodySchema = Field(description="The melody; the other bars stay as they are.")
    first: BarNumber = Field(description="The first bar to rewrite, from 1.")
    last: BarNumber = Field(description="The last bar to rewrite.")
    locks: Annotated[list[LockSchema], Field(max_length=64)] = Field(
        default_factory=list, description="What stays of the notes in these bars."
    )

    def to_locks(self) -> list[Lock]:
        """Convert the locks."""
        return [Lock(lock.kind, tuple(lock.notes)) for lock in self.locks if lock.notes]


class RewriteSectionRequest(SamplingRequest):
    """Which section of a melody to compose anew, with all its returns."""

    melody: MelodySchema = Field(description="The melody; its other notes stay as they are.")
    form: FormText = Field(description="Its form with the bars of each section, such as `A4A4B4A'4`.")
    cadences: Annotated[list[Cadence], Field(max_length=MOST_SECTIONS)] = Field(
        default_factory=list, description="How each section ends; none if that is not known."
    )
    section: Annotated[int, Field(ge=1, le=MOST_SECTIONS)] = Field(
        description="The number of the section, from 1; all sections of its letter are composed anew."
    )

    def to_form(self) -> Form:
        """Convert the form.

        Raises:
            UsageError: it is no form, or cadences do not fit it.
        """
        form = Form.parse(self.form)
        return form.with_cadences(self.cadences or [None] * len(form.sections))


class InterpolateRequest(GenerationRequest):
    """Two melodies to interpolate between."""

    model: ModelName = Field(default=DEFAULT_VAE, description="A VAE of `GET /api/models`.")
    first: MelodySchema = Field(description="The first melody; it is the first candidate, note for note.")
    last: MelodySchema = Field(description="The last melody; it is the last candidate.")
    steps: Annotated[int, Field(ge=2, le=LIMITS.candidates)] = Field(
        default=5, description="How many melodies, the first and the last included."
    )
    key: Name = Field(default="", description="The key of the melodies between; if empty along the circle of fifths.")


class VaryRequest(SamplingRequest):
    """A melody to vary."""

    model: ModelName = Field(default=DEFAULT_VAE, description="A VAE of `GET /api/models`.")
    melody: MelodySchema = Field(description="The melody.")
    amount: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.3, description="0 for the melody itself to 1 for a free sample."
    )


class PlayedNoteSchema(Schema):
    """A note as it was played."""

    pitch: Pitch = Field(description="The MIDI pitch.")
    on: Annotated[float, Field(ge=-60, le=3600, allow_inf_nan=False)] = Field(
        description="Seconds from the first beat of the call to the key press; negative if it was early."
    )
    off: Annotated[float, Field(ge=-60, le=3600, allow_inf_nan=False)] = Field(description="Seconds to the release.")


class CallRequest(Schema):
    """Notes as they were played, to be written as a melody of whole bars."""

    played: Annotated[list[PlayedNoteSchema], Field(max_length=LIMITS.notes)] = Field(description="What was played.")
    bars: Annotated[int, Field(ge=1, le=MOST_BARS_OF_CALL)] = Field(default=4, description="Bars of the call.")
    tempo: BeatsPerMinute = Field(default=120.0, description="Quarter notes a minute.")
    meter: Name = Field(default="4/4", description="The time signature.")
    key: Name = Field(default="", description="The key, such as `D minor`; if empty it is found from the notes.")

    def to_melody(self) -> Melody:
        """Convert to a melody.

        Raises:
            UsageError: no note lies in these bars, or a value is invalid.
        """
        return call_melody(
            [PlayedNote(note.pitch, note.on, note.off) for note in self.played],
            bars=self.bars,
            tempo=self.tempo,
            meter=Meter.parse(self.meter),
            key=Key.parse(self.key) if self.key else None,
        )


class AnswerRequest(CallRequest):
    """A call to answer with as many bars."""

    model: ModelName = Field(default=DEFAULT, description="A model of `GET /api/models`.")
    reply: Reply = Field(default="new", description="A new phrase, or the call with another ending.")
    range: Name = Field(default="", description="The lowest and highest note of the answer, such as `C4-A5`.")
    style: Name = Field(default="", description="One of the model's styles.")
    temperature: Temperature = Field(default=1.0, description="Above 1 more surprising, below 1 more cautious.")
    seed: Seed = Field(default=1, description="The same seed gives the same answer.")


class HarmoniseRequest(Schema):
    """A melody to find chords for."""

    melody: MelodySchema = Field(description="The melody.")
    style: Style = Field(default="lied", description="Whose harmony is imitated.")
    every: Every = Field(default="beat", description="Where chords may change.")
    count: Annotated[int, Field(ge=1, le=LIMITS.candidates)] = Field(default=3, description="How many harmonies.")
    seed: Seed = Field(default=1, description="The same seed gives the same chords.")


class ChordsRequest(Schema):
    """A melody, and chords to put over it."""

    melody: MelodySchema = Field(description="The melody.")
    bars: Annotated[list[NoteText], Field(max_length=LIMITS.bars)] | None = Field(
        default=None,
        description="The chords of each bar as text, such as `F G7`, from the first barline on; in an empty bar the "
        "chord before sounds on. If null the melody keeps its chords.",
    )


class JudgeRequest(Schema):
    """Melodies to judge, and the rules that judge them."""

    melodies: Annotated[list[MelodySchema], Field(min_length=1, max_length=LIMITS.judged)] = Field(
        description="The melodies."
    )
    rules: RulesSchema = Field(default=RulesSchema(), description="The rules.")

    @model_validator(mode="after")
    def _check_size(self) -> JudgeRequest:
        if sum(len(melody.notes) for melody in self.melodies) > 4 * LIMITS.notes:
            raise ValueError(f"these melodies have more than {4 * LIMITS.notes} notes together")
        return self


class NextNotesRequest(Schema):
    """A melody, and the model that predicts its notes."""

    model: ModelName = Field(default=DEFAULT, description="A model of `GET /api/models`.")
    melody: MelodySchema = Field(description="The melody so far.")
    temperature: Temperature = Field(default=1.0, description="As for composing.")
    style: Name = Field(default="", description="One of the model's styles.")
    conditioning: ConditioningSchema | None = Field(
        default=None,
        description="The `conditioning` of a candidate: its notes then have its `probabilities`. By default the model "
        "is told the style, and not how long the melody will be.",
    )


class NoteValues(Schema):
    """What each rule gave to a note; other fields of a verdict are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    note: Annotated[int, Field(ge=-1, le=LIMITS.notes)]
    values: Annotated[dict[Name, Finite], Field(max_length=64)] = Field(default_factory=dict)
    total: Finite = 0.0


class NoteColours(Schema):
    """A verdict of `POST /api/judge`, and the rule to show; other fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    rule: Name = Field(default="", description="A rule of the verdict; if empty the sum of all.")
    notes: Annotated[list[NoteValues], Field(max_length=LIMITS.notes + 1)] = Field(
        default_factory=list, description="The `notes` of a verdict."
    )


class ScoreRequest(Schema):
    """A melody to engrave."""

    melody: MelodySchema = Field(description="The melody.")
    width: Annotated[int, Field(ge=200, le=4000)] = Field(default=800, description="Width in pixels.")
    heading: bool = Field(default=False, description="Whether to print the title.")
    verdict: NoteColours | None = Field(
        default=None, description="Marks the notes: classes `gain`, `loss` and `none` in the SVG, and + or - below."
    )


class PlayedRequest(Schema):
    """A melody, and how it is played."""

    melody: MelodySchema = Field(description="The melody.")
    expressive: bool = Field(default=False, description="Whether to shape it as a pianist would; for MIDI and sound.")
    instrument: InstrumentName = Field(
        default="piano", description="What plays it, of `GET /api/instruments`; for MIDI and sound."
    )
    accompaniment: Pattern = Field(default="block", description="How its chords are played; for MIDI and sound.")


class SoundRequest(PlayedRequest):
    """A melody to play."""

    start: Annotated[int, Field(ge=0)] = Field(default=0, alias="from", description="The tick to start at.")


class ExportRequest(PlayedRequest):
    """A melody to export to a file."""


class AccompanimentRequest(Schema):
    """A melody with chords, and how they are played."""

    melody: MelodySchema = Field(description="The melody, with `chords`.")
    pattern: Pattern = Field(default="block", description="How its chords are played.")


class PrimerRequest(Schema):
    """Notes as text to check."""

    text: NoteText = Field(description="Notes such as `C4 D4 E4/2 r/8 C4+E4+G4/4.`")


class JobRequest(Schema):
    """A job to start."""

    kind: Annotated[str, StringConstraints(pattern="^tune$")] = Field(default="tune", description="`tune`.")
    model: ModelName = Field(
        default="tunes", description="The model to tune; if it is tuned already, its untuned weights."
    )
    rules: RulesSchema = Field(default=RulesSchema(), description="The rules that give the reward.")
    name: Annotated[str, StringConstraints(max_length=60)] = Field(
        default="", description="The title of the tuned model."
    )
    seconds: Annotated[float, Field(ge=10, le=600, allow_inf_nan=False)] = Field(
        default=45.0, description="About how long to train; longer gives a stronger effect."
    )
    updates: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="The number of updates, instead of `seconds`: the same number gives the same model."
    )
    seed: Seed = Field(default=1, description="The same seed and updates give the same model.")
    page: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_-]{0,64}$")] = Field(
        default="", description="The page that the job belongs to: closing the page cancels it. Empty for none."
    )


class EntryRequest(Schema):
    """A melody to add to the history."""

    candidate: dict[str, Any] = Field(description="A candidate as it was composed; it must have a `melody`.")
    settings: dict[str, Any] = Field(default_factory=dict, description="What the page needs to restore its state.")
    kept: bool = Field(default=False, description="Whether to keep it when old entries are removed.")
    title: Title = Field(default="", description="The title.")

    def checked_melody(self) -> MelodySchema:
        """Validate and return the melody of the candidate.

        Raises:
            UsageError: the candidate has no valid melody.
        """
        try:
            melody = MelodySchema.model_validate(self.candidate.get("melody"))
            melody.to_melody()
        except ValueError as error:
            raise UsageError("the candidate has no valid melody", "send it as it was composed") from error
        return melody


class EntryChange(Schema):
    """What to change in an entry of the history."""

    kept: bool | None = Field(default=None, description="Whether to keep it when old entries are removed.")
    title: Title | None = Field(default=None, description="The title.")
