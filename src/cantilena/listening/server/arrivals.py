"""How fast sittings may be begun from one address, so that a script does not fill the book.

Addresses are counted in memory alone and are written nowhere. A class behind one address may come all at once.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from cantilena.server import CrowdedError

AT_ONCE = 150
"""Sittings that may be begun from one address at once."""

EVERY = 2.0
"""Seconds after which one more may be."""

_ADDRESSES = 10_000


class Arrivals:
    """Lets people in (a leaky bucket for every address).

    Args:
        at_once: how many at once.
        every: seconds for one more.
        clock: the time, seconds.

    Example:
        >>> arrivals = Arrivals(at_once=1)
        >>> arrivals.let_in("192.0.2.1")
        >>> arrivals.let_in("192.0.2.1")
        Traceback (most recent call last):
        cantilena.server.error_responses.CrowdedError: many begin at once
    """

    def __init__(
        self, at_once: int = AT_ONCE, every: float = EVERY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.at_once, self.every, self.clock = at_once, every, clock
        self._empty_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def let_in(self, address: str) -> None:
        """Count one more.

        Raises:
            CrowdedError: too many came from there just now.
        """
        with self._lock:
            now = self.clock()
            level = max(self._empty_at.pop(address, now), now) + self.every
            if level - now > self.at_once * self.every:
                self._empty_at[address] = level - self.every
                raise CrowdedError("many begin at once", "wait a moment")
            self._empty_at[address] = level
            while len(self._empty_at) > _ADDRESSES:
                self._empty_at.popitem(last=False)
