"""The gradient of melodies that were sampled, without computing their forward pass again.

A policy gradient needs the log probabilities of melodies that its own model has just drawn. Stepping has computed
every gate of every cell by then: a tape keeps them, and `recurrence.py` tells how gradients follow from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cantilena.models.network.recurrence import sigmoid_backward, tanh_backward
from cantilena.models.network.stepwise import Ints
from cantilena.models.network.weights import LAYER

if TYPE_CHECKING:
    from cantilena.models.network.module import Network


class Tape:
    """What the cells of an LSTM computed while melodies were drawn, which holds until its weights change.

    Args:
        network: whose steps are recorded.

    Attributes:
        rows: of each step `(melodies, columns)`.
        cells: of each layer and step the gates i, f, o, g, `(melodies, 4 width)`, and c, tanh c and h after it.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.rows: list[Ints] = []
        self.cells: list[list[tuple[Tensor, Tensor, Tensor, Tensor]]] = [[] for _ in range(network.options.layers)]

    def log_probs(self) -> Tensor:
        """`(melodies, steps, vocabulary)`: those of `Network.log_probs` for the tokens that were drawn."""
        network = self.network
        rows = torch.from_numpy(np.stack(self.rows)).to(network.device)
        x = network.table(rows.flatten(0, 1)).view(*rows.shape[:2], -1)
        for layer, cells in enumerate(self.cells):
            weights = [getattr(network.core, f"{name}_l{layer}") for name in LAYER]
            x = _Recorded.apply(x, *weights, cells)  # type: ignore[no-untyped-call]
        scores: Tensor = network.head(x.transpose(0, 1))
        return scores.log_softmax(-1)


@contextmanager
def recorded(model: Any) -> Iterator[Tape | None]:  # noqa: ANN401  (any model)
    """Record what a model draws in this context, once; the tape is None if it cannot be recorded."""
    options: Any = getattr(model, "options", None)
    can_record = (
        hasattr(model, "tape")
        and options.core == "lstm"
        and not (options.attends or options.durations or options.input == "paper")
        and model.stepping == torch.float32
        and model.device.type == "cpu"
    )
    if not can_record:
        yield None
        return
    model.tape = tape = Tape(model)
    try:
        yield tape
    finally:
        model.tape = None


class _Recorded(torch.autograd.Function):
    """A layer whose output is known: `(steps, melodies, inputs)` in, `(steps, melodies, width)` out."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch's own)
        x: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        cells: list[tuple[Tensor, Tensor, Tensor, Tensor]],
    ) -> Tensor:
        hidden = torch.stack([h for *_, h in cells])
        ctx.save_for_backward(x, w_ih, w_hh, hidden)
        ctx.cells = cells
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, from_above: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, w_ih, w_hh, hidden = ctx.saved_tensors
        steps, melodies, width = hidden.shape
        w_in, w_back = (_swapped(weight) for weight in (w_ih, w_hh))
        zeros, dx = hidden.new_zeros(melodies, width), torch.empty_like(x)
        d_in, d_back, bias = torch.zeros_like(w_in), torch.zeros_like(w_back), hidden.new_zeros(4 * width)
        dh, dc, slope = zeros.clone(), zeros.clone(), hidden.new_empty(melodies, 4 * width)
        outer = torch.empty_like(slope)
        o_i, o_f, o_o, o_g = outer.chunk(4, dim=1)
        for step in reversed(range(steps)):
            gates, _, cell_tanh, _ = ctx.cells[step]
            before = ctx.cells[step - 1][1] if step else zeros
            i, f, o, g = gates.chunk(4, dim=1)
            dh.add_(from_above[step])
            dc.add_(tanh_backward(dh * o, cell_tanh))
            torch.mul(dc, g, out=o_i)
            torch.mul(dc, before, out=o_f)
            torch.mul(dh, cell_tanh, out=o_o)
            torch.mul(dc, i, out=o_g)
            sigmoid_backward(outer[:, : 3 * width], gates[:, : 3 * width], grad_input=slope[:, : 3 * width])
            tanh_backward(outer[:, 3 * width :], g, grad_input=slope[:, 3 * width :])
            dc.mul_(f)
            torch.mm(slope, w_back, out=dh)
            torch.mm(slope, w_in, out=dx[step])
            d_in.addmm_(slope.t(), x[step])
            if step:
                d_back.addmm_(slope.t(), hidden[step - 1])
            bias.add_(slope.sum(0))
        bias = _swapped(bias)
        return dx, _swapped(d_in), _swapped(d_back), bias, bias, None


def _swapped(weight: Tensor) -> Tensor:
    """The gates i, f, g, o of torch as i, f, o, g, in which they are stepped, or the other way round."""
    i, f, third, last = weight.chunk(4)
    return torch.cat([i, f, last, third])
