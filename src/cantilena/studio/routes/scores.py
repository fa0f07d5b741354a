"""Scores, sound, and the model's predictions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from cantilena.generation import harmonise, next_notes
from cantilena.io import InstrumentName, accompaniment
from cantilena.io.sound.accompaniment import ACCOMPANIMENT_VELOCITY
from cantilena.server import NOT_FOUND, Responses
from cantilena.studio.export.engraving import note_text, pitch_names
from cantilena.studio.export.files import Playing, melody_wav, note_wav, timing
from cantilena.studio.schemas.melody import MelodySchema, NoteSchema
from cantilena.studio.schemas.requests import (
    AccompanimentRequest,
    ChordsRequest,
    HarmoniseRequest,
    NextNotesRequest,
    PrimerRequest,
    ScoreRequest,
    SoundRequest,
)
from cantilena.studio.schemas.responses import (
    Accompaniment,
    ChordLane,
    Harmonies,
    Harmony,
    HarmonyChord,
    NextNotes,
    ParsedNotes,
    Score,
    Timing,
)
from cantilena.studio.services.chords import chord_lane
from cantilena.studio.services.compose import parse_primer
from cantilena.studio.services.executor import Deadline
from cantilena.studio.state import StudioDep

router = APIRouter(prefix="/api", tags=["scores and sound"])

_WAV: Responses = {
    200: {"description": "The sound.", "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.post("/primer")
async def primer(body: PrimerRequest) -> ParsedNotes:
    """Parse notes as text; the error says which word is not a note."""
    melody = parse_primer(body.text)
    if melody is None:
        return ParsedNotes(melody=MelodySchema(notes=[]), primer="", notes=0)
    schema = MelodySchema.from_melody(melody)
    MelodySchema.model_validate(schema.model_dump()).to_melody()  # within the limits of requests
    return ParsedNotes(melody=schema, primer=note_text(melody), notes=len(melody.sounding))


@router.post("/probabilities", responses=NOT_FOUND)
async def probabilities(body: NextNotesRequest, studio: StudioDep) -> NextNotes:
    """Return the probability of each pitch at each step of a melody, and of what may follow its end."""
    melody = body.melody.to_melody()
    conditioning = body.conditioning.to_conditioning() if body.conditioning is not None else None

    def predict(_: Deadline) -> NextNotes:
        composer = studio.models.get(body.model).composer
        table = next_notes(composer, melody, style=body.style, temperature=body.temperature, conditioning=conditioning)
        return NextNotes(
            low=table.low,
            high=table.high,
            step_ticks=table.ticks_per_step,
            names=pitch_names(table.low, table.high, melody.key),
            off=table.off.round(6).tolist(),
            hold=table.hold.round(6).tolist(),
            pitches=table.pitches.round(6).tolist(),
            notes=[round(probability, 6) for probability in table.of(melody)],
        )

    return await studio.executor.run(predict)


@router.post("/harmonise")
async def harmonise_melody(body: HarmoniseRequest, studio: StudioDep) -> Harmonies:
    """Find chords for a melody."""
    melody = body.melody.to_melody()

    def find(_: Deadline) -> Harmonies:
        found = harmonise(melody, body.count, style=body.style, every=body.every, seed=body.seed)
        rows = [
            Harmony(
                melody=MelodySchema.from_melody(one),
                log_likelihood=one.log_likelihood,
                chords=[HarmonyChord(**row) for row in one.chords_json()],
            )
            for one in found
        ]
        return Harmonies(harmonies=rows)

    return await studio.executor.run(find)


@router.post("/chords")
async def put_chords(body: ChordsRequest) -> ChordLane:
    """Put chords over a melody, bar by bar; the error says which bar has no chord symbol. Lists chords of its key."""
    return chord_lane(body.melody.to_melody(), body.bars)


@router.post("/score")
async def score(body: ScoreRequest, studio: StudioDep) -> Score:
    """Engrave a melody as SVG, with the times of its note heads."""
    melody = body.melody.to_melody()
    return await studio.engraving.score(melody, width=body.width, heading=body.heading, colours=body.verdict)


@router.post("/sound", response_class=Response, responses=_WAV)
async def sound(body: SoundRequest, studio: StudioDep) -> Response:
    """Play a melody, as a WAV file."""
    melody, playing = body.melody.to_melody(), Playing(body.expressive, body.instrument, body.accompaniment)
    content = await studio.executor.run(lambda _: melody_wav(melody, playing, start=body.start))
    return Response(content, media_type="audio/wav")


@router.post("/timing")
async def sound_timing(body: SoundRequest, studio: StudioDep) -> Timing:
    """Return when each note sounds in the response of `POST /api/sound` to the same request."""
    melody = body.melody.to_melody()
    return await studio.quick_executor.run(lambda _: timing(melody, start=body.start, expressive=body.expressive))


@router.post("/accompaniment")
async def accompanying_notes(body: AccompanimentRequest, studio: StudioDep) -> Accompaniment:
    """Return the notes that play the chords of a melody."""
    melody = body.melody.to_melody()
    notes = await studio.quick_executor.run(lambda _: accompaniment(melody, body.pattern))
    return Accompaniment(
        velocity=ACCOMPANIMENT_VELOCITY,
        notes=[NoteSchema.from_note(note) for note in notes],
    )


@router.get("/note/{pitch}.wav", response_class=Response, responses=_WAV)
async def note(
    pitch: Annotated[int, Path(ge=0, le=127)],
    studio: StudioDep,
    velocity: Annotated[int, Query(ge=1, le=127)] = 80,
    seconds: Annotated[float, Query(gt=0, le=10)] = 2.0,
    instrument: InstrumentName = "piano",
) -> Response:
    """Play one note, without reverberation, as a WAV file that never changes."""
    content = await studio.executor.run(lambda _: note_wav(pitch, velocity, seconds, instrument))
    return Response(content, media_type="audio/wav", headers={"Cache-Control": "public, max-age=31536000, immutable"})
