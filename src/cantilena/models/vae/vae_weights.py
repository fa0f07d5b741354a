"""The names and shapes of a VAE's weights, known without building it."""

from __future__ import annotations

import math

from cantilena.models.network.features import PLACES
from cantilena.models.network.weights import LAYER
from cantilena.models.vae.options import VaeOptions

READERS = ("forwards", "backwards")
"""The encoder's two LSTMs."""


def vae_shapes(options: VaeOptions, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight, in the order of the network.

    Example:
        >>> vae_shapes(VaeOptions(), 38)["head.weight"]
        (38, 140)
    """
    shapes: dict[str, tuple[int, ...]] = {
        "table.weight": (vocabulary_size + 1 + 2 * PLACES, options.embedding),
    }
    for name in READERS:
        shapes |= _lstm(name, options.embedding, options.encoder)
    both = 2 * options.encoder
    shapes |= _linear("reading", both + options.embedding, options.reading)
    shapes |= _linear("gathered", both + options.steps * options.reading, options.hidden)
    shapes |= _linear("posterior", options.hidden, 2 * options.latent)
    shapes |= _linear("opening", options.latent, options.width)
    shapes |= _linear("intent", options.latent, options.hidden)
    shapes |= _linear("plan", options.hidden, options.steps * options.plan)
    shapes |= _lstm("writer", options.embedding + options.plan, options.width)
    return shapes | _linear("head", options.width + options.plan, vocabulary_size)


def vae_parameters(options: VaeOptions, vocabulary_size: int) -> int:
    """How many numbers a VAE learns.

    Example:
        >>> vae_parameters(VaeOptions(), 38) < 600_000
        True
    """
    return sum(math.prod(shape) for shape in vae_shapes(options, vocabulary_size).values())


def _linear(name: str, below: int, above: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (above, below), f"{name}.bias": (above,)}


def _lstm(name: str, below: int, width: int) -> dict[str, tuple[int, ...]]:
    sizes = ((4 * width, below), (4 * width, width), (4 * width,), (4 * width,))
    return {f"{name}.{part}_l0": size for part, size in zip(LAYER, sizes, strict=True)}
