"""Signed tokens that prove when a sound was sent, and the rate limit for new participants.

A token is bound to one step of one participant and contains nothing about the clip. It needs no storage and stays valid
when the server is restarted, because the signing key is stored with the answers. The rate limit keeps addresses in
memory only.
"""

from __future__ import annotations

import hmac
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 150
"""New participants from one address at once: a whole class may share an address."""

INTERVAL = 2.0
"""Seconds until one more is allowed."""

_MAX_ADDRESSES = 10_000
_TOKEN = re.compile(r"([0-9]{1,16})\.([0-9a-f]{64})")


def sign_token(key: bytes, listener: str, step: str, sent_at: float) -> str:
    """Make the token of a sound that is sent to a listener for a step, at a time in seconds."""
    milliseconds = round(sent_at * 1000)
    return f"{milliseconds}.{_signature(key, listener, step, milliseconds)}"


def token_time(key: bytes, listener: str, step: str, token: str) -> float | None:
    """Return the time at which a sound was sent, in seconds; None if the token is invalid or of another step.

    Example:
        >>> token = sign_token(b"key", "listener-1", "trial-0", 12.5)
        >>> token_time(b"key", "listener-1", "trial-0", token), token_time(b"key", "listener-1", "trial-1", token)
        (12.5, None)
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    milliseconds = int(match[1])
    if not hmac.compare_digest(match[2], _signature(key, listener, step, milliseconds)):
        return None
    return milliseconds / 1000


def _signature(key: bytes, listener: str, step: str, milliseconds: int) -> str:
    return hmac.digest(key, f"{listener} {step} {milliseconds}".encode(), "sha256").hex()


class RateLimit:
    """A leaky bucket for each address: `burst` requests at once, and one more every `interval` seconds.

    Example:
        >>> limit = RateLimit(burst=1)
        >>> limit.allows("192.0.2.1"), limit.allows("192.0.2.1"), limit.allows("192.0.2.2")
        (True, False, True)
    """

    def __init__(
        self, burst: int = BURST, interval: float = INTERVAL, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.burst, self.interval, self.clock = burst, interval, clock
        self._empty_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, address: str) -> bool:
        """Count a request, unless there were too many from its address; return whether it is allowed."""
        with self._lock:
            now = self.clock()
            empty_at = max(self._empty_at.pop(address, now), now) + self.interval
            is_allowed = empty_at - now <= self.burst * self.interval
            self._empty_at[address] = empty_at if is_allowed else empty_at - self.interval
            while len(self._empty_at) > _MAX_ADDRESSES:
                self._empty_at.popitem(last=False)
        return is_allowed
