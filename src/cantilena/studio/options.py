"""What the studio can be asked for when it opens, and what it lets a request ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cantilena.server import Address


@dataclass(frozen=True)
class StudioOptions(Address):
    """Where the studio listens and keeps its things."""

    home: Path | None = None
    """The folder of its history and of the models tuned here; the system's usual place where none is given."""


@dataclass(frozen=True)
class Limits:
    """The most that a request may ask for."""

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
    """Bytes of a request."""

    seconds: float = 30.0
    """How long a request may take, waiting included."""

    read_seconds: float = 10.0
    """How long an uploaded file may take to read."""

    read_memory: int = 2**29
    """Bytes of memory that reading an uploaded file may take."""

    engraving_memory: int = 2**30
    """Bytes of memory that engraving a score may take."""

    at_once: int = 2
    """Requests that are computed at the same time."""

    waiting: int = 96
    """Requests that may wait for their turn."""

    jobs: int = 8
    """Tunings that may wait for their turn."""

    models: int = 50
    """Models that are kept of those tuned here."""

    history: int = 10_000
    """Entries of the history."""


LIMITS = Limits()
"""What the studio lets a request ask for."""
