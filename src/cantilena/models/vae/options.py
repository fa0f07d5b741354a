"""What a melody VAE is made of.

The names and shapes of a VAE's weights, known without building it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cantilena.errors import UsageError
from cantilena.models.network.features import PLACES
from cantilena.models.network.weights import LAYER


@dataclass(frozen=True)
class VaeOptions:
    """The shape of a variational autoencoder of melodies: window, code, encoder, decoder.

    Raises:
        UsageError: a value that no VAE can have.

    Example:
        >>> VaeOptions(bars=4).latent
        48
    """

    bars: int = 2
    """Bars in a window, each of which has a code of its own; a pickup belongs to the first."""
    latent: int = 48
    """Numbers in a code."""
    encoder: int = 64
    """LSTM cells that read a window forwards, and as many that read it backwards."""
    width: int = 128
    """LSTM cells that write a window from its code."""
    embedding: int = 48
    """Size of the vector that describes a step to both."""
    reading: int = 8
    """Numbers that the encoder keeps of each step."""
    plan: int = 12
    """Numbers that the code tells the decoder of each step."""
    hidden: int = 320
    """Units between the readings and the code, and between the code and the plan."""
    dropout: float = 0.0
    """Share of the decoder's inputs and outputs that training leaves out."""

    @property
    def steps(self) -> int:
        """Steps of a window that are told apart: of 24 a bar; later ones are planned as the last, and read by cells.

        Example:
            >>> VaeOptions().steps
            48
        """
        return 24 * self.bars

    def __post_init__(self) -> None:
        for name, value, most in (
            ("bars", self.bars, 16),
            ("latent", self.latent, 1024),
            ("encoder", self.encoder, 2048),
            ("width", self.width, 2048),
            ("embedding", self.embedding, 2048),
            ("reading", self.reading, 256),
            ("plan", self.plan, 256),
            ("hidden", self.hidden, 4096),
        ):
            if not 1 <= value <= most:
                raise UsageError(f"{name} of a VAE is {value}", f"give a whole number from 1 to {most}")
        if not 0.0 <= self.dropout < 1.0:
            raise UsageError(f"dropout is {self.dropout:g}", "give a share from 0 to below 1, such as 0.1")


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
