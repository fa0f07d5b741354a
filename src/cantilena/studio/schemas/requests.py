"""The shapes of what the studio is asked."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, SamplingOptions
from cantilena.models.shipped import DEFAULT, DEFAULT_VAE
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.melody import Finite, MelodyShape, Name, RulesShape, Seed, Shape

Text = Annotated[str, StringConstraints(max_length=20_000)]
"""Typed notes."""

Temperature = Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)]
"""How daring the drawing is; 1 is the model's own."""

Bar = Annotated[int, Field(ge=1, le=LIMITS.bars)]
"""A bar, or how many."""

Tempo = Annotated[float, Field(ge=10, le=1000, allow_inf_nan=False)]
"""Quarters a minute."""

ModelName = Annotated[str, StringConstraints(min_length=1, max_length=80)]
"""The name of a model of `GET /api/models`."""


class Drawing(Shape):
    """How notes are drawn."""

    model: ModelName = Field(default=DEFAULT, description="A name of `GET /api/models`.")
    temperature: Temperature = Field(default=1.0, description="Above 1 more surprising, below 1 more cautious.")
    top_k: Annotated[int, Field(ge=0, le=10_000)] = Field(default=0, description="Draw among so many; 0 means all.")
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Draw among those that hold this share."
    )
    greedy: bool = Field(default=False, description="Always the most probable note.")
    range: Name = Field(default="", description="The lowest and highest note, such as `C4-A5`.")
    constrain: Annotated[str, StringConstraints(max_length=400)] = Field(
        default="", description="Rules that no note may break while another keeps them, such as `rl-tuner:key`."
    )
    seed: Seed = Field(default=1, description="The same seed gives the same melodies.")
    count: Annotated[int, Field(ge=1, le=LIMITS.candidates)] = Field(default=1, description="How many candidates.")
    rules: RulesShape = Field(default=RulesShape(), description="The rules that judge what was composed.")

    def sampling(self) -> SamplingOptions:
        """The same for a composer."""
        return SamplingOptions(self.temperature, self.top_k, self.top_p, self.greedy)


class ComposeRequest(Drawing):
    """What to compose."""

    primer: Text = Field(default="", description="What to go on from, typed: `C4 D4 E4/2 r/8`.")
    idea: MelodyShape | None = Field(default=None, description="The same as a melody, in place of `primer`.")
    bars: Bar = Field(default=8, description="Length of the new music.")
    key: Name = Field(default="", description="Such as `D minor`; the primer's or the model's own where empty.")
    meter: Name = Field(default="", description="Such as `3/4`; the primer's or the model's own where empty.")
    tempo: Tempo | None = Field(default=None, description="Quarters a minute; the primer's, or 120, where null.")
    style: Name = Field(default="", description="One of the model's styles.")
    with_primer: bool = Field(default=True, description="Whether the melodies begin with the primer.")

    @model_validator(mode="after")
    def _not_too_much(self) -> ComposeRequest:
        if self.bars * self.count > LIMITS.drawn_bars:
            raise ValueError(f"{self.bars} bars times {self.count} candidates are more than {LIMITS.drawn_bars}")
        return self

    def options(self) -> ComposeOptions:
        """The same for a composer; the primer is given to it as a melody."""
        return ComposeOptions(
            bars=self.bars,
            style=self.style,
            with_primer=self.with_primer,
            key=self.key,
            range=self.range,
            meter=self.meter,
            tempo=self.tempo,
        )


class RewriteRequest(Drawing):
    """Which bars of a melody to compose anew."""

    melody: MelodyShape = Field(description="The melody; what is not rewritten stays as it is.")
    first: Annotated[int, Field(ge=0, le=LIMITS.bars)] = Field(description="The first bar to rewrite, from 1.")
    last: Annotated[int, Field(ge=0, le=LIMITS.bars)] = Field(description="The last one.")


class InterpolateRequest(Shape):
    """Two melodies to go between."""

    model: ModelName = Field(default=DEFAULT_VAE, description="A VAE of `GET /api/models`.")
    first: MelodyShape = Field(description="Where the way begins; it is the first candidate, note for note.")
    last: MelodyShape = Field(description="Where it ends; the last candidate.")
    steps: Annotated[int, Field(ge=2, le=LIMITS.candidates)] = Field(default=5, description="Melodies, ends and all.")
    key: Name = Field(default="", description="Of all between the ends; along the circle of fifths where empty.")
    range: Name = Field(default="", description="The lowest and highest new note, such as `C4-A5`.")
    constrain: Annotated[str, StringConstraints(max_length=400)] = Field(
        default="", description="Rules that no new note may break while another keeps them, such as `rl-tuner:key`."
    )
    rules: RulesShape = Field(default=RulesShape(), description="The rules that judge what was composed.")


