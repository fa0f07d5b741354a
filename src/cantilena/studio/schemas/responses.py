"""Schemas of responses."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from cantilena.studio.schemas.melody import ConditioningSchema, MelodySchema, NoteSchema

JobState = Literal["waiting", "running", "done", "cancelled", "failed"]


class RuleVerdict(BaseModel):
    """What one rule gave to a melody."""

    name: str
    weight: float
    says: str = Field(description="The rule in one line.")
    given: float = Field(description="The sum of its rewards.")
    taken: float = Field(description="The sum of its penalties, 0 or less.")
    total: float


class NoteVerdict(BaseModel):
    """What the rules gave from one note's onset to the next."""

    note: int = Field(description="The number of the note; -1 for a rest before the first.")
    place: str = Field(description="Bar and beat, such as `3.2½`.")
    values: dict[str, float] = Field(description="By rule; rules that gave nothing are left out.")
    when: dict[str, str] = Field(description="By rule, the condition under which it gives something.")
    total: float


class MelodyVerdict(BaseModel):
    """What the rules gave to a melody, note by note."""

    total: float
    rules: list[RuleVerdict]
    notes: list[NoteVerdict]


class Verdicts(BaseModel):
    """One verdict per melody, in the order of the request."""

    verdicts: list[MelodyVerdict]


class Candidate(BaseModel):
    """A composed melody."""

    melody: MelodySchema
    primer_notes: int = Field(description="How many notes at the beginning are the primer's.")
    model: str
    seed: int
    number: int = Field(description="The number of this candidate for this seed, from 1.")
    tokens: list[str] = Field(description="The sampled tokens, in the model's own key.")
    log_likelihood: float | None = Field(description="In nats under the untuned model; null if that excludes it.")
    policy_log_likelihood: float | None = Field(description="In nats under the model that composed it.")
    rules_broken: int | None = Field(description="How often the constraints were broken; null without constraints.")
    probabilities: list[float | None] = Field(
        description="The model's probability of each note, of one with a duration of its own that of its pitch, given "
        "the duration; null for notes that were not sampled."
    )
    conditioning: ConditioningSchema | None = Field(
        description="What the model was told, which `POST /api/probabilities` takes; null if a VAE decoded codes."
    )
    verdict: MelodyVerdict | None = Field(description="What the rules gave; null for a melody without notes.")


class Candidates(BaseModel):
    """The composed melodies."""

    candidates: list[Candidate]
    seconds: float


class CallMelody(BaseModel):
    """A call as it is written."""

    melody: MelodySchema


class Answer(BaseModel):
    """A call, and the answer of a model."""

    call: MelodySchema = Field(description="What was played.")
    notes: list[NoteSchema] = Field(description="The notes of the answer, with onsets from its first beat.")
    melody: MelodySchema = Field(description="The call followed by the answer.")
    model: str
    seed: int
    seconds: float = Field(description="How long composing took.")


class HarmonyChord(BaseModel):
    """A chord over a melody."""

    onset: float = Field(description="Onset in quarter notes.")
    duration: float = Field(description="Duration in quarter notes.")
    root: int | None = Field(description="Pitch class of the root, 0 (C) to 11 (B); null for N.C., as the next three.")
    quality: str | None
    bass: int | None
    symbol: str = Field(description="As in lead sheets.")
    roman: str | None = Field(description="The Roman numeral in the key of the melody.")


class Harmony(BaseModel):
    """A melody with chords that were found for it."""

    melody: MelodySchema
    log_likelihood: float = Field(description="In nats, among all sequences of chords for the melody.")
    chords: list[HarmonyChord]


class Harmonies(BaseModel):
    """Harmonies of one melody, the most probable first."""

    harmonies: list[Harmony]


class PlacedChord(BaseModel):
    """A chord over a melody, in ticks."""

    onset: int = Field(description="Onset in ticks.")
    symbol: str = Field(description="As in lead sheets, spelled in the key of the melody.")
    roman: str = Field(description="The Roman numeral in the key of the melody; N.C. for no chord.")


class ChordChoice(BaseModel):
    """A chord that the key of a melody offers."""

    symbol: str
    roman: str
    origin: Literal["diatonic", "borrowed", "applied dominant"]


class ChordLane(BaseModel):
    """The chords of a melody, bar by bar, and those that its key offers."""

    melody: MelodySchema = Field(description="The melody with the chords.")
    key: str = Field(description="The key of the numerals: that of the melody, or an estimated one.")
    bars: list[str] = Field(description="The chords of each bar as text; empty where the chord before sounds on.")
    chords: list[PlacedChord]
    palette: list[ChordChoice]


class StyleInfo(BaseModel):
    """A style that a model can compose in."""

    name: str
    key: str | None
    meter: str | None


class ModelInfo(BaseModel):
    """A model that composes."""

    name: str = Field(description="The name to use in requests.")
    title: str = Field(description="The title to show.")
    tuned: bool
    untuned: str | None = Field(description="The model that it was tuned from, if that is available too.")
    encoding: str
    low: int = Field(description="The lowest pitch that it can sample.")
    high: int
    styles: list[StyleInfo]
    key: str | None = Field(description="The default key; null for C major.")
    meter: str | None
    licence: str
    says: str = Field(description="A description in plain words.")
    default: bool
    made_here: bool = Field(description="Whether it was tuned in this studio.")
    has_forms: bool = Field(description="Whether it composes by a form with cadences.")
    follows_chords: bool = Field(description="Whether it composes over chords.")
    has_codes: bool = Field(description="Whether it is a VAE, which can interpolate and vary, but not be tuned.")


