r"""A variational autoencoder of melodies in torch (Kingma and Welling 2014, Auto-encoding variational Bayes).

A window x of a few bars has a code z with the prior N(0, I). The encoder, a bidirectional LSTM, gives mean and variance
of q(z | x); the decoder, another LSTM, gives p(x | z) = prod_t p(x_t | z, x_<t). Training maximises the ELBO

    ln p(x) >= E_q ln p(x | z) - KL(q(z | x) || N(0, I)).

The code is connected with every step: two layers make a plan of it, a small vector for each step, which is input of the
decoder's LSTM and head; and a small vector of each step (a reading) goes into the posterior beside the last states of
the encoder. So cells need not carry a whole window, and a small network learns to reconstruct in few epochs.

The names of submodules are those of the weights in bundles.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cantilena.models.network.features import BAR_POSITIONS
from cantilena.models.policy import to_numpy
from cantilena.models.protocol import Bars
from cantilena.models.vae.options import LOG_VARIANCE_RANGE, VaeOptions
from cantilena.models.vae.windows import shift_right, table_rows


class VaeNetwork(nn.Module):
    """A trainable VAE.

    Args:
        options: its shape.
        vocabulary_size: number of tokens.
        seed: determines the initial weights; torch's global generator is left as it was.

    Examples:
        >>> network = VaeNetwork(VaeOptions(latent=4, encoder=8, width=8), vocabulary_size=38)
        >>> mean, log_variance = network.posterior(np.array([[14, 1, 16]]), np.array([3]), Bars.common_time(1))
        >>> mean.shape, network.scores(mean, np.array([[14, 1, 16]]), Bars.common_time(1)).shape
        (torch.Size([1, 4]), torch.Size([1, 3, 38]))
    """

    def __init__(self, options: VaeOptions, vocabulary_size: int, seed: int = 0) -> None:
        super().__init__()
        self.options, self.vocabulary_size = options, vocabulary_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.table = nn.EmbeddingBag(vocabulary_size + 1 + 2 * BAR_POSITIONS, options.embedding, mode="sum")
            self.forwards = nn.LSTM(options.embedding, options.encoder, batch_first=True)
            self.backwards = nn.LSTM(options.embedding, options.encoder, batch_first=True)
            both, hidden = 2 * options.encoder, options.hidden
            self.reading = nn.Linear(both + options.embedding, options.reading)
            self.gathered = nn.Linear(both + options.steps * options.reading, hidden)
            self.posterior_of = nn.Linear(hidden, 2 * options.latent)
            self.opening = nn.Linear(options.latent, options.width)
            self.intent = nn.Linear(options.latent, hidden)
            self.plan = nn.Linear(hidden, options.steps * options.plan)
            self.writer = nn.LSTM(options.embedding + options.plan, options.width, batch_first=True)
            self.head = nn.Linear(options.width + options.plan, vocabulary_size)
        self.eval()

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.head.weight.device

    def posterior(self, tokens: NDArray[np.int64], lengths: NDArray[np.int64], bars: Bars) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), `(windows, latent)` float32 each, for padded `(windows, steps)` tokens."""
        windows, steps = tokens.shape
        vectors = self._embed(tokens, bars)
        clock = torch.arange(steps, device=self.device)[None, :]
        long = torch.from_numpy(lengths).to(self.device)[:, None]
        reverse = torch.where(clock < long, long - 1 - clock, clock)[:, :, None]
        ahead = self.forwards(vectors)[0]
        back = self.backwards(vectors.gather(1, reverse.expand_as(vectors)))[0]
        last = torch.arange(windows, device=self.device), long[:, 0] - 1
        seen = torch.cat([ahead, back.gather(1, reverse.expand_as(back)), vectors], dim=-1)
        readings = self.reading(seen) * (clock < long)[:, :, None]
        readings = F.pad(readings, (0, 0, 0, max(self.options.steps - steps, 0)))[:, : self.options.steps]
        gathered = torch.relu(self.gathered(torch.cat([ahead[last], back[last], readings.flatten(1)], dim=1)))
        mean, log_variance = self.posterior_of(gathered).float().chunk(2, 1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)

    def scores(
        self, codes: Tensor, tokens: NDArray[np.int64], bars: Bars, dropped: NDArray[np.bool_] | None = None
    ) -> Tensor:
        """`(windows, steps, vocabulary)` scores: entry t is given the code and the tokens before t.

        Args:
            codes: `(windows, latent)`.
            tokens: `(windows, steps)`, padded.
            bars: of the windows.
            dropped: `(windows, steps)`: the steps at which the token before is hidden (word dropout).
        """
        before = shift_right(tokens, self.vocabulary_size)
        if dropped is not None:
            before = np.where(dropped, self.vocabulary_size, before)
        plan = self.plan(torch.relu(self.intent(codes))).view(len(codes), self.options.steps, self.options.plan)
        plan = plan[:, torch.arange(tokens.shape[1], device=codes.device).clamp(max=self.options.steps - 1)]
        vectors = torch.cat([self._embed(before, bars), plan], dim=-1)
        h = torch.tanh(self.opening(codes))[None].contiguous()
        hidden, _ = self.writer(self._dropout(vectors), (h, torch.zeros_like(h)))
        scores: Tensor = self.head(torch.cat([self._dropout(hidden), plan], dim=-1)).float()
        return scores

    def numpy_weights(self) -> dict[str, NDArray[np.float32]]:
        """Copies of all weights by name."""
        named = {name.replace("posterior_of.", "posterior."): weight for name, weight in self.state_dict().items()}
        return {name: to_numpy(weight).astype(np.float32).copy() for name, weight in named.items()}

    def load_weights(self, weights: Mapping[str, NDArray[np.floating]]) -> VaeNetwork:
        """Load weights by name; returns itself."""
        self.load_state_dict({
            name.replace("posterior.", "posterior_of."): torch.from_numpy(np.array(weight, dtype=np.float32))
            for name, weight in weights.items()
        })  # fmt: skip
        return self

    def _embed(self, tokens: NDArray[np.int64], bars: Bars) -> Tensor:
        rows = torch.from_numpy(table_rows(tokens, bars, self.vocabulary_size)).to(self.device)
        vectors: Tensor = self.table(rows.flatten(0, 1)).view(*tokens.shape, -1)
        return vectors

    def _dropout(self, values: Tensor) -> Tensor:
        return F.dropout(values, self.options.dropout, self.training)


def kl_divergences(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each dimension of each code: (mean^2 + variance - 1 - ln variance) / 2.

    Examples:
        >>> kl_divergences(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)).tolist()
        [[0.5, 0.0]]
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)


def free_bits_penalty(divergence: Tensor, free: float) -> Tensor:
    """Penalty on KL divergences with free bits: the sum over dimensions of max(free, mean over the batch).

    A divergence below `free` gains nothing, which keeps dimensions active (Kingma et al. 2016, Improved variational
    inference with inverse autoregressive flow, equation 15).

    Args:
        divergence: `(windows, latent)` nats, from `kl_divergences`.
        free: nats a dimension.

    Examples:
        >>> free_bits_penalty(torch.tensor([[0.1, 2.0], [0.3, 4.0]]), free=0.5).item()
        3.5
    """
    return divergence.mean(dim=0).clamp(min=free).sum()
