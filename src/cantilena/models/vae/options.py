"""The options of a melody VAE, and the names and shapes of its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cantilena.errors import UsageError
from cantilena.models.network.features import BAR_POSITIONS
from cantilena.models.network.weights import Shapes, linear_shapes, recurrent_shapes


@dataclass(frozen=True)
class VaeOptions:
    """The shape of a variational autoencoder of melodies.

    Raises:
        UsageError: a value is invalid.

    Examples:
        >>> VaeOptions(bars=4).latent
        48
    """

    bars: int = 2
    """Bars in a window, each of which has a code; a pickup belongs to the first."""
    latent: int = 48
    """Size of a code."""
    encoder: int = 64
    """LSTM cells of the encoder in each direction."""
    width: int = 128
    """LSTM cells of the decoder."""
    embedding: int = 48
    """Size of the input vectors of encoder and decoder."""
    reading: int = 8
    """Size of the vector that the encoder keeps of each step, beside its last states."""
    plan: int = 12
    """Size of the vector that the code gives the decoder for each step."""
    hidden: int = 320
    """Units of the layers before and after the code."""
    dropout: float = 0.0
    """Dropout rate of the inputs and outputs of the decoder."""

    @property
    def steps(self) -> int:
        """Steps of a window with a reading and a plan of their own, 24 a bar; later ones share the last plan."""
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
            raise UsageError(f"dropout is {self.dropout:g}", "give a rate from 0 to below 1, such as 0.1")


LOG_VARIANCE_RANGE = (-8.0, 4.0)
"""Bounds of the log variance of a code."""


def vae_shapes(options: VaeOptions, vocabulary_size: int) -> Shapes:
    """Name and shape of every weight, in the order of the network.

    Examples:
        >>> vae_shapes(VaeOptions(), 38)["head.weight"]
        (38, 140)
    """
    both = 2 * options.encoder
    return (
        {"table.weight": (vocabulary_size + 1 + 2 * BAR_POSITIONS, options.embedding)}
        | recurrent_shapes("forwards", options.embedding, options.encoder)
        | recurrent_shapes("backwards", options.embedding, options.encoder)
        | linear_shapes("reading", both + options.embedding, options.reading)
        | linear_shapes("gathered", both + options.steps * options.reading, options.hidden)
        | linear_shapes("posterior", options.hidden, 2 * options.latent)
        | linear_shapes("opening", options.latent, options.width)
        | linear_shapes("intent", options.latent, options.hidden)
        | linear_shapes("plan", options.hidden, options.steps * options.plan)
        | recurrent_shapes("writer", options.embedding + options.plan, options.width)
        | linear_shapes("head", options.width + options.plan, vocabulary_size)
    )


def vae_parameters(options: VaeOptions, vocabulary_size: int) -> int:
    """Number of parameters.

    Examples:
        >>> vae_parameters(VaeOptions(), 38) < 600_000
        True
    """
    return sum(map(math.prod, vae_shapes(options, vocabulary_size).values()))
