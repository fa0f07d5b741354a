"""Which pages are open: a page that is closed leaves no work behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

PATIENCE = 5.0
"""Seconds in which a page may come back, as one does that is loaded anew."""


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
        self._open: Counter[str] = Counter()
        self._waiting: dict[str, asyncio.TimerHandle] = {}

    async def hold(self, page: str) -> AsyncIterator[None]:
        """Say that a page is open as long as this is iterated; gives nothing, about once in two seconds."""
        self._open[page] += 1
        self._stop_waiting(page)
        try:
            yield None
            quiet = 0
            while not self.is_closing:
                await asyncio.sleep(0.25)
                quiet += 1
                if quiet % 8 == 0:
                    yield None
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
