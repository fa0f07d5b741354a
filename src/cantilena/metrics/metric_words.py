"""What a metric is in words: its name, its definition in a sentence, and which way is good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Wish = Literal["less", "more", "none"]
Unit = Literal["share", "correlation", "nats", "number"]

PAPER_PREFIX = "paper."
"""Metrics by the paper's own wording of the rules carry it."""

MUSICAL_PREFIX = "cantilena."
"""Metrics by the rules of the set `cantilena` carry it."""

INSIDE = "_inside"
"""At the end of a feature's name: the share of melodies that keep the feature where people keep it."""


@dataclass(frozen=True)
class MetricWords:
    """A metric in words.

    Args:
        name: its key in results.json.
        label: what tables call it.
        meaning: its definition, one sentence.
        wish: whether less or more of it is better by the rule; `none` where it only tells how far one is from where.
        unit: `share` of steps or melodies, `correlation` between -1 and 1, `nats` a step, or a `number`.
        group: the part of the table it stands in.
    """

    name: str
    label: str
    meaning: str
    wish: Wish
    unit: Unit
    group: str

    @property
    def sign(self) -> str:
        """An arrow in the direction that the rule asks for, or nothing."""
        return {"less": "↓", "more": "↑", "none": ""}[self.wish]


RULES, RULES_BY_PAPER = "Rules, as RL Tuner counts them", "Rules, as the paper words them"
RULES_BY_US = "Rules, as Cantilena hears them"
DIVERSITY, DISTANCE, ORIGINALITY = "Diversity", "Distance to the data", "Originality"
"""The parts of a table of metrics, in order."""
