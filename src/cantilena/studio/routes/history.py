"""The history of what was composed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from cantilena.server import UNKNOWN
from cantilena.studio.schemas.requests import EntryChange, EntryRequest
from cantilena.studio.schemas.responses import Entries, EntryAnswer, Gone
from cantilena.studio.state import Here

ROUTES = APIRouter(prefix="/api/history", tags=["history"])
"""The addresses of this file."""

Number = Annotated[int, Path(ge=0, lt=2**53, description="The `id` of an entry.")]

# These are no coroutines: SQLite waits for the disk, and others are answered meanwhile.


@ROUTES.get("")
def entries(
    studio: Here,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at the most.")] = 50,
    before: Annotated[int | None, Query(ge=0, lt=2**53, description="Only older ones than this.")] = None,
    kept: Annotated[bool | None, Query(description="Only those that are kept, or only the others.")] = None,
) -> Entries:
    """Some entries, the newest first."""
    found, total = studio.history.entries(limit=limit, before=before, kept=kept)
    return Entries(entries=found, total=total)


@ROUTES.post("", status_code=201)
def add(asked: EntryRequest, studio: Here) -> EntryAnswer:
    """Remember a melody; of more than 10,000 the oldest that is not kept goes."""
    melody = asked.checked_melody()
    title = asked.title or melody.title
    return EntryAnswer(entry=studio.history.add(asked.candidate, asked.settings, kept=asked.kept, title=title))


@ROUTES.patch("/{number}", responses=UNKNOWN)
def change(number: Number, asked: EntryChange, studio: Here) -> EntryAnswer:
    """Keep an entry or let it go, or call it otherwise."""
    return EntryAnswer(entry=studio.history.change(number, kept=asked.kept, title=asked.title))


@ROUTES.delete("/{number}", responses=UNKNOWN)
def delete(number: Number, studio: Here) -> Gone:
    """Forget an entry."""
    studio.history.delete(number)
    return Gone(deleted=str(number))
