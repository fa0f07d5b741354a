"""Tickets: the server's own word of when it gave out a sound, which the page hands back with the answer.

A ticket says nothing of the clip. It stands for nothing but one place of one sitting, and holds after the server was
killed, since the key lies with the answers: nothing needs to be written down when a sound is given out.
"""

from __future__ import annotations

import hmac
import re

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
