"""What of learning only a VAE knows."""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.errors import UsageError


@dataclass(frozen=True)
class VaeLearning:
    """How a VAE is kept from writing without its code.

    Raises:
        UsageError: a value that makes no sense.

    Example:
        >>> VaeLearning().weight(0.0), VaeLearning(kl_warmup=0.5).weight(0.25)
        (0.0, 0.5)
    """

    free_bits: float = 0.8
    """Nats that each number of the code may say for nothing (`with_free_bits`)."""
    kl_warmup: float = 0.2
    """Share of the training through which the weight of the divergence rises from 0 to 1."""
    word_dropout: float = 0.05
    """Share of the steps before which the writer is not told the last token, so that it asks the code (Bowman et al.
    2016, Generating sentences from a continuous space)."""

    def weight(self, share: float) -> float:
        """Of the divergence after a share of the training."""
        return min(share / self.kl_warmup, 1.0) if self.kl_warmup else 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.free_bits <= 100.0:
            raise UsageError(f"{self.free_bits:g} free bits", "give nats from 0 to 100 for each number of the code")
        for name, value in (("KL warm-up", self.kl_warmup), ("word dropout", self.word_dropout)):
            if not 0.0 <= value <= 1.0:
                raise UsageError(f"a {name} of {value:g}", "give a share from 0 to 1")
