"""A small causal transformer in torch, as a core in place of recurrent cells.

Each layer, with n the layer norm (before each part: Xiong et al. 2020, On layer normalization in the Transformer
architecture, ICML):

    x' = x + W [sum over j <= t of share_h(t, j) v_h(j), for each head h]
    share_h(t, j) = softmax over j of q_h(t) . k_h(j) / sqrt(d) - m_h (t - j),      q, k, v linear in n(x)
    y  = x' + W2 gelu(W1 n(x'))

Attention is that of Vaswani et al. (2017, Attention is all you need, NeurIPS, eq. 1). Positions enter by the distance
t - j alone, with the slope m_h = 2^(-8 h / heads), h = 1 to heads (ALiBi: Press, Smith and Lewis 2022, Train short,
test long: attention with linear biases enables input length extrapolation, ICLR), which extrapolates beyond the lengths
of training; it has no parameters, works with torch's fused kernel, and needs no count of the steps before the cache.

Long pieces continue from the keys and values of the steps before, without their gradient (Dai et al. 2019,
Transformer-XL: attentive language models beyond a fixed-length context, ACL).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cantilena.models.network.options import NetworkOptions

Past = tuple[Tensor, ...]
"""For each layer the keys and values of the last steps, `(2, melodies, heads, past, size)`."""

_CHUNK = 256
"""Steps that attend at once: memory grows with the length of a piece, not with its square."""


class Transformer(nn.Module):
    """A core: vectors of size `inputs` in, hidden vectors of each step out, and the state.

    Examples:
        >>> core = Transformer(NetworkOptions(core="transformer", layers=2, width=8), inputs=5)
        >>> hidden, past = core(torch.zeros(3, 6, 5))
        >>> hidden.shape, past[0].shape
        (torch.Size([3, 6, 8]), torch.Size([2, 3, 4, 6, 2]))
    """

    slopes: Tensor

    def __init__(self, options: NetworkOptions, inputs: int) -> None:
        super().__init__()
        self.max_context = options.max_context
        self.below = nn.Linear(inputs, options.width)
        self.layers = nn.ModuleList(Layer(options) for _ in range(options.layers))
        self.norm = nn.LayerNorm(options.width)
        self.register_buffer("slopes", slopes(options.heads), persistent=False)

    def forward(self, vectors: Tensor, state: Past | None = None) -> tuple[Tensor, Past]:
        """`(melodies, steps, width)` for `(melodies, steps, inputs)` vectors, and the state after the last step."""
        parts = []
        for chunk in torch.split(vectors, _CHUNK, dim=1):
            bias = self._bias(0 if state is None else state[0].shape[3], chunk.shape[1])
            x, after = self.below(chunk), []
            for number, layer in enumerate(self.layers):
                x, past = layer(x, None if state is None else state[number], bias)
                after.append(past[:, :, :, -self.max_context :])
            state = tuple(after)
            parts.append(self.norm(x))
        assert state is not None
        return torch.cat(parts, dim=1), state

    def _bias(self, before: int, steps: int) -> Tensor:
        """`(1, heads, steps, before + steps)`: the bias of each distance, -inf for what is masked."""
        positions = torch.arange(before + steps, device=self.slopes.device)
        distance = positions[before:, None] - positions
        bias = -self.slopes[:, None, None] * distance
        return bias.masked_fill((distance < 0) | (distance >= self.max_context), -torch.inf)[None]


class Layer(nn.Module):
    """Attention and a feed-forward network, each with a residual connection."""

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
        with torch.no_grad():  # the residual stream's variance does not grow with depth (Radford et al. 2019, GPT-2)
            for last in (self.mix, self.narrow):
                last.weight.mul_((2 * options.layers) ** -0.5)

    def forward(self, x: Tensor, past: Tensor | None, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The output of every step, `(melodies, steps, width)`, and all keys and values."""
        query, latest = self.project(x)
        seen = latest if past is None else torch.cat([past, latest], dim=3)
        attended = F.scaled_dot_product_attention(query, seen[0], seen[1], attn_mask=bias.to(query.dtype))
        return self.output(x, attended), seen

    def project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Queries `(melodies, heads, steps, size)`; keys and values `(2, melodies, heads, steps, size)`."""
        melodies, steps, width = x.shape
        projected = self.look(self.norm(x)).view(melodies, steps, 3, self.heads, width // self.heads)
        projected = projected.permute(2, 0, 3, 1, 4)
        return projected[0], projected[1:]

    def output(self, x: Tensor, attended: Tensor) -> Tensor:
        """The output of the layer from its input and `(melodies, heads, steps, size)` results of attention."""
        x = x + self._dropout(self.mix(attended.transpose(1, 2).flatten(2)))
        return x + self._dropout(self.narrow(F.gelu(self.widen(self.feed_norm(x)), approximate="tanh")))

    def _dropout(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


def slopes(heads: int) -> Tensor:
    """`(heads,)`: the penalty of a step of distance, 2^(-8 h / heads).

    Examples:
        >>> slopes(4).tolist()
        [0.25, 0.0625, 0.015625, 0.00390625]
    """
    return 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)
