"""All that a studio has: its models, its memory, its bench; one object that every route is given.

The studio's own folder: its history and the models that were tuned in it.

Which pages are open: a page that is closed leaves no work behind.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Annotated

from fastapi import Depends, Request

from cantilena.errors import InputError
from cantilena.models.shipped import DEFAULT
from cantilena.runtime import log
from cantilena.studio.export.engraving import Engraver
from cantilena.studio.options import LIMITS
from cantilena.studio.services.executor import Bench
from cantilena.studio.services.history import History
from cantilena.studio.services.jobs import Tunings
from cantilena.studio.services.judge import RememberingJudge, warm_up
from cantilena.studio.services.models import Composers, MadeModels


def usual_home() -> Path:
    """Where a studio keeps its things unless it is told otherwise: the folder that the system has for such."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "cantilena" / "studio"
    told = os.environ.get("XDG_DATA_HOME", "")
    data = Path(told) if Path(told).is_absolute() else Path.home() / ".local" / "share"
    return data / "cantilena" / "studio"


class Home:
    """A folder that one or several studios share.

    Args:
        folder: where it is; it is made if it is not there.

    Raises:
        InputError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.history = folder / "history.sqlite3"
        self._lock: IO[bytes] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InputError(
                f"cannot make the studio's folder {folder}: {error.strerror or error}", "give another one: --home DIR"
            ) from error

    def take(self) -> bool:
        """Say that a studio is open here; whether it is the only one, and may clear away what a killed one left."""
        self.leave()
        try:
            self._lock = (self.folder / "open").open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def share(self) -> None:
        """Let other studios open here too."""
        if self._lock is not None:
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Say that this studio is closed."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


PATIENCE = 5.0
"""Seconds in which a page may come back, as one does that is loaded anew."""

_BETWEEN = 2.0
"""Seconds between two signs of life of a stream that is held, by which a page that is gone is noticed too."""


class Pages:
    """The pages that hold a stream open.

    Args:
        closed: is told the id of a page that was closed and did not come back.
        patience: seconds that are waited for it.
    """

    def __init__(self, closed: Callable[[str], None], patience: float = PATIENCE) -> None:
        self.closed = closed
        self.patience = patience
        self.is_closing = False
        self._closing = asyncio.Event()
        self._open: Counter[str] = Counter()
        self._waiting: dict[str, asyncio.TimerHandle] = {}

    def close(self) -> None:
        """End every stream that is held, and wait for nobody any more."""
        self.is_closing = True
        self._closing.set()

    async def hold(self, page: str) -> AsyncIterator[None]:
        """Say that a page is open as long as this is iterated; gives nothing, once in two seconds."""
        self._open[page] += 1
        self._stop_waiting(page)
        try:
            while not self.is_closing:
                yield None
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), _BETWEEN)
        finally:
            self._open[page] -= 1
            if not self._open[page]:
                del self._open[page]
                self.expect(page)

    def expect(self, page: str) -> None:
        """Wait for a page that is not open, and tell if it does not come."""
        if page and not self._open[page] and page not in self._waiting and not self.is_closing:
            loop = asyncio.get_running_loop()
            self._waiting[page] = loop.call_later(self.patience, self._gone, page)

    def _gone(self, page: str) -> None:
        self._waiting.pop(page, None)
        if not self._open[page]:
            self._open.pop(page, None)
            self.closed(page)

    def _stop_waiting(self, page: str) -> None:
        waiting = self._waiting.pop(page, None)
        if waiting is not None:
            waiting.cancel()


class Studio:
    """What the routes work with.

    Args:
        home: the studio's folder.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.made = MadeModels(home.models)
        self.composers = Composers(self.made)
        self.judge = RememberingJudge()
        self.bench = Bench()
        self.reading = Bench(1, LIMITS.jobs)
        self.looking = Bench(1, LIMITS.waiting)
        self.engraver = Engraver()
        self.tunings = Tunings(self.composers)
        self.pages = Pages(self.tunings.cancel_of)
        self.history = History(home.history, self.tell)
        self.trouble: str | None = None

    def open(self) -> None:
        """Get ready; what takes long is done behind the page."""
        if self.home.take():
            self.made.sweep()
        self.home.share()
        threading.Thread(target=self._warm_up, daemon=True, name="warm-up").start()

    def tell(self, trouble: str) -> None:
        """Say what a person should know, in the terminal and on the page."""
        log(trouble)
        self.trouble = trouble

    def say_goodbye(self) -> None:
        """Let streams and jobs end, and refuse who waits: all that would keep the server waiting."""
        self.tunings.end()
        self.pages.close()
        self.bench.close()
        self.reading.close()
        self.looking.close()
        self.engraver.close()

    async def close(self) -> None:
        """End what runs."""
        self.say_goodbye()
        await self.tunings.close()
        self.history.close()
        self.home.leave()

    def _warm_up(self) -> None:
        self.composers.shown(DEFAULT).composer.compose(bars=1)
        self.engraver.start()
        warm_up()


def _of_request(request: Request) -> Studio:
    studio = request.app.state.studio
    assert isinstance(studio, Studio)
    return studio


Here = Annotated[Studio, Depends(_of_request)]
"""A route's parameter: the studio that it belongs to."""
