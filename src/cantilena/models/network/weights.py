"""Names and shapes of the weights of a network, without building it.

The names are those of `Network.state_dict()`, and written into bundles.
"""

from __future__ import annotations

import math

from cantilena.models.network.features import DISTANCE_BINS, MATCH_BINS
from cantilena.models.network.note_features import NoteFeatures, features_of
from cantilena.models.network.options import NetworkOptions

Shapes = dict[str, tuple[int, ...]]

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Number of gates of each kind of cell: blocks of rows in its weights."""

LAYER = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
"""The weights of a recurrent layer, by torch's names without the number of the layer."""


def weight_shapes(options: NetworkOptions, vocabulary_size: int) -> Shapes:
    """Name and shape of every weight, in the order of the network.

    Examples:
        >>> weight_shapes(NetworkOptions(), 38)["head.weight"]
        (38, 128)
    """
    shapes: Shapes = {}
    features = features_of(options, vocabulary_size)
    if options.input == "features":
        shapes["table.weight"] = (features.rows, options.embedding)
    shapes |= _transformer_shapes(options) if options.core == "transformer" else _recurrent_shapes(options)
    if isinstance(features, NoteFeatures):
        size = options.head_inputs
        shapes["parts.weight"] = (features.part_rows, size)
        shapes["direct.weight"] = (features.rows, size)
        shapes |= linear_shapes("mix", options.width, size)
        shapes |= linear_shapes("deep", size, size)
    shapes |= linear_shapes("head", options.head_inputs, vocabulary_size)
    return shapes | (_attention_shapes(options, vocabulary_size) if options.attends else {})


def parameters(options: NetworkOptions, vocabulary_size: int) -> int:
    """Number of parameters.

    Examples:
        >>> parameters(NetworkOptions(), 38) < 300_000
        True
    """
    return sum(map(math.prod, weight_shapes(options, vocabulary_size).values()))


def linear_shapes(name: str, inputs: int, outputs: int) -> Shapes:
    """The shapes of a linear layer."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def recurrent_shapes(name: str, inputs: int, width: int, gates: int = 4, layer: int = 0) -> Shapes:
    """The shapes of a layer of `nn.LSTM`, or of another cell by its number of gates."""
    sizes = ((gates * width, inputs), (gates * width, width), (gates * width,), (gates * width,))
    return {f"{name}.{part}_l{layer}": size for part, size in zip(LAYER, sizes, strict=True)}


def _recurrent_shapes(options: NetworkOptions) -> Shapes:
    shapes: Shapes = {}
    inputs = options.embedding if options.input == "features" else 1
    for layer in range(options.layers):
        shapes |= recurrent_shapes("core", inputs, options.width, GATES[options.core], layer)
        inputs = options.width
    return shapes


def _transformer_shapes(options: NetworkOptions) -> Shapes:
    width = options.width
    shapes = linear_shapes("core.below", options.embedding, width)
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


def _attention_shapes(options: NetworkOptions, vocabulary_size: int) -> Shapes:
    shapes: Shapes = {"attention.matches": (MATCH_BINS,), "attention.distances": (DISTANCE_BINS,)}
    if options.attention:
        shapes |= linear_shapes("attention.query", options.width, options.attention)
        shapes |= linear_shapes("attention.place", options.width, 2 * options.attention)
        shapes["attention.said.weight"] = (options.width, vocabulary_size)
        shapes["attention.told.weight"] = (options.width, options.attention)
    return shapes
