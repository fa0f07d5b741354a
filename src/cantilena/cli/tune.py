"""`cantilena tune`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Positional, Resume, StartAnew
from cantilena.rl import TuningOptions


def run(
    bundle: Positional[str],
    options: TuningOptions,
    *,
    out: Path,
    against: str = "",
    frontier: bool = False,
    resume: Resume = False,
    force: StartAnew = False,
    flags: Flags,
) -> Answer:
    """Tune a trained model on rules of music theory, or on a critic's rewards, with reinforcement learning.

    Args:
        bundle: A trained model: a .safetensors file, or the name of one that ships with Cantilena, such as tunes.
        out: The folder of this run: the tuned model, its metrics and pictures, checkpoints.
        against: A corpus of human melodies to compare diversity with, and for a critic or mpo; the one that the model
            was trained on, if it ships.
        frontier: Instead of one tuning, tune at several c and by every algorithm, measure the alternatives (critics,
            best of n, rejection, constraints), and draw reward against KL divergence and diversity.

    Example:
        cantilena tune tunes --rules rl-tuner --weights tonic=4 --c 3 --updates 200 --out runs/tuned
    """
    from cantilena.workflows import run_frontier, run_tuning

    if frontier:
        points = run_frontier(bundle, options, out, against=against, resume=resume, force=force)
        return Answer({"systems": dict(points.systems)}, text=points.text())
    tuned = run_tuning(bundle, options, out, against=against, resume=resume, force=force)
    return Answer(tuned.to_dict(), text=tuned.text)
