"""The state of a running studio: its data folder, models, executors, jobs, history, and the pages that are open."""

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
from cantilena.studio.options import LIMITS
from cantilena.studio.services.compose import ComposeService, VerdictCache, warm_up
from cantilena.studio.services.executor import BoundedExecutor, EngravingPool
from cantilena.studio.services.history import History
from cantilena.studio.services.jobs import TuningQueue
from cantilena.studio.services.models import ModelRegistry, TunedModels

PAGE_TIMEOUT = 5.0
"""Seconds in which a page may reconnect, as it does when it is reloaded, before it counts as closed."""

_HEARTBEAT = 2.0
"""Seconds between two messages on the stream of a page, by which a lost connection is noticed."""


class Studio:
    """All services of a studio; the routes receive it as a parameter.

    Args:
        data: the data folder.
    """

    def __init__(self, data: DataDir) -> None:
        self.data = data
        self.models = ModelRegistry(TunedModels(data.models))
        self.verdicts = VerdictCache()
        self.composing = ComposeService(self.models, self.verdicts)
        self.executor = BoundedExecutor()
        self.upload_executor = BoundedExecutor(1, LIMITS.jobs)
        self.quick_executor = BoundedExecutor(1, LIMITS.waiting)
        self.engraving = EngravingPool()
        self.tunings = TuningQueue(self.models)
        self.pages = OpenPages(self.tunings.cancel_page)
        self.history = History(data.history, self.warn)
        self.trouble: str | None = None

    def open(self) -> None:
        """Get ready; what takes long happens in the background."""
        if self.data.lock():
            self.models.tuned.clean_up()
        self.data.share()
        threading.Thread(target=self._warm_up, daemon=True, name="warm-up").start()

    def warn(self, trouble: str) -> None:
        """Show a problem in the terminal and on the page."""
        log(trouble)
        self.trouble = trouble

    def begin_shutdown(self) -> None:
        """End streams and jobs, and reject waiting requests: all that would delay the end of the server."""
        self.tunings.stop()
        self.pages.close()
        for service in (self.executor, self.upload_executor, self.quick_executor, self.engraving):
            service.close()

    async def close(self) -> None:
        """Shut down."""
        self.begin_shutdown()
        await self.tunings.close()
        self.history.close()
        self.data.unlock()

    def _warm_up(self) -> None:
        self.models.get(DEFAULT).composer.compose(bars=1)
        self.engraving.start()
        warm_up()


def _studio_of(request: Request) -> Studio:
    studio = request.app.state.studio
    assert isinstance(studio, Studio)
    return studio


StudioDep = Annotated[Studio, Depends(_studio_of)]
"""A parameter of routes: the studio."""


class DataDir:
    """The folder with the history and the tuned models; several studios may share it.

    Args:
        folder: the folder; it is created if it does not exist.

    Raises:
        InputError: it cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.history = folder / "history.sqlite3"
        self._lock_file: IO[bytes] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InputError(
                f"cannot create the studio's folder {folder}: {error.strerror or error}",
                "give another one with --home DIR",
            ) from error

    def lock(self) -> bool:
        """Try to lock the folder; True if no other studio uses it, so that leftovers of a killed one may be removed."""
        self.unlock()
        try:
            self._lock_file = (self.folder / "open").open("ab")
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def share(self) -> None:
        """Turn the lock into a shared one."""
        if self._lock_file is not None:
            with suppress(OSError):
                fcntl.flock(self._lock_file, fcntl.LOCK_SH)

    def unlock(self) -> None:
        """Release the lock."""
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None


def default_data_dir() -> Path:
    """Return the system's folder for the data of applications."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "cantilena" / "studio"
    configured = Path(os.environ.get("XDG_DATA_HOME", ""))
    data = configured if configured.is_absolute() else Path.home() / ".local" / "share"
    return data / "cantilena" / "studio"


class OpenPages:
    """The pages that hold a stream open.

    Args:
        on_close: called with the id of a page that was closed and did not reconnect.
        timeout: seconds in which it may reconnect.
    """

    def __init__(self, on_close: Callable[[str], None], timeout: float = PAGE_TIMEOUT) -> None:
        self.on_close = on_close
        self.timeout = timeout
        self._closing = asyncio.Event()
        self._streams: Counter[str] = Counter()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def close(self) -> None:
        """End all streams, and wait for no page any more."""
        self._closing.set()

    async def stream(self, page: str) -> AsyncIterator[None]:
        """Yield regularly; the page counts as open as long as this is iterated."""
        self._streams[page] += 1
        if page in self._timers:
            self._timers.pop(page).cancel()
        try:
            while not self._closing.is_set():
                yield None
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), _HEARTBEAT)
        finally:
            self._streams[page] -= 1
            if not self._streams[page]:
                del self._streams[page]
                self.expect(page)

    def expect(self, page: str) -> None:
        """Start the timer of a page that is not connected."""
        if page and not self._streams[page] and page not in self._timers and not self._closing.is_set():
            self._timers[page] = asyncio.get_running_loop().call_later(self.timeout, self._expire, page)

    def _expire(self, page: str) -> None:
        self._timers.pop(page, None)
        if not self._streams[page]:
            self._streams.pop(page, None)
            self.on_close(page)
