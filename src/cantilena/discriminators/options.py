"""Options of the classifier two-sample test."""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.errors import UsageError

FAMILIES = ("logistic", "boosting", "gru")
"""The classifiers by name, from the fastest to the slowest."""


@dataclass(frozen=True)
class TwoSampleOptions:
    """Options of `classifier_two_sample_test`.

    Raises:
        UsageError: a value is out of range.

    Examples:
        >>> TwoSampleOptions(families=("logistic",)).seeds
        5
    """

    families: tuple[str, ...] = FAMILIES
    """The classifiers: logistic, boosting, gru. The strongest gives the result."""
    groups: bool = True
    """Also measure how well each group of musical features separates the sets (`features.GROUPS`)."""
    seeds: int = 5
    """Number of repetitions with other splits and initial weights; at least 5."""
    permutations: int = 1000
    """Permutations of the labels for the p-value of each seed."""
    resamples: int = 1000
    """Bootstrap resamples for the intervals."""
    least_pieces: int = 20
    """Minimum number of pieces on each side."""
    least_melodies: int = 60
    """Minimum number of melodies on each side."""
    steps_per_bar: int = 16
    """Steps in a bar, for metrical features: 16 for sixteenths in 4/4."""
    seed: int = 1
    """The same seed, machine and versions give the same numbers."""
    device: str = "auto"
    """auto, cpu, cuda or mps: where the recurrent network is trained."""

    def __post_init__(self) -> None:
        for name in self.families:
            if name not in FAMILIES:
                raise UsageError(f"unknown classifier '{name}'", f"choose from {', '.join(FAMILIES)}")
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
                raise UsageError(f"{name} is out of range: {value}", f"give an integer from {least} to {most}")
