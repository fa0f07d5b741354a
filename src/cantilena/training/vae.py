"""The training of a VAE: windows in, codes and melodies out.

What a batch of windows teaches a VAE.

What of learning only a VAE knows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cantilena.errors import CorpusError, UsageError
from cantilena.models import (
    Bars,
    Sequences,
    VaeNetwork,
    VaeOptions,
    Windows,
    autocast,
    choose_device,
    choose_precision,
    kl_divergences,
    limit_threads,
    vae_parameters,
    free_bits_penalty,
)
from cantilena.runtime import derived_seed, generator, options_digest, options_record, say
from cantilena.training.batches import Batches
from cantilena.training.checkpointing import load_checkpoint, sweep
from cantilena.training.loop import CHECKPOINT, Course, Trained, digest_of, keep, learn, take_up
from cantilena.training.objectives import NOTHING, Place, Precisely
from cantilena.training.options import TrainingOptions


@dataclass(frozen=True)
class VaeLearning:
    """How a VAE is kept from writing without its code.

    Raises:
        UsageError: a value that makes no sense.

    Example:
        >>> VaeLearning().weight(0.0), VaeLearning(kl_warmup=0.5).weight(0.25)
        (0.0, 0.5)
    """

    free_bits: float = 0.8
    """Nats that each number of the code may say for nothing (`free_bits_penalty`)."""
    kl_warmup: float = 0.2
    """Share of the training through which the weight of the divergence rises from 0 to 1."""
    word_dropout: float = 0.05
    """Share of the steps before which the writer is not told the last token, so that it asks the code (Bowman et al.
    2016, Generating sentences from a continuous space)."""

    def weight(self, share: float) -> float:
        """Of the divergence after a share of the training."""
        return min(share / self.kl_warmup, 1.0) if self.kl_warmup else 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.free_bits <= 100.0:
            raise UsageError(f"{self.free_bits:g} free bits", "give nats from 0 to 100 for each number of the code")
        for name, value in (("KL warm-up", self.kl_warmup), ("word dropout", self.word_dropout)):
            if not 0.0 <= value <= 1.0:
                raise UsageError(f"a {name} of {value:g}", "give a share from 0 to 1")


class CodedWindows(Batches):
    """Each window is written from its code, drawn once: minus the bound with free bits is what is to fall.

    The loss is minus ln p(x | z) plus w times the sum over the code's numbers of max(free bits, mean divergence), over
    the steps; w rises from 0 to 1 as the training begins (`VaeLearning.weight`).

    Args:
        learning: free bits, warm-up, word dropout; the rest as for `Batches`.
    """

    def __init__(self, learning: VaeLearning, *batches: Any, **named: Any) -> None:  # noqa: ANN401  (those of Batches)
        super().__init__(*batches, **named)
        self.learning = learning

    def losses(
        self, network: VaeNetwork, batch: NDArray[Any], place: Place, precisely: Precisely
    ) -> Iterator[tuple[Tensor, int]]:
        """The loss of all windows together, nats a step, and the steps it is the mean of."""
        learning = self.learning
        tokens, lengths, bars = self.tokens(batch, place.epoch)
        rng = generator(self.seed, "train", "words", place.epoch, place.batch)
        forgotten = rng.random(tokens.shape) < learning.word_dropout
        with precisely():
            said, divergence = said_through_codes(network, tokens, lengths, bars, forgotten)
        cost = learning.weight(place.share) * free_bits_penalty(divergence, learning.free_bits) * len(batch)
        steps = int(lengths.sum())
        yield (said + cost) / steps, steps


def said_through_codes(
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
    targets = torch.from_numpy(np.where(counts, tokens, NOTHING)).to(mean.device)
    said = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=NOTHING, reduction="sum")
    return said, kl_divergences(mean, log_variance)


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
    windows, held_out = (Windows.from_sequences(some.without_conditions(), shape.bars).sequences for some in (pieces, valid))
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
        limit_threads(shape.width, options.batch) as threads,
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
    return (said + len(windows) * float(free_bits_penalty(torch.cat(divergence), free))) / windows.steps


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
