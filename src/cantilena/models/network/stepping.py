"""One step of recurrent cells in torch, fast: table times first layer computed once, and the cells written out.

The cells, with sigma the logistic function and . the elementwise product:

    lstm   i, f, o = sigma(a_i), sigma(a_f), sigma(a_o);  c' = f . c + i . tanh(a_g);  h' = o . tanh(c')
    gru    r, z = sigma(x_r + u_r), sigma(x_z + u_z);  n = tanh(x_n + r . u_n);  h' = n + z . (h - n)
    rnn    h' = tanh(a)

where x = W_ih x + b_ih comes from below, u = W_hh h + b_hh from the step before, and a = x + u. The products are of the
network's type `stepping`; what is made of them is float32.

One step of a Transformer in torch: keys and values of the steps before are kept, not computed again.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from cantilena.models.network.attention import Past
from cantilena.models.network.features import Memory
from cantilena.models.network.kv_cache import KeysAndValues
from cantilena.models.network.transformer import Transformer
from cantilena.models.network.weights import LAYER

if TYPE_CHECKING:
    from cantilena.models.network.module import Network


TransformerState = tuple[KeysAndValues, ...]
"""What each layer remembers."""


class TransformerStepper:
    """The weights of a network with the core `transformer`, laid out for stepping.

    Args:
        network: whose weights; they are copied, so that a later update does not change this stepper.
    """

    def __init__(self, network: Network) -> None:
        core, self.reach = network.core, network.options.reach
        assert isinstance(core, Transformer)
        self.layers = copy.deepcopy(core.layers).eval()
        self.norm, self.head = copy.deepcopy(core.norm), copy.deepcopy(network.head)
        self.table = F.linear(network.table.weight, core.below.weight)
        self.table[: network.features.start + 1] += core.below.bias  # each step has exactly one row of these
        self.bias = core.slopes[:, None] * torch.arange(1 - self.reach, 1, device=network.device)
        self.size = network.options.width // network.options.heads

    def silence(self, melodies: int) -> TransformerState:
        """The state before anything has sounded."""
        like = self.table.new_empty(2, melodies, len(self.bias), 1, self.size)
        return tuple(KeysAndValues.nothing(like) for _ in self.layers)

    def __call__(self, rows: Tensor, before: TransformerState) -> tuple[Tensor, TransformerState]:
        """`(melodies, vocabulary)` scores after one step with `(melodies, columns)` rows, and the new state."""
        x = F.embedding_bag(rows, self.table, mode="sum")[:, None]
        after = []
        for layer, past in zip(self.layers, before, strict=True):
            query, latest = layer.looks(x)  # type: ignore[operator]
            past = past.after(latest, self.reach)
            keys, values = past.last(self.reach)
            bias = self.bias[None, :, None, -keys.shape[2] :]
            x = layer.after(x, F.scaled_dot_product_attention(query, keys, values, attn_mask=bias))  # type: ignore[operator]
            after.append(past)
        scores: Tensor = self.head(self.norm(x[:, 0]))
        return scores, tuple(after)


Hidden = tuple[tuple[Tensor, ...], ...]
"""For each layer `(h, c)` for lstm, `(h,)` else, each `(melodies, width)`; h in the type that is multiplied."""

State = tuple[Hidden, Past | None]
"""The layers' state, and attention's past where there is attention and something has sounded."""

_NARROW = 512
"""Up to this width turned matrices multiply faster; wider ones gain nothing, and turning them takes long."""


class Stepping(Protocol):
    """A network's weights as they were, laid out for steps."""

    def silence(self, melodies: int) -> Any:  # noqa: ANN401  (each core has its own)
        """The state before anything has sounded."""
        ...

    def __call__(self, rows: Tensor, before: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """`(melodies, vocabulary)` scores after one step with `(melodies, columns)` rows, and the new state."""
        ...


def stepper_of(network: Network) -> Stepping:
    """What steps a network of its core."""
    return TransformerStepper(network) if network.options.core == "transformer" else Stepper(network)


class Stepper:
    """The weights of a recurrent network, laid out for stepping.

    Args:
        network: whose weights; they are copied, so that a later update does not change this stepper.
    """

    def __init__(self, network: Network) -> None:
        core = network.core
        self.core, self.width = network.options.core, network.options.width
        self.low = network.stepping if network.stepping != torch.float32 else None
        self.head = network.head.weight.t().contiguous(), network.head.bias.clone()
        self.attention = copy.deepcopy(network.attention) if network.options.attends else None
        self.layers = []
        for layer in range(network.options.layers):
            w_ih, w_hh, b_ih, b_hh = (self._ordered(getattr(core, f"{name}_l{layer}")) for name in LAYER)
            if self.core != "gru":  # a gru's new gate keeps the two biases apart
                b_ih, b_hh = b_ih + b_hh, torch.zeros_like(b_hh)
            if layer == 0:
                self.table = network.table.weight.detach() @ w_ih.t()
                self.table[: network.features.start + 1] += b_ih  # each step has exactly one row of these
            self.layers.append((self._turned(w_ih), b_ih, self._turned(w_hh), b_hh))

    def silence(self, melodies: int) -> State:
        """The state before anything has sounded."""
        zeros = self.table.new_zeros(melodies, self.width)
        h = zeros.to(self.low or zeros.dtype)
        return tuple((h, zeros) if self.core == "lstm" else (h,) for _ in self.layers), None

    def __call__(self, rows: Tensor, before: State) -> tuple[Tensor, State]:
        """`(melodies, vocabulary)` scores after one step with `(melodies, columns)` rows, and the new state."""
        hidden, past = before
        after = []
        below = F.embedding_bag(rows, self.table, mode="sum")
        for layer, (w_ih, b_ih, w_hh, b_hh) in enumerate(self.layers):
            from_below = below if layer == 0 else self._sums(b_ih, below, w_ih)
            state = self._cell(from_below, w_hh, b_hh, hidden[layer])
            after.append(state if self.low is None else (state[0].to(self.low), *state[1:]))
            below = after[-1][0]
        below = state[0]  # the head is told the cell's own float32
        if self.attention is None:
            return self._head(below), (tuple(after), None)
        scores, past = self.attention.scores(self._head, below[:, None], rows[:, :1], past)
        return scores[:, 0], (tuple(after), past)

    def _head(self, hidden: Tensor) -> Tensor:
        weight, bias = self.head
        return hidden @ weight + bias if hidden.ndim > 2 else torch.addmm(bias, hidden, weight)

    def _cell(self, x: Tensor, w_hh: Tensor, b_hh: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """One cell; `x` is this step's own and is written over."""
        h, width = state[0], self.width
        if self.core == "gru":
            u = self._sums(b_hh, h, w_hh)
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
        return o * c.tanh(), c

    def _sums(self, bias: Tensor, values: Tensor, weight: Tensor) -> Tensor:
        """Float32 sums of products; they are a step's own."""
        return torch.addmm(bias, values, weight) if self.low is None else (values @ weight).float().add_(bias)

    def _turned(self, weight: Tensor) -> Tensor:
        turned = weight.to(self.low or weight.dtype).t()
        return turned.contiguous() if self.width <= _NARROW else turned

    def _ordered(self, weight: Tensor) -> Tensor:
        """Rows by gate; an lstm's from torch's i, f, g, o to i, f, o, g, so that the three sigmoids lie together."""
        weight = weight.detach()
        if self.core != "lstm":
            return weight.clone()
        i, f, g, o = weight.chunk(4)
        return torch.cat([i, f, o, g])


@dataclass(frozen=True, slots=True)
class StepState:
    """What a network remembers between steps; never changed in place."""

    stepper: Stepping
    hidden: Any
    """What the stepper gave after the step before."""
    memory: Memory
