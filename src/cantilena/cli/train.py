"""`cantilena train`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Flags
from cantilena.experiment import TrainRequest


def run(
    request: TrainRequest,
    *,
    out: Path,
    resume: bool = False,
    force: bool = False,
    flags: Flags,
) -> Answer:
    """Train a model on a corpus.

    Args:
        out: The folder of this run: the model, its metrics, checkpoints.
        resume: Go on with an interrupted run, to the identical result.
        force: Start anew in a folder that holds another run.

    Example:
        cantilena train --corpus tunes --preset quick --out runs/lstm
    """
    from cantilena.experiment import run_training

    trained = run_training(request, out, resume=resume, force=force)
    return Answer(trained.answer(), text=trained.text())
