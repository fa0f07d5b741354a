"""`cantilena tune`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.answer import Answer
from cantilena.cli.shared_flags import Flags, Positional
from cantilena.tuning import TuningOptions


def run(
    bundle: Positional[str],
    options: TuningOptions,
    *,
    out: Path,
    resume: bool = False,
    force: bool = False,
    flags: Flags,
) -> Answer:
    """Tune a trained model on rules of music theory with reinforcement learning.

    Args:
        bundle: A trained model: a .safetensors file, or the name of one that ships with Cantilena, such as tunes.
        out: The folder of this run: the tuned model, its metrics, checkpoints.
        resume: Go on with an interrupted run, to the identical result.
        force: Start anew in a folder that holds another run.

    Example:
        cantilena tune tunes --rules rl-tuner --weights tonic=4 --c 3 --updates 200 --out runs/tuned
    """
    from cantilena.experiment import run_tuning

    tuned = run_tuning(bundle, options, out, resume=resume, force=force)
    return Answer(tuned.answer(), text=tuned.text())
