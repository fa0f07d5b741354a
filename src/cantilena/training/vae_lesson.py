"""What a batch of windows teaches a VAE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cantilena.models import Bars, VaeNetwork, divergences, with_free_bits
from cantilena.runtime import generator
from cantilena.training.batches import Batches
from cantilena.training.objectives import NOTHING, Place, Precisely
from cantilena.training.vae_learning import VaeLearning


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
        cost = learning.weight(place.share) * with_free_bits(divergence, learning.free_bits) * len(batch)
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
    return said, divergences(mean, log_variance)
