"""The names and shapes of a network's weights, known without building it."""

from __future__ import annotations

import math

from cantilena.models.network.features import DISTANCES, KINDS, Features
from cantilena.models.network.options import NetworkOptions

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Gates of each kind of cell: blocks of rows in its weights."""

LAYER = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
"""The weights of a layer, by torch's names without the layer's number."""


def weight_shapes(options: NetworkOptions, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight, in the order of the network.

    Example:
        >>> weight_shapes(NetworkOptions(), 38)["head.weight"]
        (38, 128)
    """
    shapes: dict[str, tuple[int, ...]] = {}
    if options.input == "features":
        shapes["table.weight"] = (Features(options, vocabulary_size).rows, options.embedding)
    shapes |= _of_transformer(options) if options.core == "transformer" else _of_cells(options)
    shapes["head.weight"] = (vocabulary_size, options.width)
    shapes["head.bias"] = (vocabulary_size,)
    return shapes | (_of_attention(options, vocabulary_size) if options.attends else {})


def _of_cells(options: NetworkOptions) -> dict[str, tuple[int, ...]]:
    gates, width = GATES[options.core] * options.width, options.width
    shapes: dict[str, tuple[int, ...]] = {}
    below = options.embedding if options.input == "features" else 1
    for layer in range(options.layers):
        shapes[f"core.weight_ih_l{layer}"] = (gates, below)
        shapes[f"core.weight_hh_l{layer}"] = (gates, width)
        shapes[f"core.bias_ih_l{layer}"] = (gates,)
        shapes[f"core.bias_hh_l{layer}"] = (gates,)
        below = width
    return shapes


def _of_transformer(options: NetworkOptions) -> dict[str, tuple[int, ...]]:
    width = options.width
    shapes: dict[str, tuple[int, ...]] = {"core.below.weight": (width, options.embedding), "core.below.bias": (width,)}
    for layer in range(options.layers):
        for name, size in (
            ("norm", (width,)),
            ("look", (3 * width, width)),
            ("mix", (width, width)),
            ("feed_norm", (width,)),
            ("widen", (4 * width, width)),
            ("narrow", (width, 4 * width)),
        ):
            shapes[f"core.layers.{layer}.{name}.weight"] = size
            shapes[f"core.layers.{layer}.{name}.bias"] = size[:1]
    return shapes | {"core.norm.weight": (width,), "core.norm.bias": (width,)}


def _of_attention(options: NetworkOptions, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"attention.matches": (KINDS,), "attention.distances": (DISTANCES,)}
    if options.attention:
        for name, size in (("query", options.attention), ("place", 2 * options.attention)):
            shapes[f"attention.{name}.weight"] = (size, options.width)
            shapes[f"attention.{name}.bias"] = (size,)
        shapes["attention.said.weight"] = (options.width, vocabulary_size)
        shapes["attention.told.weight"] = (options.width, options.attention)
    return shapes


def parameters(options: NetworkOptions, vocabulary_size: int) -> int:
    """How many numbers a network learns.

    Example:
        >>> parameters(NetworkOptions(), 38) < 300_000
        True
    """
    return sum(math.prod(shape) for shape in weight_shapes(options, vocabulary_size).values())
