"""One tuning in the background, from when it is asked for to when it is over."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from cantilena.studio.schemas.responses import Curves
from cantilena.studio.services.tuning_worker import Order

State = Literal["waiting", "running", "done", "cancelled", "failed"]


@dataclass(eq=False)
class Tuning:
    """One tuning, from when it is asked for to when it is over."""

    order: Order
    title: str
    source: str
    page: str
    model: str
    facts: dict[str, Any]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "waiting"
    error: str | None = None
    updates: int = 0
    learning: float = 0.0
    curves: Curves = field(default_factory=lambda: Curves(update=[], reward=[], diversity=[], kl=[]))
    process: asyncio.subprocess.Process | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "cancelled", "failed")

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        if self.state == "done":
            return 1.0
        return min(len(self.curves.update) / self.updates, 1.0) if self.updates else 0.0

    @property
    def seconds_left(self) -> float | None:
        """By the time that the updates took; None where that is not known yet."""
        done = len(self.curves.update)
        if self.state != "running" or not done:
            return None
        return round((time.monotonic() - self.learning) / done * (self.updates - done), 1)

    def change(self, state: State | None = None) -> None:
        """Tell whoever waits that something is new."""
        if state is not None:
            self.state = state
        self.changed.set()
