"""Does a rule hear bars? It is tried on melodies at random, in bars of four steps and of three."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cantilena.music import HOLD, OFF, ON, Key, Line, Meter
from cantilena.rules import Context, Rule
from cantilena.runtime import generator

_BARS = (Meter(4, 4), Meter(3, 4))


def hears_bars(rule: Rule) -> bool:
    """Whether a rule says something else of the same notes in other bars.

    Example:
        >>> from cantilena.rules import RULE_SETS
        >>> [rule.name for rule in RULE_SETS["rl-tuner"].rules if hears_bars(rule)]
        []
    """
    line = _wandering()
    one, other = (rule.rewards(line, Context(meter=meter, steps_per_bar=meter.numerator)) for meter in _BARS)
    return not np.array_equal(one, other)


@lru_cache
def _wandering() -> Line:
    """Melodies in steps of C major that begin anywhere, end anywhere, and often come back after 32 steps."""
    rng, shape = generator(0, "bars"), (96, 128)
    event = rng.choice([OFF, HOLD, ON], shape, p=[0.1, 0.3, 0.6])
    degree = np.clip(35 + np.cumsum(rng.integers(-2, 3, shape), axis=1), 7, 63)
    degree[::2], event[::2] = np.tile(degree[::2, :32], 4), np.tile(event[::2, :32], 4)
    pitch = degree // 7 * 12 + np.array(Key().pitch_classes)[degree % 7]
    return Line.of(event, np.where(event == ON, pitch, -1))
