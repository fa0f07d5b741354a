"""`cantilena train`, and `train network`, `train ngram` and `train vae` with the flags of one kind of model."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Resume, StartAnew
from cantilena.workflows.train.options import NetworkTraining, NGramTraining, TrainingKind, TrainOptions, VaeTraining


def run(options: TrainOptions, *, out: Path, resume: Resume = False, force: StartAnew = False, flags: Flags) -> Answer:
    """Train a model on a corpus: a network, or what --model names.

    Started by torchrun, several processes train one network, each on its share of a batch. `cantilena train network`,
    `train ngram` and `train vae` show the flags of one kind of model alone.

    Args:
        out: The folder of this run: the model, its metrics, checkpoints.

    Example:
        cantilena train --corpus tunes --preset quick --out runs/lstm
    """
    return _train(options, out, resume=resume, force=force)


def network(
    options: NetworkTraining, *, out: Path, resume: Resume = False, force: StartAnew = False, flags: Flags
) -> Answer:
    """Train a network on a corpus: LSTM, GRU, RNN or transformer.

    Args:
        out: The folder of this run: the model, its metrics, checkpoints.

    Example:
        cantilena train network --corpus tunes --width 256 --out runs/lstm
    """
    return _train(options, out, resume=resume, force=force)


def ngram(
    options: NGramTraining, *, out: Path, resume: Resume = False, force: StartAnew = False, flags: Flags
) -> Answer:
    """Train an n-gram on a corpus, in seconds: the baseline that a network must beat.

    Args:
        out: The folder of this run: the model.

    Example:
        cantilena train ngram --corpus tunes --order 8 --out runs/ngram
    """
    return _train(options, out, resume=resume, force=force)


def vae(options: VaeTraining, *, out: Path, resume: Resume = False, force: StartAnew = False, flags: Flags) -> Answer:
    """Train a variational autoencoder (VAE) on a corpus, to interpolate between melodies and to vary them.

    Args:
        out: The folder of this run: the model, its metrics, checkpoints.

    Example:
        cantilena train vae --corpus tunes --code-bars 2 --out runs/vae
    """
    return _train(options, out, resume=resume, force=force)


def _train(options: TrainOptions | TrainingKind, out: Path, *, resume: bool, force: bool) -> Answer:
    from cantilena.workflows import run_training

    trained = run_training(options, out, resume=resume, force=force)
    if trained is None:  # process 0 answers for all
        return Answer({})
    return Answer(trained.to_dict(), text=trained.text)
