"""The shapes of what the studio answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from cantilena.studio.schemas.melody import MelodyShape


class RuleVerdict(BaseModel):
    """What one rule says of a melody."""

    name: str
    weight: float
    says: str = Field(description="The rule in one line.")
    given: float = Field(description="What it gave, its penalties left out.")
    taken: float = Field(description="What it took, 0 or less.")
    total: float


class NoteVerdict(BaseModel):
    """What the rules say from a note's beginning to the next one's."""

    note: int = Field(description="Which note of the melody; -1 for the silence before the first.")
    place: str = Field(description="Bar and beat, such as `3.2½`.")
    values: dict[str, float] = Field(description="By rule; rules that say nothing are left out.")
    when: dict[str, str] = Field(description="By rule, when it speaks.")
    total: float


class MelodyVerdict(BaseModel):
    """What the rules say of a melody, note by note."""

    total: float
    rules: list[RuleVerdict]
    notes: list[NoteVerdict]


class Verdicts(BaseModel):
    """One verdict a melody, in the order in which they were sent."""

    verdicts: list[MelodyVerdict]


class Candidate(BaseModel):
    """A melody that a model composed."""

    melody: MelodyShape
    primer_notes: int = Field(description="So many notes at the beginning are the primer's.")
    model: str
    seed: int
    number: int = Field(description="Which of the candidates of this seed, from 1.")
    tokens: list[str] = Field(description="What was drawn, in the key that the model thinks in.")
    log_likelihood: float | None = Field(description="Nats under the untuned model; null where it is ruled out.")
    policy_log_likelihood: float | None = Field(description="Nats under the model that composed.")
    rules_broken: int | None = Field(description="Of the constraining rules; null without them.")
    probabilities: list[float | None] = Field(
        description="How probable each note was under the model; null for those that were not drawn."
    )
    verdict: MelodyVerdict | None = Field(description="What the rules say; null for a melody without a note.")


class Candidates(BaseModel):
    """What was composed."""

    candidates: list[Candidate]
    seconds: float


class StyleShown(BaseModel):
    """A style that a model can be told to compose in."""

    name: str
    key: str | None
    meter: str | None


class ModelShown(BaseModel):
    """A model that composes."""

    name: str = Field(description="How it is asked for.")
    title: str = Field(description="What to call it.")
    tuned: bool
    untuned: str | None = Field(description="The model that it was tuned from, where that is here too.")
    encoding: str
    low: int = Field(description="The lowest pitch that it knows.")
    high: int
    styles: list[StyleShown]
    key: str | None = Field(description="What it composes in unless told otherwise; null for C major.")
    meter: str | None
    licence: str
    says: str = Field(description="What it is, in plain words.")
    default: bool
    made_here: bool
    has_codes: bool = Field(description="A VAE: it goes between melodies and varies them, and is not tuned.")


class Models(BaseModel):
    """The models that can be asked for."""

    models: list[ModelShown]


class RuleShown(BaseModel):
    """A rule of music theory."""

    name: str
    says: str
    weight: float
    source: str


class RuleSetShown(BaseModel):
    """Rules that judge together."""

    name: str
    says: str
    rules: list[RuleShown]


class RuleSetsShown(BaseModel):
    """The sets of rules."""

    sets: list[RuleSetShown]
    default: str


class Head(BaseModel):
    """One note head of a score; a tied note has several."""

    note: int = Field(description="Which note of the melody.")
    id: str = Field(description="The id of its group in the SVG.")


class TimedHead(Head):
    """When a note head sounds."""

    onset: float = Field(description="Seconds from the start.")
    end: float


class Score(BaseModel):
    """An engraved score, and how to follow it."""

    svg: str
    notes: list[Head]
    timemap: list[TimedHead]


class PlayedNote(BaseModel):
    """When a note sounds as it is played."""

    note: int = Field(description="Which note of the melody.")
    onset: float = Field(description="Seconds from the beginning of the sound.")
    end: float
    velocity: int = Field(description="How hard it is struck, 1 to 127.")


class ClockPoint(BaseModel):
    """When a tick is reached."""

    tick: int
    seconds: float = Field(description="From the beginning of the sound.")


class Timing(BaseModel):
    """When everything sounds in what `POST /api/sound` answers to the same request."""

    seconds: float = Field(description="From the beginning of the sound to the melody's end, before it dies away.")
    notes: list[PlayedNote] = Field(description="The notes that sound, in their order.")
    clock: list[ClockPoint] = Field(description="From the first tick to the last; between two, time runs evenly.")


class NextNotes(BaseModel):
    """How probable each next note was, step by step, and what may come after the last."""

    low: int
    high: int
    step_ticks: int
    names: list[str] = Field(description="The names of the pitches from low to high, as the melody's key spells them.")
    off: list[float] = Field(description="That what sounds ends, by step.")
    hold: list[float] = Field(description="That what is goes on, by step.")
    pitches: list[list[float]] = Field(description="That each pitch is struck: a row a step, a number a pitch.")


class Checked(BaseModel):
    """Notes that could be read."""

    melody: MelodyShape
    primer: str = Field(description="The same as typed notes, where they can be typed; else empty.")
    notes: int


class Curves(BaseModel):
    """The course of a tuning; lists of equal length."""

    update: list[int]
    reward: list[float]
    diversity: list[float | None] = Field(description="Distinct four-note figures among all; null where nobody looked.")
    kl: list[float | None] = Field(description="How far from the model before, nats a step.")


class Job(BaseModel):
    """Long work that runs behind the page."""

    id: str
    kind: Literal["tune"]
    state: Literal["waiting", "running", "done", "cancelled", "failed"]
    place: int = Field(description="Its place in the queue: 0 runs or is over, 1 is next.")
    progress: float = Field(description="0 to 1.")
    seconds_left: float | None
    title: str = Field(description="What its model will be called.")
    source: str = Field(description="The model that it tunes.")
    model: str | None = Field(description="The name of the model that was made.")
    error: str | None
    curves: Curves


class JobAnswer(BaseModel):
    """One job."""

    job: Job


class Jobs(BaseModel):
    """All jobs since the studio opened, the newest last."""

    jobs: list[Job]


class Entry(BaseModel):
    """A melody in the history."""

    id: int
    made: str = Field(description="When, ISO 8601 in UTC.")
    kept: bool
    title: str
    candidate: dict[str, Any]
    settings: dict[str, Any]


class EntryAnswer(BaseModel):
    """One entry."""

    entry: Entry


class Entries(BaseModel):
    """A part of the history, the newest first."""

    entries: list[Entry]
    total: int


class About(BaseModel):
    """What this studio is."""

    version: str
    device: str
    limits: dict[str, float]
    trouble: str | None = Field(description="What a person should know, such as a history that could not be read.")


class Gone(BaseModel):
    """It is taken away."""

    deleted: str
