"""Which pages are open: a page that is closed leaves no work behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

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
