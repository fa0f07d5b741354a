"""The core of a network: recurrent cells, or a transformer.

All cores are called alike: `hidden, state = core(vectors, state)` with `(melodies, steps, below)` vectors, `None` for
the state at the start, `(melodies, steps, width)` out, and a state whose every part has its melodies along axis 1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from cantilena.models.network.options import NetworkOptions
from cantilena.models.network.transformer import Transformer

_CELLS: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def core_of(options: NetworkOptions) -> nn.Module:
    """The core of that shape, its first weights drawn from torch's global generator.

    Example:
        >>> core_of(NetworkOptions(core="gru", embedding=5, width=8))
        GRU(5, 8, batch_first=True)
    """
    if options.core == "transformer":
        return Transformer(options, options.embedding)
    below = options.embedding if options.input == "features" else 1
    between = options.dropout if options.layers > 1 else 0.0
    core = _CELLS[options.core](below, options.width, options.layers, batch_first=True, dropout=between)
    if options.core == "lstm":
        with torch.no_grad():  # a cell remembers until it has learned to forget
            for layer in range(options.layers):
                getattr(core, f"bias_ih_l{layer}")[options.width : 2 * options.width] = 1.0
    return core
