"""Training an LSTM in bfloat16 on a CPU: forward and backward passes written out as products of whole batches.

The kernel that torch calls for a layer (oneDNN 3.12) silently returns wrong gradients if the layer is wide and the
processor has AMX: from width 1024 on they are orthogonal to those in float32. The passes here are right at every width,
and as fast from `WIDE` on; below, the kernel was right at every width tried and is faster. With . the elementwise
product, i, f and o logistic functions and g the tanh of their products (Hochreiter and Schmidhuber 1997, Long
short-term memory, Neural Computation 9; the forget gate: Gers, Schmidhuber and Cummins 2000, the same journal 12)

    c(t) = f . c(t - 1) + i . g        h(t) = o . tanh c(t)

and, for gradients dh and dc from the layer above and from the step after, backwards through time

    do = dh . tanh c . o (1 - o)       dc <- dc + dh . o . (1 - tanh^2 c)
    di = dc . g . i (1 - i)            df = dc . c(t - 1) . f (1 - f)         dg = dc . i . (1 - g^2)
    dc <- dc . f                       dh(t - 1) = W_hh^T (di, df, dg, do)

The gradients of the weights are one product each, over all steps together.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LOW = torch.bfloat16
"""The type of products; cells accumulate in float32."""

WIDE = 768
"""The width from which on torch's kernel is not called."""

_LEVELS = 2**16
sigmoid_backward = torch.ops.aten.sigmoid_backward
tanh_backward = torch.ops.aten.tanh_backward


def needs_own_gradient(core: nn.Module, device: torch.device) -> bool:
    """Whether `lstm` must replace a call of the core: a wide LSTM in bfloat16 on a CPU, with gradients."""
    if not isinstance(core, nn.LSTM) or device.type != "cpu" or core.hidden_size < WIDE:
        return False
    low = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == LOW
    return low and torch.is_grad_enabled()


def lstm(core: nn.LSTM, vectors: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Any]:
    """As `core(vectors, state)` under autocast, with right gradients.

    Args:
        core: `batch_first`, with any number of layers and dropout between them.
        vectors: `(melodies, steps, inputs)`.
        state: h and c, `(layers, melodies, width)` each; None at the start.

    Returns:
        `(melodies, steps, width)` bfloat16, and the state after the last step: h bfloat16, c float32.

    Examples:
        >>> core = nn.LSTM(4, 8, batch_first=True)
        >>> hidden, (h, c) = lstm(core, torch.zeros(2, 3, 4))
        >>> hidden.shape, torch.equal(hidden[:, -1], h[0]), c.dtype
        (torch.Size([2, 3, 8]), True, torch.float32)
    """
    with torch.autocast("cpu", enabled=False):
        x, last = vectors.transpose(0, 1).to(LOW), []
        for layer in range(core.num_layers):
            if layer:
                x = dropout(x, core.dropout, core.training)
            w_ih, w_hh, b_ih, b_hh = core.all_weights[layer]
            zeros = x.new_zeros(x.shape[1], core.hidden_size)
            h, c = (zeros, zeros) if state is None else (state[0][layer], state[1][layer])
            x, c = _Layer.apply(x, w_ih, w_hh, b_ih + b_hh, h, c)  # type: ignore[no-untyped-call]
            last.append((x[-1] if len(x) else h.to(LOW), c))
        h, c = (torch.stack(parts) for parts in zip(*last, strict=True))
    return x.transpose(0, 1), (h, c)


