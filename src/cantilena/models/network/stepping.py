"""Single steps of a network in torch.

The table times the first layer is computed once, and the cells are written out, with sigma the logistic function and .
the elementwise product:

    lstm   i, f, o = sigma(a_i), sigma(a_f), sigma(a_o);  c' = f . c + i . tanh(a_g);  h' = o . tanh(c')
    gru    r, z = sigma(x_r + u_r), sigma(x_z + u_z);  n = tanh(x_n + r . u_n);  h' = n + z . (h - n)
    rnn    h' = tanh(a)

where x = W_ih x + b_ih comes from the layer below, u = W_hh h + b_hh from the step before, and a = x + u. Products have
the type `Network.stepping`; the rest is float32. A transformer keeps the keys and values of the steps before.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cantilena.models.network.kv_cache import KVCache
from cantilena.models.network.stepwise import Ints
from cantilena.models.network.transformer import Transformer
from cantilena.models.network.weights import LAYER

if TYPE_CHECKING:
    from cantilena.models.network.module import Network

Hidden = tuple[tuple[Tensor, ...], ...]
"""For each layer `(h, c)` for lstm, else `(h,)`, each `(melodies, width)`; h has the type of the products."""

State = tuple[Hidden, Any]
"""The state of the layers, and the past of attention if there is any, or of notes what the head reads of the note."""

_MAX_TRANSPOSED = 512
"""Up to this width transposed copies multiply faster; wider ones gain nothing, and copying them takes long."""


class RecurrentStepper:
    """Copies of the weights of a recurrent network laid out for stepping."""

    def __init__(self, network: Network) -> None:
        core = network.core
        self.core, self.width = network.options.core, network.options.width
        self.low = network.stepping if network.stepping != torch.float32 else None
        self.head = network.head.weight.t().contiguous(), network.head.bias.clone()
        self.attention = copy.deepcopy(network.attention) if network.options.attends else None
        self.parts = network.parts.weight.detach().clone() if network.options.durations else None
        if self.parts is not None:
            self.direct = network.direct.weight.detach().clone()
            self.mix, self.deep = (layer.weight.detach().t().contiguous() for layer in (network.mix, network.deep))
            self.deep_bias = network.deep.bias.detach().clone()
            self.parts[: network.features.start + 1] += network.mix.bias.detach()  # each token has exactly one of these
        self.tape, network.tape = network.tape, None  # of the first melodies alone
        self.layers = []
        for layer in range(network.options.layers):
            w_ih, w_hh, b_ih, b_hh = (self._reorder(getattr(core, f"{name}_l{layer}")) for name in LAYER)
            if self.core != "gru":  # the new gate of a gru needs the two biases apart
                b_ih, b_hh = b_ih + b_hh, torch.zeros_like(b_hh)
            if layer == 0:
                self.table = network.table.weight.detach() @ w_ih.t()
                self.table[: network.features.start + 1] += b_ih  # each step has exactly one row of these
            self.layers.append((self._transpose(w_ih), b_ih, self._transpose(w_hh), b_hh))

    def initial_state(self, melodies: int) -> State:
        """Zeros."""
        zeros = self.table.new_zeros(melodies, self.width)
        h = zeros.to(self.low or zeros.dtype)
        return tuple((h, zeros) if self.core == "lstm" else (h,) for _ in self.layers), None

    def __call__(self, rows: Ints | None, state: State, parts: Ints | None = None) -> tuple[Tensor, State]:
        """As `Stepper` has it."""
        hidden, past = state
        if rows is not None:
            indices = _indices(rows, self.table)
            if self.tape is not None:
                self.tape.rows.append(rows)
            hidden = self._core(F.embedding_bag(indices, self.table, mode="sum"), hidden)
        output = hidden[-1][0].float()  # the head reads float32
        if parts is not None and self.parts is not None:
            if rows is not None:
                past = F.embedding_bag(indices, self.direct, mode="sum").addmm_(output, self.mix)
            inner = (past + F.embedding_bag(_indices(parts, self.parts), self.parts, mode="sum")).tanh_()
            return self._scores(inner + torch.addmm(self.deep_bias, inner, self.deep).tanh_()), (hidden, past)
        if self.attention is None:
            return self._scores(output), (hidden, None)
        scores, past = self.attention.scores(self._scores, output[:, None], indices[:, :1], past)
        return scores[:, 0], (hidden, past)

    def all_hidden(self, rows: Ints) -> Tensor:
        """`(melodies, steps, width)`: the last layer after each step with `(melodies, steps, columns)` rows."""
        melodies, steps, _ = rows.shape
        hidden, _ = self.initial_state(melodies)
        after = self.table.new_empty(melodies, steps, self.width)
        for step in range(steps):
            hidden = self._core(F.embedding_bag(_indices(rows[:, step], self.table), self.table, mode="sum"), hidden)
            after[:, step] = hidden[-1][0]
        return after

    def _core(self, x: Tensor, hidden: Hidden) -> Hidden:
        after = []
        for layer, (w_ih, b_ih, w_hh, b_hh) in enumerate(self.layers):
            if layer:
                x = self._linear(b_ih, x, w_ih)
            cell = self._cell(x, w_hh, b_hh, hidden[layer], layer)
            after.append(cell if self.low is None else (cell[0].to(self.low), *cell[1:]))
            x = after[-1][0]
        return tuple(after)

    def _scores(self, hidden: Tensor) -> Tensor:
        weight, bias = self.head
        return hidden @ weight + bias if hidden.ndim > 2 else torch.addmm(bias, hidden, weight)

    def _cell(self, x: Tensor, w_hh: Tensor, b_hh: Tensor, state: tuple[Tensor, ...], layer: int) -> tuple[Tensor, ...]:
        """One cell; overwrites `x`."""
        h, width = state[0], self.width
        if self.core == "gru":
            u = self._linear(b_hh, h, w_hh)
            reset, keep = (x[:, : 2 * width] + u[:, : 2 * width]).sigmoid_().chunk(2, dim=1)
            new = torch.addcmul(x[:, 2 * width :], reset, u[:, 2 * width :]).tanh_()
            return (torch.addcmul(new, keep, h - new),)
        if self.low is None:
            x.addmm_(h, w_hh)
        else:
            x.add_(h @ w_hh)
        if self.core == "rnn":
            return (x.tanh_(),)
        i, f, o = x[:, : 3 * width].sigmoid_().chunk(3, dim=1)
        c = torch.addcmul(f * state[1], i, x[:, 3 * width :].tanh_())
        cell_tanh = c.tanh()
        h = o * cell_tanh
        if self.tape is not None:
            self.tape.cells[layer].append((x, c, cell_tanh, h))
        return h, c

    def _linear(self, bias: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """A new float32 tensor."""
        return torch.addmm(bias, x, weight) if self.low is None else (x @ weight).float().add_(bias)

    def _transpose(self, weight: Tensor) -> Tensor:
        transposed = weight.to(self.low or weight.dtype).t()
        return transposed.contiguous() if self.width <= _MAX_TRANSPOSED else transposed

    def _reorder(self, weight: Tensor) -> Tensor:
        """An lstm's gates from torch's i, f, g, o to i, f, o, g, so that the three sigmoids are adjacent."""
        weight = weight.detach()
        if self.core != "lstm":
            return weight.clone()
        i, f, g, o = weight.chunk(4)
        return torch.cat([i, f, o, g])


class TransformerStepper:
    """Copies of the weights of a transformer laid out for stepping; the state is a cache for each layer."""

    def __init__(self, network: Network) -> None:
        core, self.max_context = network.core, network.options.max_context
        assert isinstance(core, Transformer)
        self.layers = copy.deepcopy(core.layers).eval()
        self.norm, self.head = copy.deepcopy(core.norm), copy.deepcopy(network.head)
        self.table = F.linear(network.table.weight, core.below.weight)
        self.table[: network.features.start + 1] += core.below.bias  # each step has exactly one row of these
        self.bias = core.slopes[:, None] * torch.arange(1 - self.max_context, 1, device=network.device)
        self.size = network.options.width // network.options.heads

    def initial_state(self, melodies: int) -> tuple[KVCache, ...]:
        """Empty caches."""
        like = self.table.new_empty(2, melodies, len(self.bias), 1, self.size)
        return tuple(KVCache.empty(like) for _ in self.layers)

    def __call__(
        self, rows: Ints | None, state: tuple[KVCache, ...], parts: Ints | None = None
    ) -> tuple[Tensor, tuple[KVCache, ...]]:
        """As `Stepper` has it."""
        assert rows is not None  # notes, which have steps without rows, need recurrent cells
        x = F.embedding_bag(_indices(rows, self.table), self.table, mode="sum")[:, None]
        after = []
        for layer, cache in zip(self.layers, state, strict=True):
            query, latest = layer.project(x)  # type: ignore[operator]
            cache = cache.append(latest, self.max_context)
            keys, values = cache.last(self.max_context)
            bias = self.bias[None, :, None, -keys.shape[2] :]
            x = layer.output(x, F.scaled_dot_product_attention(query, keys, values, attn_mask=bias))  # type: ignore[operator]
            after.append(cache)
        scores: Tensor = self.head(self.norm(x[:, 0]))
        return scores, tuple(after)


def _indices(rows: Ints, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows)).to(like.device)
