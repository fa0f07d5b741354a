"""A small Transformer in torch: a causal decoder in place of recurrent cells.

Each layer, with n the layer norm (Xiong et al. 2020, On layer normalization in the Transformer architecture, ICML: the
norm before each part trains without a long warm-up):

    x' = x + W [sum over j <= t of share_h(t, j) v_h(j), for each head h]
    share_h(t, j) = softmax over j of q_h(t) . k_h(j) / sqrt(d) - m_h (t - j),      q, k, v linear in n(x)
    y  = x' + W2 gelu(W1 n(x'))

Attention is that of Vaswani et al. (2017, Attention is all you need, NeurIPS, eq. 1). The only thing that tells places
is the distance t - j, which counts against a step by the slope m_h = 2^(-8 h / heads), h = 1 to heads (Press, Smith and
Lewis 2022, Train short, test long: attention with linear biases enables input length extrapolation, ICLR). They show
that a model so made predicts well beyond the lengths it was trained on, where sinusoidal and rotary positions soon
fail: a composition may be longer than any piece that was learned. It also has nothing to learn, so that torch's fused
kernel can take it, and no step needs to know how many came before the keys that are kept.

Pieces longer than what is learned at once go on from the keys and values of the steps before, without their gradient
(Dai et al. 2019, Transformer-XL: attentive language models beyond a fixed-length context, ACL).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cantilena.models.network.options import NetworkOptions

Past = tuple[Tensor, ...]
"""For each layer the keys and values of the last steps, `(2, melodies, heads, past, size)`."""

_STRETCH = 256
"""Steps that look back at once: memory grows with a piece's length, not with its square."""


class Transformer(nn.Module):
    """A core like the recurrent ones: vectors in, what it makes of each step out, and a state to go on with.

    Args:
        options: the network's shape: `layers`, `width`, `heads`, `dropout`, `reach`.
        below: size of the vector that describes a step.

    Example:
        >>> core = Transformer(NetworkOptions(core="transformer", layers=2, width=8), below=5)
        >>> hidden, past = core(torch.zeros(3, 6, 5))
        >>> hidden.shape, past[0].shape
        (torch.Size([3, 6, 8]), torch.Size([2, 3, 4, 6, 2]))
    """

    slopes: Tensor

    def __init__(self, options: NetworkOptions, below: int) -> None:
        super().__init__()
        self.reach = options.reach
        self.below = nn.Linear(below, options.width)
        self.layers = nn.ModuleList(Layer(options) for _ in range(options.layers))
        self.norm = nn.LayerNorm(options.width)
        self.register_buffer("slopes", slopes(options.heads), persistent=False)

    def forward(self, vectors: Tensor, state: Past | None = None) -> tuple[Tensor, Past]:
        """What the last layer says at each step, given all before it.

        Args:
            vectors: `(melodies, steps, below)`.
            state: what this gave for the steps before, None at the start.

        Returns:
            `(melodies, steps, width)`, and the keys and values of the last steps, at most `reach` of them.
        """
        parts = []
        for stretch in torch.split(vectors, _STRETCH, dim=1):
            steps = stretch.shape[1]
            bias = self._bias(0 if state is None else state[0].shape[3], steps)
            x, after = self.below(stretch), []
            for number, layer in enumerate(self.layers):
                x, past = layer(x, None if state is None else state[number], bias)
                after.append(past[:, :, :, -self.reach :])
            state = tuple(after)
            parts.append(self.norm(x))
        assert state is not None
        return torch.cat(parts, dim=1), state

    def _bias(self, before: int, steps: int) -> Tensor:
        """`(1, heads, steps, before + steps)`: what distance counts, -inf for what a step does not hear."""
        places = torch.arange(before + steps, device=self.slopes.device)
        distance = places[before:, None] - places
        bias = -self.slopes[:, None, None] * distance
        return bias.masked_fill((distance < 0) | (distance >= self.reach), -torch.inf)[None]


class Layer(nn.Module):
    """Attention over the steps before, then a network of two layers at each step.

    Args:
        options: the network's shape.
    """

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        width = options.width
        self.heads, self.dropout = options.heads, options.dropout
        self.norm = nn.LayerNorm(width)
        self.look = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        with torch.no_grad():  # so that all layers together add as much as one would (Radford et al. 2019, GPT-2)
            for last in (self.mix, self.narrow):
                last.weight.mul_((2 * options.layers) ** -0.5)

    def forward(self, x: Tensor, past: Tensor | None, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The layer at every step, `(melodies, steps, width)`, and all keys and values."""
        query, latest = self.looks(x)
        seen = latest if past is None else torch.cat([past, latest], dim=3)
        found = F.scaled_dot_product_attention(query, seen[0], seen[1], attn_mask=bias.to(query.dtype))
        return self.after(x, found), seen

    def looks(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Queries `(melodies, heads, steps, size)`; keys and values, `(2, melodies, heads, steps, size)`."""
        melodies, steps, width = x.shape
        looks = self.look(self.norm(x)).view(melodies, steps, 3, self.heads, width // self.heads)
        looks = looks.permute(2, 0, 3, 1, 4)
        return looks[0], looks[1:]

    def after(self, x: Tensor, found: Tensor) -> Tensor:
        """The layer's output from its input and what its heads found, `(melodies, heads, steps, size)`."""
        x = x + self._some(self.mix(found.transpose(1, 2).flatten(2)))
        return x + self._some(self.narrow(F.gelu(self.widen(self.feed_norm(x)), approximate="tanh")))

    def _some(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


def slopes(heads: int) -> Tensor:
    """`(heads,)`: how much each step of distance counts against a step, 2^(-8 h / heads).

    Example:
        >>> slopes(4).tolist()
        [0.25, 0.0625, 0.015625, 0.00390625]
    """
    return 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)
