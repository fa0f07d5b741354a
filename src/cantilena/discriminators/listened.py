"""What the machine listener answers: numbers where its controls hold, a plain reason where they do not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cantilena.metrics import Interval

_DIGITS = 6


@dataclass(frozen=True)
class Separability:
    """How well one kind of classifier tells two sets apart on melodies that it has not heard.

    Args:
        accuracy: the share of right answers; a half is chance.
        auc: the chance that a generated melody sounds more generated than a human one; a half is chance.
        p: of the permutation test: how often chance alone does as well.
        family: the kind of classifier.
    """

    accuracy: Interval
    auc: Interval
    p: float
    family: str

    def to_json(self) -> dict[str, Any]:
        """JSON values, an undefined number as None with a reason."""
        return {
            "accuracy": interval_json(self.accuracy),
            "auc": interval_json(self.auc),
            "p": round(self.p, _DIGITS),
            "family": self.family,
        }


@dataclass(frozen=True)
class Listened:
    """How well a machine tells human melodies from generated ones: separability, not a Turing score.

    Args:
        headline: the strongest family, None where the answer is refused.
        refused: why there is no answer, one sentence; empty where there is one.
        families: by name, what each found; empty where the answer is refused.
        controls: `real-against-real` and `trivial`, where they could be run.
        melodies: how many, by `human` and `generated`.
        pieces: of how many pieces, likewise.
        steps: the length that all were cut to.
        seeds: how often all was done.
        left_out: melodies that were shorter.
    """

    headline: str | None
    refused: str
    families: Mapping[str, Separability]
    controls: Mapping[str, Separability]
    melodies: Mapping[str, int]
    pieces: Mapping[str, int]
    steps: int
    seeds: int
    left_out: int = field(default=0)

    @property
    def best(self) -> Separability | None:
        """What the strongest family found; None where the answer is refused."""
        return self.families[self.headline] if self.headline is not None else None

    @property
    def p(self) -> float | None:
        """How often chance alone does as well as the strongest; None where the answer is refused."""
        return self.best.p if self.best is not None else None

    def to_json(self) -> dict[str, Any]:
        """JSON values alone: None where there is no number, the reason under `refused`.

        Example:
            >>> nothing = Listened(None, "there is no melody", {}, {}, {"human": 0}, {"human": 0}, 0, 5)
            >>> nothing.to_json()["accuracy"], nothing.to_json()["refused"]
            ({'value': None, 'low': None, 'high': None, 'reason': 'there is no melody'}, 'there is no melody')
        """
        best = self.best
        undefined = {"value": None, "low": None, "high": None, "reason": self.refused}
        return {
            "headline": self.headline,
            "refused": self.refused,
            "accuracy": interval_json(best.accuracy) if best else dict(undefined),
            "auc": interval_json(best.auc) if best else dict(undefined),
            "p": round(best.p, _DIGITS) if best else None,
            "families": {name: found.to_json() for name, found in self.families.items()},
            "controls": {name: found.to_json() for name, found in self.controls.items()},
            "melodies": dict(self.melodies),
            "pieces": dict(self.pieces),
            "steps": self.steps,
            "seeds": self.seeds,
            "left_out": self.left_out,
        }


def interval_json(interval: Interval) -> dict[str, Any]:
    """A number with its bounds as JSON values, rounded; None with a reason where it is undefined.

    Example:
        >>> interval_json(Interval(2 / 3, 0.5, float("nan")))
        {'value': 0.666667, 'low': 0.5, 'high': None, 'reason': 'too few pieces for bounds'}
    """
    numbers = {"value": interval.value, "low": interval.low, "high": interval.high}
    found: dict[str, Any] = {
        name: None if math.isnan(number) else round(number, _DIGITS) for name, number in numbers.items()
    }
    if any(math.isnan(number) for number in numbers.values()):
        found["reason"] = "too few pieces for bounds"
    return found
