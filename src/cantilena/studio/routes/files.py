"""Export melodies to files, and read uploaded files."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cantilena.server import Responses
from cantilena.studio.export.engraving import note_text
from cantilena.studio.export.files import FORMATS, Playing, file_name
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.melody import MelodySchema
from cantilena.studio.schemas.requests import BarNumber, ExportRequest
from cantilena.studio.schemas.responses import ReadFile
from cantilena.studio.services.uploads import read_upload
from cantilena.studio.state import StudioDep

router = APIRouter(prefix="/api", tags=["files"])

Suffix = Literal["mid", "musicxml", "svg", "pdf", "png", "wav", "abc"]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE: Responses = {
    200: {"description": "The file.", "content": {format_.media_type: _BINARY for format_ in FORMATS.values()}}
}
_BYTES = {"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}}


@router.post("/export/{ending}", response_class=Response, responses=_FILE)
async def export(ending: Suffix, body: ExportRequest, studio: StudioDep) -> Response:
    """Export a melody: MIDI, MusicXML, the score as SVG, PDF or PNG, sound as WAV, or ABC."""
    melody, format_ = body.melody.to_melody(), FORMATS[ending]
    playing = Playing(body.expressive, body.instrument, body.accompaniment)
    content = await format_.export(melody, playing, studio.executor, studio.engraving)
    disposition = f'attachment; filename="{file_name(melody.title, ending)}"'
    return Response(content, media_type=format_.media_type, headers={"Content-Disposition": disposition})


@router.post("/read", openapi_extra=_BYTES)
async def read(
    request: Request,
    studio: StudioDep,
    name: Annotated[str, Query(min_length=1, max_length=255, description="The name of the file, with its suffix.")],
    voice: Annotated[int, Query(ge=0, le=999, description="A voice of the score, from 1; 0 for its melody.")] = 0,
    first: Annotated[BarNumber | None, Query(description="The first bar to take; by default from the start.")] = None,
    last: Annotated[BarNumber | None, Query(description="The last bar to take; by default to the end.")] = None,
) -> ReadFile:
    """Read a MIDI, MusicXML, ABC or kern file; its bytes are the body."""
    content = await request.body()
    found = await studio.upload_executor.run(
        lambda _: read_upload(name, content, voice=voice, first=first, last=last), 3 * LIMITS.read_seconds
    )
    return ReadFile(
        melody=MelodySchema.from_melody(found.melody),
        primer=note_text(found.melody),
        notes=len(found.melody.sounding),
        voices=list(found.voices),
        voice=found.voice,
        bars=found.bars,
        left_out=found.left_out,
    )
