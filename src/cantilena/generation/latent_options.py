"""What is asked of the space of codes: a way between two melodies, or a melody varied."""

from __future__ import annotations

from dataclasses import dataclass, fields

from cantilena.errors import UsageError
from cantilena.generation.options import ComposeOptions, SamplingOptions


@dataclass(frozen=True)
class LatentOptions:
    """A way from one melody to another, or a melody varied, with a model that is a VAE."""

    interpolate: tuple[str, str] | None = None
    """Two melodies to go between, files or notes as for --primer: the first melody is the one, the last the other."""

    steps: int | None = None
    """Melodies on that way, both ends among them; 5 if left out."""

    vary: str | None = None
    """A melody to vary, a file or notes as for --primer."""

    amount: float | None = None
    """How much it is varied: 0 for the melody itself, 1 for a free draw; 0.3 if left out."""

    def __post_init__(self) -> None:
        if self.interpolate is not None and self.vary is not None:
            raise UsageError("--interpolate and --vary together", "give one of them")
        if self.steps is not None and self.interpolate is None:
            raise UsageError("--steps without --interpolate", "give two melodies to go between, or leave it out")
        if self.amount is not None and self.vary is None:
            raise UsageError("--amount without --vary", "give a melody to vary, or leave it out")
        if self.amount is not None and not 0.0 <= self.amount <= 1.0:
            raise UsageError(f"an amount of {self.amount:g}", "give 0, the melody itself, to 1, a free draw")
        if self.steps is not None and not 2 <= self.steps <= 1000:
            raise UsageError(
                f"a way of {self.steps} steps", "give 2 to 1000: the first is the one melody, the last the other"
            )

    @property
    def flag(self) -> str:
        """What is asked, as its flag; empty for nothing."""
        return "--interpolate" if self.interpolate is not None else "--vary" if self.vary is not None else ""

    def check_beside(self, options: ComposeOptions, sampling: SamplingOptions) -> None:
        """Refuse what the melodies themselves decide.

        Args:
            options: what else was asked.
            sampling: how tokens are drawn.

        Raises:
            UsageError: an option that has no place beside these.
        """
        usual, taken = ComposeOptions(), ("range", "constrain", *(["key"] if self.interpolate is not None else []))
        given = [
            field.name
            for field in fields(options)
            if field.name not in taken and getattr(options, field.name) != getattr(usual, field.name)
        ]
        if given:
            name = {"with_primer": "no-primer"}.get(given[0], given[0])
            raise UsageError(f"--{name} and {self.flag} together", "the melodies given decide it: leave it out")
        if self.interpolate is not None and sampling != SamplingOptions():
            raise UsageError(
                "--temperature, --top-k, --top-p or --greedy and --interpolate together",
                "the melodies between are always the most probable ones: leave it out",
            )
