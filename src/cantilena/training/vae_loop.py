"""The training of a VAE: windows in, codes and melodies out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cantilena.errors import CorpusError
from cantilena.model import (
    Bars,
    Sequences,
    VaeNetwork,
    VaeOptions,
    Windows,
    autocast,
    choose_device,
    choose_precision,
    divergences,
    threads_worth_it,
    vae_parameters,
    with_free_bits,
)
from cantilena.runs import derived_seed, generator, options_digest, options_record, progress, say
from cantilena.training.batches import Batches
from cantilena.training.checkpoint import load_checkpoint, sweep
from cantilena.training.course import Course
from cantilena.training.keeping import CHECKPOINT, digest_of, keep, note, take_up
from cantilena.training.options import TrainingOptions
from cantilena.training.trained import Trained
from cantilena.training.vae_learning import VaeLearning

_AT_ONCE = 512
"""Windows that are measured at once."""

_NOTHING = -100


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
    lesson = Batches(windows, options.batch, options.seed, transpositions)
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
        _learn(course, lesson, held_out, learning, lambda: autocast(device, precision), save, quiet=quiet)
    save()
    return Trained.of(course, precision, time.perf_counter() - started)


def _learn(
    course: Course[VaeNetwork],
    lesson: Batches,
    held_out: Sequences,
    learning: VaeLearning,
    precisely: Callable[[], AbstractContextManager[object]],
    save: Callable[[], None],
    *,
    quiet: bool,
) -> None:
    standing, options, network = course.standing, course.options, course.network
    saved, total = time.monotonic(), options.epochs * lesson.each_epoch
    with progress("Training", total=total, unit="batches", quiet=quiet) as bar:
        bar.advance(standing.epoch * lesson.each_epoch + standing.batch)
        while not course.over:
            network.train()
            for batch in lesson.epoch(standing.epoch)[standing.batch :]:
                share = (standing.epoch * lesson.each_epoch + standing.batch) / total
                place = standing.epoch, standing.batch
                torch.manual_seed(derived_seed(options.seed, "dropout", *place))
                tokens, lengths, bars = lesson.tokens(batch, standing.epoch)
                rng = generator(options.seed, "train", "words", *place)
                forgotten = rng.random(tokens.shape) < learning.word_dropout
                with precisely():
                    said, divergence = _said(network, tokens, lengths, bars, forgotten)
                cost = learning.weight(share) * with_free_bits(divergence, learning.free_bits) * len(batch)
                steps = int(lengths.sum())
                course.update((said + cost) / steps, steps, share)
                standing.batch += 1
                bar.advance(1, note(course))
                if time.monotonic() - saved > options.checkpoint_seconds:
                    save()
                    saved = time.monotonic()
            course.end_epoch(_held_out(course.measured.eval(), held_out, learning.free_bits, options.seed))


def _said(
    network: VaeNetwork,
    tokens: NDArray[np.int64],
    lengths: NDArray[np.int64],
    bars: Bars,
    forgotten: NDArray[np.bool_] | None,
) -> tuple[Tensor, Tensor]:
    """Minus ln p(x | z) of all windows together, z drawn once for each, and the `(windows, latent)` divergences."""
    mean, log_variance = network.posterior(tokens, lengths, bars)
    noise = torch.randn(mean.shape).to(mean.device)
    scores = network.scores(mean + (0.5 * log_variance).exp() * noise, tokens, bars, forgotten)
    counts = np.arange(tokens.shape[1])[None, :] < lengths[:, None]
    targets = torch.from_numpy(np.where(counts, tokens, _NOTHING)).to(mean.device)
    said = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=_NOTHING, reduction="sum")
    return said, divergences(mean, log_variance)


@torch.no_grad()
def _held_out(network: VaeNetwork, windows: Sequences, free: float, seed: int) -> float:
    """The loss on held-out windows, nats a step, by the same noise after every epoch."""
    torch.manual_seed(derived_seed(seed, "held out"))
    said, divergence = 0.0, []
    for chosen in _parts(windows.lengths):
        found, of_windows = _said(network, windows.padded(chosen), windows.lengths[chosen], windows.bars[chosen], None)
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
