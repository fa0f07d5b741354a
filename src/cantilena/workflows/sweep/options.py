"""What a search for the best training can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.errors import UsageError


@dataclass(frozen=True)
class SweepOptions:
    """How many trainings are tried, of what, and how long each may take.

    Raises:
        UsageError: a value that makes no sense.

    Example:
        >>> SweepOptions(trials=8).processes
        1
    """

    search: str = "default"
    """What may change, and between what: a space that ships, `default` or `memory`, or a file in TOML. What a flag
    gives is not searched."""

    trials: int = 20
    """Trainings to try; the first is the preset itself, where the space holds it."""

    processes: int = 1
    """Trainings at once, each in a process of its own and, unless alone, on one thread; 0 takes one a processor. With
    one, the same seed tries the same; with several, what is tried depends on which is done first."""

    seconds_a_trial: float | None = None
    """A training that takes longer is given up; no limit if left out. `--budget` bounds the steps of each instead."""

    pruning: Literal["median", "none"] = "median"
    """median: give up a training whose best held-out loss so far is worse than the median of earlier ones after as many
    epochs. none: let all finish."""

    def __post_init__(self) -> None:
        if not 1 <= self.trials <= 10_000:
            raise UsageError(f"{self.trials} trials", "give 1 to 10000")
        if not 0 <= self.processes <= 256:
            raise UsageError(f"{self.processes} processes", "give 1 to 256, or 0 for one a processor")
        if self.seconds_a_trial is not None and not 0 < self.seconds_a_trial <= 1e7:
            raise UsageError(f"{self.seconds_a_trial:g} seconds a trial", "give a number of seconds over 0")
        if self.pruning not in ("median", "none"):
            raise UsageError(f"there is no pruning '{self.pruning}'", "choose median or none")
