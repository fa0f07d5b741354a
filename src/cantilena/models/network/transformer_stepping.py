"""One step of a Transformer in torch: keys and values of the steps before are kept, not computed again."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from cantilena.models.network.keys_and_values import KeysAndValues
from cantilena.models.network.transformer import Transformer

if TYPE_CHECKING:
    from cantilena.models.network.module import Network

State = tuple[KeysAndValues, ...]
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

    def silence(self, melodies: int) -> State:
        """The state before anything has sounded."""
        like = self.table.new_empty(2, melodies, len(self.bias), 1, self.size)
        return tuple(KeysAndValues.nothing(like) for _ in self.layers)

    def __call__(self, rows: Tensor, before: State) -> tuple[Tensor, State]:
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
