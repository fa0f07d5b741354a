"""Seconds for many ticks at once: scores that were played change their tempo thousands of times."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise

from cantilena.music import TICKS_PER_QUARTER, Tempo


def clock(tempo: Tempo) -> Callable[[int], float]:
    """A function that gives the seconds from the start to a tick, as `tempo.seconds` does, by one search.

    Args:
        tempo: the tempo map.

    Example:
        >>> seconds = clock(Tempo(((0, 60.0), (48, 120.0))))
        >>> seconds(24), seconds(72)
        (1.0, 2.5)
    """
    ticks = [tick for tick, _ in tempo.changes]
    pace = [60.0 / rate / TICKS_PER_QUARTER for _, rate in tempo.changes]
    reached = [0.0]
    for (start, end), seconds_a_tick in zip(pairwise(ticks), pace, strict=False):
        reached.append(reached[-1] + (end - start) * seconds_a_tick)

    def seconds(tick: int) -> float:
        index = max(bisect_right(ticks, tick) - 1, 0)
        return reached[index] + (tick - ticks[index]) * pace[index]

    return seconds
