"""Tickets: the server's own word of when it gave out a sound, which the page hands back with the answer.

A ticket says nothing of the clip. It stands for nothing but one place of one sitting, and holds after the server was
killed, since the key lies with the answers: nothing needs to be written down when a sound is given out.

How fast sittings may be begun from one address, so that a script does not fill the book.

Addresses are counted in memory alone and are written nowhere. A class behind one address may come all at once.
"""

from __future__ import annotations

import hmac
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from cantilena.server import TooManyRequestsError

_FORM = re.compile(r"([0-9]{1,16})\.([0-9a-f]{64})")


def ticket(key: bytes, listener: str, place: str, at: float) -> str:
    """A ticket for a sound that is given out.

    Args:
        key: of the server.
        listener: to whom.
        place: the name of the place in the sitting.
        at: when, seconds.
    """
    milliseconds = round(at * 1000)
    return f"{milliseconds}.{_sign(key, listener, place, milliseconds)}"


def given_out_at(key: bytes, listener: str, place: str, shown: str) -> float | None:
    """When the sound was given out, seconds; None where the ticket is not ours, or of another place.

    Example:
        >>> shown = ticket(b"key", "listener-1", "trial-0", 12.5)
        >>> given_out_at(b"key", "listener-1", "trial-0", shown), given_out_at(b"key", "listener-1", "trial-1", shown)
        (12.5, None)
    """
    found = _FORM.fullmatch(shown)
    if found is None or not found[1].isascii():
        return None
    milliseconds = int(found[1])
    if not hmac.compare_digest(found[2], _sign(key, listener, place, milliseconds)):
        return None
    return milliseconds / 1000


def _sign(key: bytes, listener: str, place: str, milliseconds: int) -> str:
    return hmac.digest(key, f"{listener} {place} {milliseconds}".encode(), "sha256").hex()


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
        cantilena.server.error_responses.TooManyRequestsError: many begin at once
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
                raise TooManyRequestsError("many begin at once", "wait a moment")
            self._empty_at[address] = level
            while len(self._empty_at) > _ADDRESSES:
                self._empty_at.popitem(last=False)
