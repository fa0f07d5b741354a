"""`cantilena sweep`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Fixed, Suppress

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Resume, StartAnew
from cantilena.workflows import SweepOptions, TrainOptions


@dataclass(frozen=True)
class SearchedTraining(TrainOptions):
    """The training that is searched; what a flag gives is not searched."""

    model: Suppress[Fixed[Literal["network", "ngram", "vae"]]] = "network"
    order: Suppress[Fixed[int | None]] = None
    blend: Suppress[Fixed[bool | None]] = False


def run(
    training: SearchedTraining,
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

    best = run_sweep(training, options, out, resume=resume, force=force)
    return Answer(best.to_dict(), text=best.text)
