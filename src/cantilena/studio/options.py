"""Options of the studio, and the limits that it sets to requests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cantilena.server import ServerOptions


@dataclass(frozen=True)
class StudioOptions(ServerOptions):
    """Where the studio listens and stores its data."""

    home: Path | None = None
    """The folder of the history and of the models tuned here; by default the system's folder for application data."""


@dataclass(frozen=True)
class Limits:
    """The limits of requests; `GET /api/about` returns them."""

    notes: int = 2000
    """Notes of a melody."""

    bars: int = 200
    """Bars of a melody."""

    candidates: int = 16
    """Melodies composed in one request."""

    drawn_bars: int = 512
    """Bars composed in one request, all candidates together."""

    judged: int = 32
    """Melodies judged in one request."""

    body: int = 2**20
    """Bytes of a request body."""

    seconds: float = 30.0
    """How long a request may take, waiting included."""

    read_seconds: float = 10.0
    """How long reading an uploaded file may take."""

    read_memory: int = 2**29
    """Bytes of memory for reading an uploaded file."""

    engraving_memory: int = 2**30
    """Bytes of memory for engraving a score."""

    at_once: int = 2
    """Requests that are computed at the same time."""

    waiting: int = 96
    """Requests that may wait in the queue."""

    jobs: int = 8
    """Tunings that may wait in the queue."""

    models: int = 50
    """Models tuned here that are kept."""

    history: int = 10_000
    """Entries of the history."""


LIMITS = Limits()
"""The limits in force."""
