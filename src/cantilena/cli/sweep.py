"""`cantilena sweep`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from tyro.conf import Fixed, Suppress

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Flags, Resume, StartAnew
from cantilena.workflows import SweepOptions, TrainRequest


@dataclass(frozen=True)
class SearchedTraining(TrainRequest):
    """The training that is searched; what a flag gives is not searched."""

    model: Suppress[Fixed[Literal["network", "ngram"]]] = "network"
    order: Suppress[Fixed[int | None]] = None
    blend: Suppress[Fixed[bool]] = False

    def plain(self) -> TrainRequest:
        """The same, without the marks that hide flags."""
        return TrainRequest(**{field.name: getattr(self, field.name) for field in fields(TrainRequest)})


def run(
    request: SearchedTraining,
    options: SweepOptions,
    *,
    out: Path,
    resume: Resume = False,
    force: StartAnew = False,
    flags: Flags,
) -> Answer:
    """Search for the parameters of a training that predict held-out pieces best.

    Args:
        out: The folder of this run: the best model, a table and a picture of all trials.

    Example:
        cantilena sweep --corpus tunes --trials 20 --processes 2 --search default --out runs/sweep
    """
    from cantilena.workflows import run_sweep

    swept = run_sweep(request.plain(), options, out, resume=resume, force=force)
    return Answer(swept.answer(), text=swept.text())