class Models(BaseModel):
    """The available models."""

    models: list[ModelInfo]


class RuleInfo(BaseModel):
    """A rule of music theory."""

    name: str
    says: str
    weight: float
    source: str


class RuleSetInfo(BaseModel):
    """A set of rules that judge together."""

    name: str
    says: str
    rules: list[RuleInfo]


class RuleSets(BaseModel):
    """The available rule sets."""

    sets: list[RuleSetInfo]
    default: str


class NoteHead(BaseModel):
    """A note head of a score; a tied note has several."""

    note: int = Field(description="The number of the note.")
    id: str = Field(description="The id of its group in the SVG.")


class TimedNoteHead(NoteHead):
    """A note head, and when it sounds as written."""

    onset: float = Field(description="Seconds from the start.")
    end: float


class Score(BaseModel):
    """An engraved score, and when its notes sound."""

    svg: str
    notes: list[NoteHead]
    timemap: list[TimedNoteHead]


class PlayedNote(BaseModel):
    """When and how hard a note is played."""

    note: int = Field(description="The number of the note.")
    onset: float = Field(description="Seconds from the start of the sound.")
    end: float
    velocity: int = Field(description="MIDI velocity, 1 to 127.")


class ClockPoint(BaseModel):
    """When a tick is reached."""

    tick: int
    seconds: float = Field(description="Seconds from the start of the sound.")


class Timing(BaseModel):
    """The timing of the sound that `POST /api/sound` returns for the same request."""

    seconds: float = Field(description="From the start of the sound to the end of the melody, before the decay.")
    notes: list[PlayedNote] = Field(description="The notes that sound, in order.")
    clock: list[ClockPoint] = Field(description="From the first tick to the last; linear between two points.")


class InstrumentInfo(BaseModel):
    """An instrument that plays melodies."""

    name: str
    title: str
    program: int = Field(description="Its number in General MIDI, from 0.")
    chords: str = Field(description="The instrument that plays the chords under its melodies.")


class Instruments(BaseModel):
    """The instruments, the default first, and how they can play chords."""

    instruments: list[InstrumentInfo]
    accompaniments: list[str] = Field(description="The patterns of accompaniment, the default first.")


class Accompaniment(BaseModel):
    """The notes that play the chords of a melody."""

    velocity: int = Field(description="The MIDI velocity of all of them.")
    notes: list[NoteSchema]


class NextNotes(BaseModel):
    """The probability of each next note, step by step, and of what may follow the last step."""

    low: int
    high: int
    step_ticks: int
    names: list[str] = Field(description="The names of the pitches from low to high, spelled in the melody's key.")
    off: list[float] = Field(description="By step, that the current note ends.")
    hold: list[float] = Field(description="By step, that the current note or rest continues.")
    pitches: list[list[float]] = Field(description="A row per step: for each pitch, that it is struck.")
    notes: list[float] = Field(description="The probability of each note of the melody.")


class ParsedNotes(BaseModel):
    """A melody that was read from text or from a file."""

    melody: MelodySchema
    primer: str = Field(description="The melody as text; empty if it cannot be written as text.")
    notes: int


class ReadFile(ParsedNotes):
    """A melody that was read from a file, and what else is in it."""

    voices: list[str] = Field(description="The names of the voices of the score.")
    voice: int = Field(description="The voice that was read, from 1; 0 for the melody of the whole score.")
    bars: int = Field(description="The bars of the whole voice.")
    left_out: str = Field(description="What of the score is not in the melody, in words; empty for nothing.")


class Curves(BaseModel):
    """The progress of a tuning, as lists of equal length."""

    update: list[int]
    reward: list[float]
    diversity: list[float | None] = Field(description="Distinct 4-grams of notes, as a share; null if not measured.")
    kl: list[float | None] = Field(description="KL divergence from the untuned model, in nats per step.")


class Job(BaseModel):
    """A background job."""

    id: str
    kind: Literal["tune"]
    state: JobState
    place: int = Field(description="Its place in the queue: 1 is next, 0 if it is running or has ended.")
    progress: float = Field(description="0 to 1.")
    seconds_left: float | None
    title: str = Field(description="The title of the tuned model.")
    source: str = Field(description="The model that is tuned.")
    model: str | None = Field(description="The name of the tuned model, once it exists.")
    error: str | None
    curves: Curves


class JobAnswer(BaseModel):
    """One job."""

    job: Job


class Jobs(BaseModel):
    """All jobs since the studio was started, the newest last."""

    jobs: list[Job]


class Entry(BaseModel):
    """A melody in the history."""

    id: int
    made: str = Field(description="When it was added, ISO 8601 in UTC.")
    kept: bool
    title: str
    candidate: dict[str, Any]
    settings: dict[str, Any]


class EntryAnswer(BaseModel):
    """One entry."""

    entry: Entry


class Entries(BaseModel):
    """A page of the history, the newest first."""

    entries: list[Entry]
    total: int


class About(BaseModel):
    """Version, limits and state of the studio."""

    version: str
    device: str
    limits: dict[str, float]
    trouble: str | None = Field(description="A problem to tell the user about, such as a history that was damaged.")


class Deleted(BaseModel):
    """What was deleted."""

    deleted: str
