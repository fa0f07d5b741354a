"""What each rule gave the melodies of a model before and after tuning: the only number that a rule of one's own has.

Metrics count the events of the rules that they know. A user's rule they do not know; what it gives a melody, whole and
with its weight, tells whether tuning brought what was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics import bootstrap_ratio
from cantilena.reporting.signed_numbers import signed
from cantilena.rl import MusicReward


def rewards_by_rule(
    tokens: NDArray[np.int64], reward: MusicReward, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Mean reward a melody by rule, neither clipped nor divided by c, with 95 % intervals by melody.

    Args:
        tokens: `(melodies, steps)`.
        reward: the rules, and the key and meter that they ask for.
        rng: for the resampling of the intervals.
    """
    melodies = np.arange(len(tokens))
    means = {
        name: bootstrap_ratio(term.sum(axis=1), np.ones(len(tokens)), melodies, rng)
        for name, term in reward.terms(tokens).items()
    }
    return {
        name: {side: round(float(getattr(found, side)), 4) for side in ("value", "low", "high")}
        for name, found in means.items()
    }


def rewards_text(systems: Mapping[str, Mapping[str, Any]], sides: Sequence[str]) -> str:
    """The same for a terminal: a row a rule, a column a system; empty where no rule rewards.

    Args:
        systems: as in `results.json`, each with `rewards`.
        sides: the columns.

    Example:
        >>> row = {"rewards": {"key": {"value": -1.5, "low": -2.0, "high": -1.0}}}
        >>> print(rewards_text({"untuned": row, "tuned": row}, ("untuned", "tuned")))
        Reward a melody, by rule    untuned     tuned
          key                         −1.5      −1.5
    """
    rules = list(systems[sides[0]]["rewards"])
    if not rules:
        return ""
    width = max(25, *(len(rule) + 4 for rule in rules))
    head = "Reward a melody, by rule".ljust(width) + "".join(f"{side:>10}" for side in sides)
    rows = [
        f"  {rule}".ljust(width) + "".join(f"{signed(systems[side]['rewards'][rule]['value']):>10}" for side in sides)
        for rule in rules
    ]
    return "\n".join([head, *rows])
