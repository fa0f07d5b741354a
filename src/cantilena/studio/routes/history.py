"""The history of composed melodies."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from cantilena.server import NOT_FOUND
from cantilena.studio.schemas.requests import EntryChange, EntryRequest
from cantilena.studio.schemas.responses import Deleted, Entries, EntryAnswer
from cantilena.studio.state import StudioDep

router = APIRouter(prefix="/api/history", tags=["history"])

EntryId = Annotated[int, Path(ge=0, lt=2**53, description="The `id` of an entry.")]

# These are not coroutines: FastAPI runs them in threads, so that waiting for the disk does not block other requests.


@router.get("")
def entries(
    studio: StudioDep,
    limit: Annotated[int, Query(ge=1, le=200, description="At most that many.")] = 50,
    before: Annotated[int | None, Query(ge=0, lt=2**53, description="Only entries with a smaller id.")] = None,
    kept: Annotated[bool | None, Query(description="Only entries that are kept, or only the others.")] = None,
) -> Entries:
    """List entries, the newest first."""
    found, total = studio.history.entries(limit=limit, before=before, kept=kept)
    return Entries(entries=found, total=total)


@router.post("", status_code=201)
def add(body: EntryRequest, studio: StudioDep) -> EntryAnswer:
    """Add a melody; of more than 10,000 entries the oldest that is not kept is deleted."""
    melody = body.checked_melody()
    title = body.title or melody.title
    return EntryAnswer(entry=studio.history.add(body.candidate, body.settings, kept=body.kept, title=title))


@router.patch("/{number}", responses=NOT_FOUND)
def change(number: EntryId, body: EntryChange, studio: StudioDep) -> EntryAnswer:
    """Change whether an entry is kept, or its title."""
    return EntryAnswer(entry=studio.history.change(number, kept=body.kept, title=body.title))


@router.delete("/{number}", responses=NOT_FOUND)
def delete(number: EntryId, studio: StudioDep) -> Deleted:
    """Delete an entry."""
    studio.history.delete(number)
    return Deleted(deleted=str(number))
