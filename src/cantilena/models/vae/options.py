"""What a melody VAE is made of."""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.errors import UsageError


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
