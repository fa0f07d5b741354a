"""Files: melodies to take away, and files of music to begin from."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cantilena.server import Answers
from cantilena.studio.export.engraving import typed
from cantilena.studio.export.files import EXPORTS, file_name
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.melody import MelodyShape
from cantilena.studio.schemas.requests import ExportRequest
from cantilena.studio.schemas.responses import Checked
from cantilena.studio.services.executor import Deadline
from cantilena.studio.services.uploads import read_upload
from cantilena.studio.state import Here

ROUTES = APIRouter(prefix="/api", tags=["files"])
"""The addresses of this file."""

Ending = Literal["mid", "musicxml", "svg", "pdf", "png", "wav", "abc"]
"""The formats, by the ending of their files."""

_FILES: Answers = {
    200: {
        "description": "The file.",
        "content": {one.media: {"schema": {"type": "string", "format": "binary"}} for one in EXPORTS.values()},
    }
}
_BYTES = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@ROUTES.post("/export/{ending}", response_class=Response, responses=_FILES)
async def export(ending: Ending, asked: ExportRequest, studio: Here) -> Response:
    """A melody as a file: MIDI, MusicXML, the score as SVG, PDF or PNG, sound as WAV, or ABC."""
    melody, format_ = asked.melody.melody(), EXPORTS[ending]
    content = await format_.of(melody, asked.expressive, studio.bench, studio.engraver)
    disposition = f'attachment; filename="{file_name(melody.title, ending)}"'
    return Response(content, media_type=format_.media, headers={"Content-Disposition": disposition})


@ROUTES.post("/read", openapi_extra=_BYTES)
async def read(
    request: Request,
    studio: Here,
    name: Annotated[str, Query(min_length=1, max_length=255, description="How the file is called: its ending counts.")],
) -> Checked:
    """Read a MIDI, MusicXML, ABC or kern file: the bytes are the body."""
    content = await request.body()

    def extract_melody(_: Deadline) -> Checked:
        melody = read_upload(name, content)
        return Checked(melody=MelodyShape.of(melody), primer=typed(melody), notes=len(melody.sounding))

    return await studio.reading.run(extract_melody, 3 * LIMITS.read_seconds)
