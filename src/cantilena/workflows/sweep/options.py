"""Options of `sweep`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.errors import UsageError


@dataclass(frozen=True)
class SweepOptions:
    """What a search varies, how many trials it makes, and how long each may take."""

    search: str = "default"
    """The search space: `default`, `memory`, or a TOML file. What a flag gives is not searched."""
    trials: int = 20
    """Number of trials; the first is the preset itself, if the space holds it."""
    processes: int = 1
    """Trials at once, each in a process of its own and, unless alone, on one thread; 0 for one a processor. With one
    process, the same seed gives the same trials; with several, they depend on which ends first."""
    seconds_a_trial: float | None = None
    """Time limit of a trial; none if left out. `--budget` limits its steps instead."""
    pruning: Literal["median", "none"] = "median"
    """`median`: stop a trial whose best validation loss so far is worse than the median of earlier trials after as many
    epochs. `none`: let all finish."""

    def __post_init__(self) -> None:
        if not 1 <= self.trials <= 10_000:
            raise UsageError(f"--trials must be 1 to 10000, got {self.trials}", "20 is the default")
        if not 0 <= self.processes <= 256:
            raise UsageError(f"--processes must be 0 to 256, got {self.processes}", "0 uses one a processor")
        if self.seconds_a_trial is not None and not 0 < self.seconds_a_trial <= 1e7:
            raise UsageError(f"--seconds-a-trial must be over 0, got {self.seconds_a_trial:g}", "leave it out for none")
        if self.pruning not in ("median", "none"):
            raise UsageError(f"there is no pruning '{self.pruning}'", "choose median or none")
