r"""A variational autoencoder of melodies in torch (Kingma and Welling 2014, Auto-encoding variational Bayes).

A window x of a few bars has a code z of the prior N(0, I). Two LSTMs read the window, one from each end, and give the
mean and the variance of q(z | x); another writes it from the code, token by token: p(x | z) = prod_t p(x_t | z, x_<t).
It learns the bound

    ln p(x) >= E_q ln p(x | z) - KL(q(z | x) || N(0, I)).

The code reaches every step: two layers make a plan of it, a few numbers a step, which the writer and its head hear
beside the tokens so far; and a few numbers of every step are gathered beside the readers' last states. So neither need
be carried through a whole window by cells alone, and a small network learns to say a window back in few passes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cantilena.models.network.features import PLACES
from cantilena.models.policy import numpy_of
from cantilena.models.protocol import Bars
from cantilena.models.vae.options import VaeOptions
from cantilena.models.vae.windows import heard_before, told_of

LOG_VARIANCES = (-8.0, 4.0)
"""Between these the log of a code's variance stays."""


class VaeNetwork(nn.Module):
    """A VAE that learns.

    Args:
        options: its shape.
        vocabulary_size: how many tokens there are.
        seed: decides the initial weights; torch's global generator is left as it was.

    Example:
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
            self.table = nn.EmbeddingBag(vocabulary_size + 1 + 2 * PLACES, options.embedding, mode="sum")
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
        """Where the weights are."""
        return self.head.weight.device

    def posterior(self, tokens: NDArray[np.int64], lengths: NDArray[np.int64], bars: Bars) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), `(windows, latent)` float32 each.

        Args:
            tokens: `(windows, steps)`, padded.
            lengths: `(windows,)`.
            bars: of the windows.
        """
        windows, steps = tokens.shape
        told = self._told(tokens, bars)
        clock = torch.arange(steps, device=self.device)[None, :]
        long = torch.from_numpy(lengths).to(self.device)[:, None]
        turned = torch.where(clock < long, long - 1 - clock, clock)[:, :, None]
        ahead = self.forwards(told)[0]
        back = self.backwards(told.gather(1, turned.expand_as(told)))[0]
        last = torch.arange(windows, device=self.device), long[:, 0] - 1
        seen = torch.cat([ahead, back.gather(1, turned.expand_as(back)), told], dim=-1)
        read = self.reading(seen) * (clock < long)[:, :, None]
        read = F.pad(read, (0, 0, 0, max(self.options.steps - steps, 0)))[:, : self.options.steps]
        gathered = torch.relu(self.gathered(torch.cat([ahead[last], back[last], read.flatten(1)], dim=1)))
        mean, log_variance = self.posterior_of(gathered).float().chunk(2, 1)
        return mean, log_variance.clamp(*LOG_VARIANCES)

    def scores(
        self, codes: Tensor, tokens: NDArray[np.int64], bars: Bars, forgotten: NDArray[np.bool_] | None = None
    ) -> Tensor:
        """`(windows, steps, vocabulary)` scores: entry t is given the code and the tokens before t.

        Args:
            codes: `(windows, latent)`.
            tokens: `(windows, steps)`, padded.
            bars: of the windows.
            forgotten: `(windows, steps)`: the steps before which the last token is not told (word dropout).
        """
        before = heard_before(tokens, self.vocabulary_size)
        if forgotten is not None:
            before = np.where(forgotten, self.vocabulary_size, before)
        plan = self.planned(codes, tokens.shape[1])
        told = torch.cat([self._told(before, bars), plan], dim=-1)
        first = torch.tanh(self.opening(codes))[None].contiguous()
        hidden, _ = self.writer(self._dropped(told), (first, torch.zeros_like(first)))
        scores: Tensor = self.head(torch.cat([self._dropped(hidden), plan], dim=-1)).float()
        return scores

    def planned(self, codes: Tensor, steps: int) -> Tensor:
        """`(windows, steps, plan)`: what codes tell of each step; beyond those told apart, of the last one."""
        whole = self.plan(torch.relu(self.intent(codes))).view(len(codes), self.options.steps, self.options.plan)
        planned: Tensor = whole[:, torch.arange(steps, device=codes.device).clamp(max=self.options.steps - 1)]
        return planned

    def numpy_weights(self) -> dict[str, NDArray[np.float32]]:
        """A copy of every weight by name, as numpy arrays."""
        named = {name.replace("posterior_of.", "posterior."): weight for name, weight in self.state_dict().items()}
        return {name: numpy_of(weight).astype(np.float32).copy() for name, weight in named.items()}

    def load_weights(self, weights: Mapping[str, NDArray[np.floating]]) -> VaeNetwork:
        """Take over weights by name; returns itself."""
        self.load_state_dict({
            name.replace("posterior.", "posterior_of."): torch.from_numpy(np.array(weight, dtype=np.float32))
            for name, weight in weights.items()
        })  # fmt: skip
        return self

    def _told(self, tokens: NDArray[np.int64], bars: Bars) -> Tensor:
        rows = torch.from_numpy(told_of(tokens, bars, self.vocabulary_size)).to(self.device)
        told: Tensor = self.table(rows.flatten(0, 1)).view(*tokens.shape, -1)
        return told

    def _dropped(self, values: Tensor) -> Tensor:
        return F.dropout(values, self.options.dropout, self.training)


def divergences(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each number of each code: (mean^2 + variance - 1 - ln variance) / 2.

    Example:
        >>> divergences(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)).tolist()
        [[0.5, 0.0]]
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)


def with_free_bits(divergence: Tensor, free: float) -> Tensor:
    """What the divergence of a batch costs: the sum over the code's numbers of max(free, mean over the batch).

    So each number may say so much for nothing, and saying less gains nothing (Kingma et al. 2016, Improved variational
    inference with inverse autoregressive flow, equation 15): codes do not fall silent.

    Args:
        divergence: `(windows, latent)` nats, from `divergences`.
        free: nats a number.

    Example:
        >>> with_free_bits(torch.tensor([[0.1, 2.0], [0.3, 4.0]]), free=0.5).item()
        3.5
    """
    return divergence.mean(dim=0).clamp(min=free).sum()
