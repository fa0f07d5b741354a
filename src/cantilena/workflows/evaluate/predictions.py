"""Models on held-out pieces: nats a step and a note with their intervals, and the margin between two of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cantilena.metrics import Interval, bootstrap_ratio, bootstrap_ratios
from cantilena.models import Likelihood
from cantilena.reporting.text import counted, listed
from cantilena.runtime import generator
from cantilena.workflows.evaluate.entries import Entry, entry, undefined
from cantilena.workflows.train.held_out import HeldOutPieces

CLEAR_MARGIN = 0.02
"""Nats a step: a smaller difference is not called clear, however sure it is."""

IN_PLAIN_KEYS = "_in_plain_keys"
"""Ends the names of numbers on pieces moved to C major or A minor."""


@dataclass(frozen=True)
class Prediction:
    """One model on held-out pieces.

    Args:
        name: the bundle's; of a tuned one, that of the model before tuning says so.
        pieces: as the model reads them.
        found: nats, steps and notes of each.
        in_plain_keys: the same of pieces moved to C major or A minor, where the model knows no other keys.
        impossible: why it has no likelihood, if it has none.
    """

    name: str
    pieces: HeldOutPieces
    found: Likelihood
    in_plain_keys: Likelihood | None = None
    impossible: str = ""

    def measured(self) -> Mapping[str, Likelihood]:
        """What was measured, by the ending of its numbers' names."""
        moved = {} if self.in_plain_keys is None else {IN_PLAIN_KEYS: self.in_plain_keys}
        return {"": self.found, **moved}

    def metrics(self, seed: int) -> dict[str, Entry]:
        """Nats a step and a note, with 95 % intervals from drawing works with replacement."""
        metrics = {}
        for ending, found in self.measured().items():
            nats = {f"nats_per_step{ending}": found.nats, f"nats_per_note{ending}": found.nats}
            out_of = dict(zip(nats, (found.steps.astype(np.float64), found.notes.astype(np.float64)), strict=True))
            draws = generator(seed, "likelihood")
            for name, interval in bootstrap_ratios(nats, out_of, self.pieces.labels, draws).items():
                told = entry(interval, "no note begins in these pieces")
                metrics[name] = undefined(self.impossible) if self.impossible else told
        return metrics

    def to_json(self, seed: int) -> dict[str, Any]:
        """A system of results.json: its number of pieces, its metrics, and what its tokens could not say."""
        metrics, pieces = self.metrics(seed), self.pieces
        return {
            "melodies": len(pieces.sequences),
            **({"bound": True} if self.found.at_most else {}),
            "metrics": metrics,
            "test": {name: metrics[name]["value"] for name in ("nats_per_step", "nats_per_note")},
            "steps": int(self.found.steps.sum()),
            "notes": int(self.found.notes.sum()),
            "folded": pieces.folded,
            "rounded": pieces.rounded,
            "dropped": pieces.dropped,
            "silent": pieces.silent,
        }

    def text(self, seed: int) -> str:
        """A few lines for a terminal."""
        if self.impossible:
            return f"{self.name}: {self.impossible}"
        metrics, found, pieces = self.metrics(seed), self.found, self.pieces
        sizes = (len(pieces.sequences), "piece"), (int(found.steps.sum()), "step"), (int(found.notes.sum()), "note")
        rows = []
        for ending in self.measured():
            step, note = (_number(metrics[f"nats_per_{what}{ending}"]) for what in ("step", "note"))
            place = "in plain keys" if ending else f"in {listed([counted(*size) for size in sizes])}"
            most = "at most (a bound) " if found.at_most else ""
            rows.append(f"{self.name}: {most}{step} nats a step, {note} a note {place}")
        changed = (
            (pieces.folded, "note", "moved by octaves"),
            (pieces.rounded, "note", "moved in time"),
            (pieces.dropped, "note", "left out"),
            (pieces.silent, "piece", "left out whole"),
        )
        lost = [f"{counted(count, noun)} {what}" for count, noun, what in changed if count]
        return "\n".join([*rows, f"  not as written: {listed(lost)}"] if lost else rows)


@dataclass(frozen=True)
class Margin:
    """What one model needs more than another on the same tokens, nats a step, paired by piece.

    Args:
        first: the model that the other is held beside.
        second: the other.
        metric: `nats_per_step`, or the same in plain keys.
        interval: the second's less the first's: below 0 where the second predicts better; NaN where undefined.
        reason: why it is undefined, if it is.
        bounded: whether one of the two tells no more than a bound.

    Example:
        >>> Margin("ngram", "lstm", "nats_per_step", Interval(-0.031, -0.041, -0.021)).text()
        'lstm needs 0.0310 nats a step less than ngram (95 %: 0.0210 to 0.0410): a clear margin'
    """

    first: str
    second: str
    metric: str
    interval: Interval
    reason: str = ""
    bounded: bool = False

    @property
    def clear(self) -> bool:
        """Whether it is .02 nats or more, and its interval does not hold 0."""
        one_side = self.interval.low > 0 or self.interval.high < 0
        return abs(self.interval.value) >= CLEAR_MARGIN and one_side

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        names = {"first": self.first, "second": self.second, "metric": self.metric}
        return names | entry(self.interval, self.reason) | {"clear": self.clear}

    def text(self) -> str:
        """A sentence."""
        place = " in plain keys" if self.metric.endswith(IN_PLAIN_KEYS) else ""
        if self.reason:
            return f"{self.second} and {self.first}{place} cannot be compared: {self.reason}"
        value, low, high = self.interval.value, self.interval.low, self.interval.high
        if value == low == high == 0:
            return f"{self.second} predicts each piece{place} as {self.first} does"
        word = "less" if value < 0 else "more"
        bounds = sorted((math.copysign(1.0, value) * low, math.copysign(1.0, value) * high))
        sure = f" (95 %: {bounds[0]:.4f} to {bounds[1]:.4f})" if math.isfinite(low) else ""
        margin = "a clear margin" if self.clear else "not a clear margin"
        margin += ", as far as a bound tells" if self.bounded else ""
        return f"{self.second} needs {abs(value):.4f} nats a step{place} {word} than {self.first}{sure}: {margin}"


def margins_between(first: Prediction, second: Prediction, seed: int) -> list[Margin]:
    """How much the second model needs more than the first; the interval is from drawing works with replacement.

    Args:
        first: the model that the other is held beside.
        second: the other.
        seed: of the draws.
    """
    reason = first.impossible or second.impossible
    if not reason and first.pieces.encoding.description() != second.pieces.encoding.description():
        reason = "they read the pieces as different tokens"
    ours, theirs = first.measured(), second.measured()
    margins = []
    for ending in ours:
        if ending in theirs:
            interval = Interval(math.nan, math.nan, math.nan)
            if not reason:
                steps = ours[ending].steps.astype(np.float64)
                further = theirs[ending].nats - ours[ending].nats
                draws = generator(seed, "likelihood")
                interval = bootstrap_ratio(further, steps, first.pieces.labels, draws)
            bounded = first.found.at_most or second.found.at_most
            margins.append(Margin(first.name, second.name, f"nats_per_step{ending}", interval, reason, bounded))
    return margins


def _number(told: Entry) -> str:
    if told["value"] is None:
        return "no number of"
    bounds = f" ({told['low']:.4f} to {told['high']:.4f})" if told["low"] is not None else ""
    return f"{told['value']:.4f}{bounds}"
