"""The trials of a search as rows: what each tried, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cantilena.reporting.text import csv_table
from cantilena.workflows.sweep.space import SearchSpace, Value, json_value

State = Literal["finished", "pruned", "failed", "interrupted", "running"]


@dataclass(frozen=True)
class TrialRow:
    """One trial of a search.

    Args:
        number: from 0, in the order in which they began.
        state: `interrupted`: the search was stopped while it ran, and it was tried again under another number.
        parameters: what it tried.
        score: nats a step and a note on the validation pieces, if it finished.
        losses: validation loss after each epoch, nats a step.
        seconds: how long it took; None if unknown.
        reason: why it did not finish, or "".
    """

    number: int
    state: State
    parameters: Mapping[str, Value]
    score: Mapping[str, float | None] = field(default_factory=dict)
    losses: Sequence[float] = ()
    seconds: float | None = None
    reason: str = ""

    @property
    def valid(self) -> float:
        """Nats a step on the validation pieces; NaN unless it finished."""
        value = self.score.get("nats_per_step")
        return math.nan if value is None else value

    def record(self) -> dict[str, Any]:
        """As JSON values: a missing loss is null, with the reason beside it."""
        return {
            "number": self.number,
            "state": self.state,
            "parameters": {name: json_value(value) for name, value in self.parameters.items()},
            "valid": None if math.isnan(self.valid) else self.valid,
            **({"reason": self.reason or self.state} if self.state != "finished" else {}),
            "epochs": len(self.losses),
            "losses": list(self.losses),
            "seconds": self.seconds,
        }


def best_of(rows: Sequence[TrialRow]) -> TrialRow | None:
    """The finished trial with the least loss, the first of equals; None if none finished.

    Examples:
        >>> rows = [TrialRow(n, "finished", {}, {"nats_per_step": loss}) for n, loss in enumerate((2.0, 1.0, 1.0))]
        >>> best_of(rows).number
        1
    """
    finished = [row for row in rows if row.state == "finished"]
    return min(finished, key=lambda row: (row.valid, row.number), default=None)


def counts_of(rows: Sequence[TrialRow]) -> dict[str, int]:
    """How many trials ended, and how; interrupted ones were tried again and do not count.

    Examples:
        >>> counts_of([TrialRow(0, "interrupted", {}), TrialRow(1, "pruned", {})])
        {'trials': 1, 'finished': 0, 'pruned': 1, 'failed': 0}
    """
    counts = {state: sum(row.state == state for row in rows) for state in ("finished", "pruned", "failed")}
    return {"trials": sum(counts.values()), **counts}


def csv_text(rows: Sequence[TrialRow], space: SearchSpace) -> str:
    """The trials as CSV, a column for each parameter.

    Examples:
        >>> from cantilena.workflows.sweep.space import Parameter
        >>> space = SearchSpace("mine", (Parameter("look_back", choices=((1, 2),)),))
        >>> row = TrialRow(0, "finished", {"look_back": (1, 2)}, {"nats_per_step": 0.5}, (0.6, 0.5), 2.0)
        >>> csv_text([row], space).splitlines()
        ['number,state,look_back,valid,epochs,seconds,reason', '0,finished,1 2,0.5,2,2.0,']
    """
    names = [parameter.name for parameter in space.parameters]
    cells = []
    for row in rows:
        values = [value_text(row.parameters[name]) if name in row.parameters else None for name in names]
        cells.append([row.number, row.state, *values, row.valid, len(row.losses), row.seconds, row.reason])
    return csv_table(["number", "state", *names, "valid", "epochs", "seconds", "reason"], cells)


def value_text(value: Value) -> str:
    """A value as a person writes it.

    Examples:
        >>> value_text((1, 2, 4)), value_text(0.00123456789), value_text(()), value_text(True)
        ('1 2 4', '0.00123456789', 'none', 'true')
    """
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
