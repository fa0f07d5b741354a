"""Scores, sound, and what a model expects next."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from cantilena.generation import next_notes
from cantilena.server import UNKNOWN, Answers
from cantilena.studio.export.engraving import engraved, names_between, typed
from cantilena.studio.export.files import note_wav, played, timing
from cantilena.studio.schemas.melody import MelodyShape
from cantilena.studio.schemas.requests import NextNotesRequest, PrimerRequest, ScoreRequest, SoundRequest
from cantilena.studio.schemas.responses import Checked, NextNotes, Score, Timing
from cantilena.studio.services.compose import primer_of
from cantilena.studio.state import Here

ROUTES = APIRouter(prefix="/api", tags=["seeing and hearing"])
"""The addresses of this file."""

_SOUND = {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}
_WAV: Answers = {200: {"content": _SOUND, "description": "The sound."}}


@ROUTES.post("/primer")
async def primer(asked: PrimerRequest) -> Checked:
    """Check typed notes: the melody that they are, or which word is no note."""
    melody = primer_of(asked.text)
    if melody is None:
        return Checked(melody=MelodyShape(notes=[]), primer="", notes=0)
    shape = MelodyShape.of(melody)
    MelodyShape.model_validate(shape.model_dump()).melody()
    return Checked(melody=shape, primer=typed(melody), notes=len(melody.sounding))


@ROUTES.post("/probabilities", responses=UNKNOWN)
async def probabilities(asked: NextNotesRequest, studio: Here) -> NextNotes:
    """How probable each pitch was at each step of a melody, and what may come after its end."""
    melody = asked.melody.melody()

    def expected(_: object) -> NextNotes:
        composer = studio.composers.shown(asked.model).composer
        found = next_notes(composer, melody, style=asked.style, temperature=asked.temperature)
        return NextNotes(
            low=found.low,
            high=found.high,
            step_ticks=found.ticks_per_step,
            names=names_between(found.low, found.high, melody.key),
            off=found.off.round(6).tolist(),
            hold=found.hold.round(6).tolist(),
            pitches=found.pitches.round(6).tolist(),
        )

    return await studio.bench.run(expected)


@ROUTES.post("/score")
async def score(asked: ScoreRequest, studio: Here) -> Score:
    """Engrave a melody as SVG, and say when each note head sounds."""
    melody = asked.melody.melody()
    return await engraved(studio.engraver, melody, width=asked.width, heading=asked.heading, colours=asked.verdict)


@ROUTES.post("/sound", response_class=Response, responses=_WAV)
async def sound(asked: SoundRequest, studio: Here) -> Response:
    """A melody on the piano, as a WAV file."""
    melody = asked.melody.melody()
    content = await studio.bench.run(lambda _: played(melody, first=asked.start, expressive=asked.expressive))
    return Response(content, media_type="audio/wav")


@ROUTES.post("/timing")
async def timing_of_notes(asked: SoundRequest, studio: Here) -> Timing:
    """When each note sounds in the answer of `POST /api/sound` to the same request, so that a cursor can follow."""
    melody = asked.melody.melody()
    return await studio.looking.run(lambda _: timing(melody, first=asked.start, expressive=asked.expressive))


@ROUTES.get("/note/{pitch}.wav", response_class=Response, responses=_WAV)
async def note(
    pitch: Annotated[int, Path(ge=0, le=127)],
    studio: Here,
    velocity: Annotated[int, Query(ge=1, le=127)] = 80,
    seconds: Annotated[float, Query(gt=0, le=10)] = 2.0,
) -> Response:
    """One note of the piano, without the room, as a WAV file that never changes."""
    content = await studio.bench.run(lambda _: note_wav(pitch, velocity, seconds))
    return Response(content, media_type="audio/wav", headers={"Cache-Control": "public, max-age=31536000, immutable"})
