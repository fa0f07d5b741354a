"""Which session the next listener gets: the first that is free, else the one that was left the longest ago."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

A_DAY, LEFT_FOR_GOOD = 24, 2
"""Hours of the clock after which a session that was left unfinished is free again: always, and where no other is."""


@dataclass(frozen=True)
class Seat:
    """Who has a session, and how far they are.

    Args:
        session: from 0.
        counts: whether their answers will.
        is_finished: whether they answered all trials.
        since: hour of the clock in which they began, since 1970.
    """

    session: int
    counts: bool
    is_finished: bool
    since: int


def free_session(seats: Iterable[Seat], sessions: int, hour: int) -> int | None:
    """The session that is given to whoever comes now; None where none is free.

    Args:
        seats: of those who came before.
        sessions: how many there are.
        hour: of now.

    Example:
        >>> left = Seat(0, counts=True, is_finished=False, since=100)
        >>> free_session([left], 2, 105), free_session([left], 1, 105), free_session([left], 1, 101)
        (1, 0, None)
    """
    left: dict[int, int] = {}
    for seat in seats:
        if seat.counts:
            hours = 0 if seat.is_finished else hour - seat.since
            left[seat.session] = min(left.get(seat.session, hours), hours)
    free = next((session for session in range(sessions) if left.get(session, A_DAY) >= A_DAY), None)
    if free is not None or not left:
        return free
    longest = max(left, key=lambda session: left[session])
    return longest if left[longest] >= LEFT_FOR_GOOD else None
