"""The training of a VAE: windows in, codes and melodies out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cantilena.errors import CorpusError
from cantilena.models import (
    Sequences,
    VaeNetwork,
    VaeOptions,
    Windows,
    autocast,
    choose_device,
    choose_precision,
    threads_worth_it,
    vae_parameters,
    with_free_bits,
)
from cantilena.runtime import derived_seed, options_digest, options_record, say
from cantilena.training.checkpointing import load_checkpoint, sweep
from cantilena.training.course import Course
from cantilena.training.epochs import learn
from cantilena.training.keeping import CHECKPOINT, digest_of, keep, take_up
from cantilena.training.options import TrainingOptions
from cantilena.training.trained import Trained
from cantilena.training.vae_learning import VaeLearning
from cantilena.training.vae_lesson import CodedWindows, said_through_codes

_AT_ONCE = 512
"""Windows that are measured at once."""


def train_vae(
    pieces: Sequences,
    valid: Sequences,
    *,
    vocabulary_size: int,
    shape: VaeOptions | None = None,
    training: TrainingOptions | None = None,
    learning: VaeLearning | None = None,
    folder: Path | None = None,
    resume: bool = False,
    transpositions: NDArray[np.int64] | None = None,
    quiet: bool = False,
) -> Trained[VaeNetwork]:
    """Train a VAE on the windows of pieces.

    The loss, whose least on the held-out windows decides which epoch is kept, is the bound with free bits: minus
    E_q ln p(x | z) plus the sum over the code's numbers of max(free bits, mean divergence), over the steps.

    Args:
        pieces: to learn from.
        valid: held out, to stop by.
        vocabulary_size: how many tokens there are.
        shape: of the VAE.
        training: how long and how fast; a batch is of windows.
        learning: free bits, warm-up, word dropout.
        folder: where checkpoints and `metrics.jsonl` go; nowhere if None.
        resume: go on from the folder's checkpoint, if there is one, to the identical VAE.
        transpositions: as for `train`.
        quiet: say nothing on the way.

    Raises:
        CorpusError: nothing to learn from.
        RunError: the checkpoint is damaged or of another training, or the loss is no longer a number.
    """
    shape, options, learning = shape or VaeOptions(), training or TrainingOptions(), learning or VaeLearning()
    if not len(pieces) or not len(valid):
        raise CorpusError("there is no piece to learn from or none to stop by", "give a corpus of 10 pieces or more")
    options = replace(options, epochs=options.passes(pieces.steps))
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device, max(shape.width, shape.encoder))
    learner = VaeNetwork(shape, vocabulary_size, seed=derived_seed(options.seed, "network")).to(device)
    course = Course(learner, options)
    windows, held_out = (Windows.of(some.untold(), shape.bars).sequences for some in (pieces, valid))
    lesson = CodedWindows(learning, windows, options.batch, options.seed, transpositions)
    digest = _digest(windows, held_out, shape, options, learning, transpositions)
    save = partial(keep, folder, course, digest)
    if folder is not None:
        sweep(folder / CHECKPOINT)
        found = load_checkpoint(folder / CHECKPOINT, digest) if resume else None
        if found is not None:
            take_up(course, *found)
    started = time.perf_counter()
    with (
        threads_worth_it(shape.width, options.batch) as threads,
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
    ):
        if not quiet:
            weights, how = vae_parameters(shape, vocabulary_size), str(precision).removeprefix("torch.")
            say(
                f"A VAE of {shape.latent} numbers for {shape.bars} bars, {weights:,} weights, on {device}, "
                f"{threads} thread{'s' if threads > 1 else ''}, {how}"
            )
        learn(
            course,
            lesson,
            lambda best: _held_out(best, held_out, learning.free_bits, options.seed),
            lambda: autocast(device, precision),
            save,
            quiet=quiet,
        )
    save()
    return Trained.of(course, precision, time.perf_counter() - started)


@torch.no_grad()
def _held_out(network: VaeNetwork, windows: Sequences, free: float, seed: int) -> float:
    """The loss on held-out windows, nats a step, by the same noise after every epoch."""
    torch.manual_seed(derived_seed(seed, "held out"))
    said, divergence = 0.0, []
    for chosen in _parts(windows.lengths):
        found, of_windows = said_through_codes(
            network, windows.padded(chosen), windows.lengths[chosen], windows.bars[chosen], None
        )
        said += float(found)
        divergence.append(of_windows)
    return (said + len(windows) * float(with_free_bits(torch.cat(divergence), free))) / windows.steps


def _parts(lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    order = np.argsort(-lengths, kind="stable")
    for first in range(0, len(order), _AT_ONCE):
        yield order[first : first + _AT_ONCE]


def _digest(
    windows: Sequences,
    held_out: Sequences,
    shape: VaeOptions,
    options: TrainingOptions,
    learning: VaeLearning,
    transpositions: NDArray[np.int64] | None,
) -> str:
    """What tells this training from another: options, windows and keys."""
    return options_digest({
        "vae": options_record(shape),
        "training": options_record(options),
        "learning": options_record(learning),
        "windows": digest_of((windows, held_out), transpositions),
    })  # fmt: skip