def dropout(values: Tensor, rate: float, training: bool) -> Tensor:
    """Dropout (Srivastava et al. 2014, JMLR 15), faster than torch's on a CPU.

    There one random number of 64 bits serves four values, which takes a third of the time; the rate is rounded to the
    nearest of 65,536 levels.

    Examples:
        >>> sorted({round(value, 3) for value in dropout(torch.ones(999), 0.2, training=True).tolist()})
        [0.0, 1.25]
    """
    if not training or not rate:
        return values
    if values.device.type != "cpu":
        return nn.functional.dropout(values, rate)
    level = min(round(rate * _LEVELS), _LEVELS - 1)
    draws = torch.empty(-(-values.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    kept = draws.view(torch.int16)[: values.numel()].view(values.shape) >= level - _LEVELS // 2
    return values * kept.to(values.dtype).mul_(_LEVELS / (_LEVELS - level))


class _Layer(torch.autograd.Function):
    """One layer, all steps: `(steps, melodies, inputs)` in, `(steps, melodies, width)` and the last cells out."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch's own)
        x: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        bias: Tensor,
        h: Tensor,
        c: Tensor,
    ) -> tuple[Tensor, Tensor]:
        steps, melodies, inputs = x.shape
        width = w_hh.shape[1]
        w_in, w_back = w_ih.to(LOW), w_hh.to(LOW)
        gates = torch.addmm(bias.to(LOW), x.reshape(steps * melodies, inputs), w_in.t())
        gates = gates.view(steps, melodies, 4 * width)
        hidden = x.new_empty(steps + 1, melodies, width)  # entry t is h before step t
        cells, cell_tanh = torch.empty_like(hidden), torch.empty_like(hidden[1:])
        hidden[0], cells[0] = h, c
        c = c.float().clone()
        for step in range(steps):
            gate = gates[step].addmm_(hidden[step], w_back.t())
            i_f, g, o = gate[:, : 2 * width].sigmoid_(), gate[:, 2 * width : 3 * width].tanh_(), gate[:, 3 * width :]
            i, f = i_f.chunk(2, dim=1)
            c.mul_(f).add_(i * g)
            cells[step + 1] = c
            torch.tanh(cells[step + 1], out=cell_tanh[step])
            torch.mul(o.sigmoid_(), cell_tanh[step], out=hidden[step + 1])
        ctx.save_for_backward(x, w_in, w_back, gates, hidden, cells, cell_tanh)
        return hidden[1:], c

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, from_above: Tensor, from_cells: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        x, w_in, w_back, gates, hidden, cells, cell_tanh = ctx.saved_tensors
        steps, melodies, width = cell_tanh.shape
        slopes, outer = torch.empty_like(gates), gates.new_empty(melodies, 4 * width)
        o_i, o_f, o_g, o_o = outer.chunk(4, dim=1)
        dh, dc = gates.new_zeros(melodies, width), from_cells.float().clone()
        for step in reversed(range(steps)):
            gate, slope = gates[step], slopes[step]
            i, f, g, o = gate.chunk(4, dim=1)
            dh = dh.add_(from_above[step])
            dc.add_(tanh_backward(dh * o, cell_tanh[step]))
            low = dc.to(LOW)
            torch.mul(low, g, out=o_i)
            torch.mul(low, cells[step], out=o_f)
            torch.mul(low, i, out=o_g)
            torch.mul(dh, cell_tanh[step], out=o_o)
            early, new, late = slice(2 * width), slice(2 * width, 3 * width), slice(3 * width, None)
            sigmoid_backward(outer[:, early], gate[:, early], grad_input=slope[:, early])
            tanh_backward(outer[:, new], gate[:, new], grad_input=slope[:, new])
            sigmoid_backward(outer[:, late], gate[:, late], grad_input=slope[:, late])
            dc.mul_(f)
            dh = slope @ w_back
        flat, before = slopes.view(steps * melodies, 4 * width), hidden[:-1].reshape(steps * melodies, width)
        dx = (flat @ w_in).view_as(x)
        w_ih, w_hh = (flat.t() @ x.reshape(steps * melodies, x.shape[2])).float(), (flat.t() @ before).float()
        bias = (flat.new_ones(1, len(flat)) @ flat).float()[0]  # a product sums in float32 without a copy
        return dx, w_ih, w_hh, bias, dh, dc
