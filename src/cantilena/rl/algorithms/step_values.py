"""A small network that estimates how much reward is still to come: what `ppo` measures its luck by."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StepValues(nn.Module):
    """The reward to go before each step, from the tokens before it and the step's number.

    It knows nothing of the model that is tuned, so that it serves any.

    Args:
        vocabulary: how many tokens there are.
        steps: of the melodies.
        seed: decides the initial weights; torch's global generator is left as it was.
        width: cells of its recurrent layer.

    Example:
        >>> StepValues(vocabulary=38, steps=4)(torch.zeros(2, 4, dtype=torch.int64)).shape
        torch.Size([2, 4])
    """

    def __init__(self, vocabulary: int, steps: int, seed: int = 0, width: int = 64) -> None:
        super().__init__()
        self.start = vocabulary
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.tokens = nn.Embedding(vocabulary + 1, width)
            self.places = nn.Embedding(steps, width)
            self.core = nn.GRU(width, width, batch_first=True)
            self.head = nn.Linear(width, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """`(melodies, steps)` values for `(melodies, steps)` tokens: entry t is given the tokens before t."""
        before = torch.cat([torch.full_like(tokens[:, :1], self.start), tokens[:, :-1]], dim=1)
        places = torch.arange(tokens.shape[1], device=tokens.device)
        hidden, _ = self.core(self.tokens(before) + self.places(places))
        values: Tensor = self.head(hidden).squeeze(-1)
        return values
