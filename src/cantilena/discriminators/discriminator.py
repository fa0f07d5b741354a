"""A classifier that says after every step of a melody how much it sounds like people's: a small causal network.

With y = 1 for people's melodies and 0 for generated ones, it adds up evidence, a number e for each step that knows only
what has sounded until then,

    f(s_1..t) = e(s_1) + e(s_1..2) + ... + e(s_1..t)

and learns to minimise the mean over all prefixes of the cross-entropy of sigmoid(f) and y. Where it has learned all
that there is to learn, f is the log ratio of people's probability of the prefix to the generator's (log D - log(1 - D)
of L. Yu et al., SeqGAN, AAAI 2017), and e(s_1..t) the log ratio of their probabilities of the step: the evidence is how
much a step itself gains or costs.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_REACH = (1, 3, 9)
"""How many steps apart a layer hears three states: the last layer hears 27 steps."""


class Discriminator(nn.Module):
    """Embedded steps, causal convolutions over them (Y. Kim 2014, as in SeqGAN, but never ahead), and evidence by step.

    Args:
        kinds: how many values each column of what is heard can have.
        width: of the layers.
        dropout: of embedded steps and of what decides, while learning.

    Example:
        >>> _ = torch.manual_seed(1)
        >>> ear = Discriminator((3, 2), width=8).eval()
        >>> heard = torch.tensor([[[0, 1], [2, 0], [1, 1]]])
        >>> whole, begun = ear(heard), ear(heard[:, :2])
        >>> whole.shape, torch.allclose(whole[:, :2], begun)
        (torch.Size([1, 3]), True)
    """

    offset: Tensor

    def __init__(self, kinds: tuple[int, ...], width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        self.register_buffer("offset", torch.tensor([0, *kinds[:-1]]).cumsum(0), persistent=False)
        self.embed = nn.EmbeddingBag(sum(kinds), width, mode="sum")
        self.layers = nn.ModuleList(nn.Linear(3 * width, width) for _ in _REACH)
        self.dropout = nn.Dropout(dropout)
        self.evidence = nn.Linear(width, 1)
        nn.init.normal_(self.embed.weight, std=0.3)
        nn.init.zeros_(self.evidence.weight)
        nn.init.zeros_(self.evidence.bias)

    def forward(self, heard: Tensor) -> Tensor:
        """Log odds that the melody of each prefix is people's, `(melodies, steps)`, of `(melodies, steps, columns)`."""
        melodies, steps, columns = heard.shape
        # Steps come first, so that states of other steps are slices: faster on a processor than a convolution.
        by_step = (heard + self.offset).transpose(0, 1).reshape(steps * melodies, columns)
        state = self.dropout(self.embed(by_step)).view(steps, melodies, -1)
        for reach, layer in zip(_REACH, self.layers, strict=True):
            earlier = F.pad(state, (0, 0, 0, 0, 2 * reach, 0))
            state = state + F.relu(layer(torch.cat([earlier[:steps], earlier[reach : steps + reach], state], dim=2)))
        return cast("Tensor", self.evidence(self.dropout(state)).squeeze(2).cumsum(0).T)