class VaryRequest(Drawing):
    """A melody to vary."""

    model: ModelName = Field(default=DEFAULT_VAE, description="A VAE of `GET /api/models`.")
    melody: MelodyShape = Field(description="What is varied.")
    amount: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.3, description="0 for the melody itself to 1 for a free draw."
    )


class JudgeRequest(Shape):
    """Melodies to judge, and by which rules."""

    melodies: Annotated[list[MelodyShape], Field(min_length=1, max_length=LIMITS.judged)] = Field(
        description="The melodies."
    )
    rules: RulesShape = Field(default=RulesShape(), description="Who judges.")

    @model_validator(mode="after")
    def _not_too_much(self) -> JudgeRequest:
        if sum(len(melody.notes) for melody in self.melodies) > 4 * LIMITS.notes:
            raise ValueError(f"these melodies have more than {4 * LIMITS.notes} notes together")
        return self


class NextNotesRequest(Shape):
    """A melody, and the model that is asked what comes next."""

    model: ModelName = Field(default=DEFAULT, description="A name of `GET /api/models`.")
    melody: MelodyShape = Field(description="What has sounded.")
    temperature: Temperature = Field(default=1.0, description="As for composing.")
    style: Name = Field(default="", description="One of the model's styles.")


class NoteValue(Shape):
    """What rules said of a note; what else a verdict holds is not read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    note: Annotated[int, Field(ge=-1, le=LIMITS.notes)]
    values: Annotated[dict[Name, Finite], Field(max_length=64)] = Field(default_factory=dict)
    total: Finite = 0.0


class Colours(Shape):
    """A verdict as `POST /api/judge` gave it, and the rule to show; what else it holds is not read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    rule: Name = Field(default="", description="A rule of the verdict; the sum of all where empty.")
    notes: Annotated[list[NoteValue], Field(max_length=LIMITS.notes + 1)] = Field(
        default_factory=list, description="The `notes` of a verdict."
    )


class ScoreRequest(Shape):
    """A melody to engrave."""

    melody: MelodyShape = Field(description="The melody.")
    width: Annotated[int, Field(ge=200, le=4000)] = Field(default=800, description="Pixels.")
    heading: bool = Field(default=False, description="Whether the title stands above.")
    verdict: Colours | None = Field(
        default=None, description="Colours notes: classes `gain`, `loss` and `none` in the SVG, and + or - under them."
    )


class SoundRequest(Shape):
    """A melody to play."""

    melody: MelodyShape = Field(description="The melody.")
    expressive: bool = Field(
        default=False, description="Whether it is shaped as a pianist would, or exactly as written."
    )
    start: Annotated[int, Field(ge=0)] = Field(default=0, alias="from", description="The tick to begin at.")


class ExportRequest(Shape):
    """A melody to take away as a file."""

    melody: MelodyShape = Field(description="The melody.")
    expressive: bool = Field(default=False, description="As for sound; of MIDI and WAV.")


class PrimerRequest(Shape):
    """Typed notes to check."""

    text: Text = Field(description="`C4 D4 E4/2 r/8 C4+E4+G4/4.`")


class JobRequest(Shape):
    """Long work to begin."""

    kind: Annotated[str, StringConstraints(pattern="^tune$")] = Field(default="tune", description="`tune`.")
    model: ModelName = Field(default="tunes", description="The model to tune; of a tuned one its untuned model.")
    rules: RulesShape = Field(default=RulesShape(), description="What the tuned model is rewarded for.")
    name: Annotated[str, StringConstraints(max_length=60)] = Field(
        default="", description="What to call the tuned model."
    )
    seconds: Annotated[float, Field(ge=10, le=600, allow_inf_nan=False)] = Field(
        default=45.0, description="About how long learning may take; more gives a stronger effect."
    )
    updates: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="So many updates in place of `seconds`: the same number gives the same model."
    )
    seed: Seed = Field(default=1, description="The same seed and updates give the same model.")
    page: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_-]{0,64}$")] = Field(
        default="", description="The page that waits for it: when that is closed the job is cancelled. Empty: nobody's."
    )


class EntryRequest(Shape):
    """A melody to remember."""

    candidate: dict[str, Any] = Field(description="A candidate as it was composed; `melody` must be in it.")
    settings: dict[str, Any] = Field(default_factory=dict, description="What the page needs to restore its state.")
    kept: bool = Field(default=False, description="Whether it is kept when old entries go.")
    title: Annotated[str, StringConstraints(max_length=200)] = Field(default="", description="What to call it.")

    def checked_melody(self) -> MelodyShape:
        """The melody of the candidate.

        Raises:
            UsageError: there is none.
        """
        try:
            melody = MelodyShape.model_validate(self.candidate.get("melody"))
            melody.melody()
        except ValueError as error:
            raise UsageError("the candidate holds no melody", "send it as it was composed") from error
        return melody


class EntryChange(Shape):
    """What to change of an entry."""

    kept: bool | None = Field(default=None, description="Whether it is kept when old entries go.")
    title: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        default=None, description="What to call it."
    )
