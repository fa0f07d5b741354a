"""The trials of a search as rows: what each tried and what came of it; as JSON, as CSV, as a command to repeat one."""

from __future__ import annotations

import csv
import io
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from cantilena.workflows.sweep.space import SearchSpace, Value
from cantilena.workflows.train.options import TrainRequest

State = Literal["finished", "pruned", "failed", "interrupted", "running"]


@dataclass(frozen=True)
class TrialRow:
    """One training of a search.

    Args:
        number: from 0, in the order in which they began.
        state: `interrupted`: the search was stopped while it ran, and it was tried again under another number.
        parameters: what it tried.
        score: nats a step and a note on the validation pieces, of a finished one.
        losses: held-out nats a step after each epoch.
        seconds: how long it took; None where nobody could tell.
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
        """As JSON values: a loss that is not there is null, with the reason beside it."""
        return {
            "number": self.number,
            "state": self.state,
            "parameters": {name: _plain(value) for name, value in self.parameters.items()},
            "valid": None if math.isnan(self.valid) else self.valid,
            **({"reason": self.reason or self.state} if self.state != "finished" else {}),
            "epochs": len(self.losses),
            "losses": list(self.losses),
            "seconds": self.seconds,
        }


def best_of(rows: Sequence[TrialRow]) -> TrialRow | None:
    """The finished trial with the least loss, the first of equals; None where none finished.

    Example:
        >>> rows = [TrialRow(n, "finished", {}, {"nats_per_step": loss}) for n, loss in enumerate((2.0, 1.0, 1.0))]
        >>> best_of(rows).number
        1
    """
    finished = [row for row in rows if row.state == "finished"]
    return min(finished, key=lambda row: (row.valid, row.number), default=None)


def counts_of(rows: Sequence[TrialRow]) -> dict[str, int]:
    """How many trials came to an end, and how; those that were interrupted were tried again and do not count.

    Example:
        >>> counts_of([TrialRow(0, "interrupted", {}), TrialRow(1, "pruned", {})])
        {'trials': 1, 'finished': 0, 'pruned': 1, 'failed': 0}
    """
    counts = {state: sum(row.state == state for row in rows) for state in ("finished", "pruned", "failed")}
    return {"trials": sum(counts.values()), **counts}


def csv_text(rows: Sequence[TrialRow], space: SearchSpace) -> str:
    """The trials as a table for other programs: a column a parameter.

    Example:
        >>> from cantilena.workflows.sweep.space import Parameter
        >>> space = SearchSpace("mine", (Parameter("look_back", choices=((1, 2),)),))
        >>> row = TrialRow(0, "finished", {"look_back": (1, 2)}, {"nats_per_step": 0.5}, (0.6, 0.5), 2.0)
        >>> csv_text([row], space).splitlines()
        ['number,state,look_back,valid,epochs,seconds,reason', '0,finished,1 2,0.5,2,2.0,']
    """
    names = [parameter.name for parameter in space.parameters]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["number", "state", *names, "valid", "epochs", "seconds", "reason"])
    for row in rows:
        values = [spoken(row.parameters[name]) if name in row.parameters else "" for name in names]
        valid = "" if math.isnan(row.valid) else row.valid
        seconds = "" if row.seconds is None else row.seconds
        writer.writerow([row.number, row.state, *values, valid, len(row.losses), seconds, row.reason])
    return file.getvalue()


def train_command(request: TrainRequest, out: Path) -> str:
    """The command line of a training.

    Args:
        request: what it is asked; what is as by default is left out.
        out: the folder of the run.

    Example:
        >>> train_command(TrainRequest("tunes", width=64, copy_head=False, look_back=(1, 2)), Path("best"))
        'cantilena train --corpus tunes --width 64 --look-back 1 2 --no-copy-head --out best'
    """
    words = ["cantilena", "train"]
    for one in fields(request):
        value = getattr(request, one.name)
        if value == one.default and one.default is not MISSING:
            continue
        flag = one.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, tuple):
            words += [f"--{flag}", *map(str, value)]
        else:
            words += [f"--{flag}", str(value)]
    return shlex.join([*words, "--out", str(out)])


def spoken(value: Value) -> str:
    """A value as a person writes it.

    Example:
        >>> spoken((1, 2, 4)), spoken(0.00123456789), spoken(()), spoken(True)
        ('1 2 4', '0.00123456789', 'none', 'true')
    """
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: Value) -> Any:  # noqa: ANN401  (a JSON value)
    return list(value) if isinstance(value, tuple) else value
