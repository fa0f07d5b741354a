"""Gradients of recurrent layers on every device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def recurrent_gradients(module: nn.Module) -> Iterator[None]:
    """Let gradients through a module's recurrent layers while its dropout stays off.

    A tuned model computes as it composes, without dropout. But cuDNN, which computes recurrent layers on CUDA cards,
    gives gradients in training mode alone; so these layers are put into it, with a dropout of 0, and back at the end.

    Args:
        module: a torch module in evaluation mode.

    Example:
        >>> layer = nn.LSTM(2, 2, num_layers=2, dropout=0.5).eval()
        >>> with recurrent_gradients(layer):
        ...     print(layer.training, layer.dropout)
        True 0.0
        >>> layer.training, layer.dropout
        (False, 0.5)
    """
    layers = [layer for layer in module.modules() if isinstance(layer, nn.RNNBase)]
    before = [(layer.dropout, layer.training) for layer in layers]
    for layer in layers:
        layer.dropout, layer.training = 0.0, True
    try:
        yield
    finally:
        for layer, (dropout, training) in zip(layers, before, strict=True):
            layer.dropout, layer.training = dropout, training
