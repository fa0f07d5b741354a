"""What the studio can be asked for when it opens, and what it lets a request ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cantilena.errors import UsageError


@dataclass(frozen=True)
class StudioOptions:
    """Where the studio listens and keeps its things."""

    port: int = 8000
    """The port of the page; 0 takes any free one."""

    host: str = "127.0.0.1"
    """The address to listen on: 127.0.0.1 is this computer alone, 0.0.0.0 all that can reach it."""

    allow_host: tuple[str, ...] = ()
    """Names by which other computers may call the studio, such as music.local; needed only with --host."""

    home: Path | None = None
    """The folder of its history and of the models tuned here; the system's usual place where none is given."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port {self.port}", "give a number from 1 to 65535, or 0 for any free port")
        if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", self.host):
            raise UsageError(f"'{self.host}' is no address", "give an address such as 127.0.0.1 or 0.0.0.0")
        for name in self.allow_host:
            if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?", name):
                raise UsageError(f"'{name}' is no name of a host", "give it without port or slashes: music.local")


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
