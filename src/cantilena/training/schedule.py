"""How the learning rate rises and falls."""

from __future__ import annotations

import math

from cantilena.training.options import TrainingOptions

_FLOOR = 0.01
"""What is left of the learning rate at the end of the cosine."""

HALVE_AFTER = 2
"""Epochs without a better held-out loss after which the plateau schedule halves the learning rate."""


def learning_rate(options: TrainingOptions, updates: int, share: float, halvings: int) -> float:
    """The learning rate of an update.

    Args:
        options: highest learning rate, schedule and warm-up.
        updates: updates done so far.
        share: of all epochs' batches done so far, 0 to 1.
        halvings: how often the plateau schedule has halved it.

    Example:
        >>> learning_rate(TrainingOptions(learning_rate=1.0, warmup=0, schedule="cosine"), 500, 0.5, 0)
        0.505
    """
    rate = options.learning_rate * min((updates + 1) / (options.warmup + 1), 1.0)
    if options.schedule == "cosine":
        rate *= _FLOOR + (1.0 - _FLOOR) * 0.5 * (1.0 + math.cos(math.pi * share))
    elif options.schedule == "plateau":
        rate *= 0.5**halvings
    return rate
