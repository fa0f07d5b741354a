"""`cantilena train`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Flags, Resume, StartAnew
from cantilena.workflows import TrainRequest


def run(
    request: TrainRequest,
    *,
    out: Path,
    resume: Resume = False,
    force: StartAnew = False,
    flags: Flags,
) -> Answer:
    """Train a model on a corpus.

    Started by torchrun, several processes train one network, each from its share of a batch.

    Args:
        out: The folder of this run: the model, its metrics, checkpoints.

    Example:
        cantilena train --corpus tunes --preset quick --out runs/lstm
    """
    from cantilena.workflows import run_training

    trained = run_training(request, out, resume=resume, force=force)
    if trained is None:  # process 0 answers for all
        return Answer({})
    return Answer(trained.answer(), text=trained.text())
