"""What the machine listener can be asked for."""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.errors import UsageError

FAMILIES = ("logistic", "boosting", "gru")
"""The kinds of classifier, from the fastest to the slowest."""


@dataclass(frozen=True)
class TwoSampleOptions:
    """How carefully the machine listens.

    Raises:
        UsageError: a value that makes no sense.

    Example:
        >>> TwoSampleOptions(families=("logistic",)).seeds
        5
    """

    families: tuple[str, ...] = FAMILIES
    """The kinds of classifier that try: logistic, boosting, gru. The strongest speaks for all."""
    seeds: int = 5
    """How often all is done anew, with other splits, transpositions and first weights; 5 at least."""
    permutations: int = 1000
    """How often the answers of each seed are dealt anew to see what chance alone tells."""
    resamples: int = 1000
    """How often pieces are drawn anew for the intervals."""
    least_pieces: int = 20
    """With fewer pieces on either side the listener refuses to answer."""
    least_melodies: int = 60
    """With fewer melodies on either side the listener refuses to answer."""
    steps_per_bar: int = 16
    """Steps of a bar, by which the place of a note is told: 16 for sixteenths in 4/4."""
    seed: int = 1
    """The same seed, machine and versions give the same numbers."""
    device: str = "auto"
    """auto, cpu, cuda or mps: where the recurrent network learns."""

    def __post_init__(self) -> None:
        for name in self.families:
            if name not in FAMILIES:
                raise UsageError(f"there is no classifier '{name}'", f"choose from {', '.join(FAMILIES)}")
        if not self.families or len(set(self.families)) < len(self.families):
            raise UsageError("no classifier, or one twice", f"choose one or more of {', '.join(FAMILIES)}")
        for name, value, least, most in (
            ("seeds", self.seeds, 5, 1000),
            ("permutations", self.permutations, 99, 1_000_000),
            ("resamples", self.resamples, 100, 1_000_000),
            ("least pieces", self.least_pieces, 8, 1_000_000),
            ("least melodies", self.least_melodies, 16, 1_000_000),
            ("steps per bar", self.steps_per_bar, 1, 4096),
            ("seed", self.seed, 0, 2**63 - 1),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name} is {value}", f"give a whole number from {least} to {most}")
