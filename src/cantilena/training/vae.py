"""Training of a VAE on windows of pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cantilena.models import (
    Bars,
    Sequences,
    VaeNetwork,
    VaeOptions,
    Windows,
    free_bits_penalty,
    kl_divergences,
    vae_parameters,
)
from cantilena.runtime import derived_seed, generator, options_record
from cantilena.training.batches import Batches
from cantilena.training.loop import TrainResult, fit, limit_epochs, pieces_digest
from cantilena.training.objectives import IGNORED, Autocast, BatchPosition
from cantilena.training.options import TrainingOptions, VaeTrainingOptions

_VALIDATION_BATCH = 512


def train_vae(
    pieces: Sequences,
    valid: Sequences,
    *,
    vocabulary_size: int,
    shape: VaeOptions | None = None,
    training: TrainingOptions | None = None,
    learning: VaeTrainingOptions | None = None,
    folder: Path | None = None,
    resume: bool = False,
    transpositions: NDArray[np.int64] | None = None,
    quiet: bool = False,
) -> TrainResult[VaeNetwork]:
    """Train a VAE on the windows of pieces.

    The loss is the negative ELBO with free bits: minus E_q ln p(x | z) plus the sum over the latent dimensions of
    max(free bits, mean KL divergence), divided by the steps. The epoch with the lowest validation loss is kept.

    Args:
        pieces: the training pieces.
        valid: the validation pieces.
        vocabulary_size: number of tokens.
        shape: the shape of the VAE.
        training: the training options; a batch consists of windows.
        learning: free bits, KL warm-up, word dropout.
        folder: for checkpoints and `metrics.jsonl`; None writes nothing.
        resume: continue from the checkpoint in the folder, if there is one, to the identical VAE.
        transpositions: as for `train`.
        quiet: show no progress.

    Raises:
        CorpusError: there are no pieces.
        RunError: the checkpoint is damaged or of another training, or the loss became NaN or infinite.
    """
    shape, learning = shape or VaeOptions(), learning or VaeTrainingOptions()
    options = limit_epochs(training or TrainingOptions(), pieces, valid)
    windows, held_out = (
        Windows.from_sequences(part.without_conditions(), shape.bars).sequences for part in (pieces, valid)
    )
    weights = vae_parameters(shape, vocabulary_size)
    return fit(
        VaeNetwork(shape, vocabulary_size, seed=derived_seed(options.seed, "network")),
        NegativeElbo(learning, windows, options.batch, options.seed, transpositions),
        lambda best: _validation_loss(best, held_out, learning.free_bits, options.seed),
        options,
        {
            "vae": options_record(shape),
            "training": options_record(options),
            "learning": options_record(learning),
            "windows": pieces_digest((windows, held_out), transpositions),
        },
        summary=f"A VAE with {shape.latent} latent dimensions for {shape.bars} bars, {weights:,} weights",
        width=shape.width,
        lstm_width=max(shape.width, shape.encoder),
        rows=options.batch,
        folder=folder,
        resume=resume,
        quiet=quiet,
    )


class NegativeElbo(Batches):
    """The negative ELBO of windows with free bits, with one sample of each code; the objective of a VAE.

    Minus ln p(x | z) plus w times the sum over the latent dimensions of max(free bits, mean KL divergence), divided by
    the steps; w rises from 0 to 1 at the start of the training (`VaeTrainingOptions.kl_weight`).

    Args:
        learning: free bits, KL warm-up, word dropout; the other arguments are those of `Batches`.
    """

    def __init__(self, learning: VaeTrainingOptions, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  (those of Batches)
        super().__init__(*args, **kwargs)
        self.learning = learning

    def losses(
        self, network: VaeNetwork, batch: NDArray[Any], position: BatchPosition, autocast: Autocast
    ) -> Iterator[tuple[Tensor, int]]:
        """Yield the loss of all windows of the batch, nats a step, and their steps."""
        learning = self.learning
        tokens, lengths, bars = self.tokens(batch, position.epoch)
        rng = generator(self.seed, "train", "words", position.epoch, position.batch)
        hidden = rng.random(tokens.shape) < learning.word_dropout
        with autocast():
            nats, divergence = reconstruction_nats(network, tokens, lengths, bars, hidden)
        penalty = learning.kl_weight(position.progress) * free_bits_penalty(divergence, learning.free_bits) * len(batch)
        steps = int(lengths.sum())
        yield (nats + penalty) / steps, steps


def reconstruction_nats(
    network: VaeNetwork,
    tokens: NDArray[np.int64],
    lengths: NDArray[np.int64],
    bars: Bars,
    hidden: NDArray[np.bool_] | None,
) -> tuple[Tensor, Tensor]:
    """Minus ln p(x | z) of all windows together, z sampled once for each, and `(windows, latent)` KL divergences.

    `hidden` marks the `(windows, steps)` before which the decoder does not see the last token.
    """
    mean, log_variance = network.posterior(tokens, lengths, bars)
    noise = torch.randn(mean.shape).to(mean.device)
    scores = network.scores(mean + (0.5 * log_variance).exp() * noise, tokens, bars, hidden)
    valid = np.arange(tokens.shape[1])[None, :] < lengths[:, None]
    targets = torch.from_numpy(np.where(valid, tokens, IGNORED)).to(mean.device)
    nats = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
    return nats, kl_divergences(mean, log_variance)


@torch.no_grad()
def _validation_loss(network: VaeNetwork, windows: Sequences, free_bits: float, seed: int) -> float:
    """The loss on validation windows, nats a step, with the same noise after every epoch."""
    torch.manual_seed(derived_seed(seed, "held out"))
    total, divergence = 0.0, []
    order = np.argsort(-windows.lengths, kind="stable")
    for start in range(0, len(order), _VALIDATION_BATCH):
        rows = order[start : start + _VALIDATION_BATCH]
        nats, of_windows = reconstruction_nats(
            network, windows.padded(rows), windows.lengths[rows], windows.bars[rows], None
        )
        total += float(nats)
        divergence.append(of_windows)
    return (total + len(windows) * float(free_bits_penalty(torch.cat(divergence), free_bits))) / windows.steps
