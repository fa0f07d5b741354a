"""Ticks to seconds, for many ticks of one tempo map."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise

from cantilena.music import TICKS_PER_QUARTER, Tempo


def tick_to_seconds(tempo: Tempo) -> Callable[[int], float]:
    """Return a function from a tick to seconds from the start: `tempo.seconds` with a binary search.

    Performances have thousands of tempo changes.

    Examples:
        >>> seconds = tick_to_seconds(Tempo(((0, 60.0), (48, 120.0))))
        >>> seconds(24), seconds(72)
        (1.0, 2.5)
    """
    ticks = [tick for tick, _ in tempo.changes]
    pace = [60.0 / rate / TICKS_PER_QUARTER for _, rate in tempo.changes]
    reached = [0.0]
    for (start, end), seconds_per_tick in zip(pairwise(ticks), pace, strict=False):
        reached.append(reached[-1] + (end - start) * seconds_per_tick)

    def seconds(tick: int) -> float:
        index = max(bisect_right(ticks, tick) - 1, 0)
        return reached[index] + (tick - ticks[index]) * pace[index]

    return seconds
