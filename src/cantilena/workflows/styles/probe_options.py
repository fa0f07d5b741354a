"""What `evaluate --styles` can be asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

from cantilena.errors import UsageError
from cantilena.workflows.evaluate.options import EvaluateOptions

_STEPS = 128
"""Eight bars of 4/4."""

_TAKEN = ("against", "steps", "melodies", "temperature", "heard", "seed", "jobs")
"""What it shares with the other numbers."""


@dataclass(frozen=True)
class HeardStylesOptions:
    """People's melodies that a listener learns styles from, and how many it then hears of a model's.

    Raises:
        UsageError: too few draws.

    Example:
        >>> HeardStylesOptions.of(EvaluateOptions(seed=3)).steps
        128
    """

    styles_by: str = ""
    """What tells people's styles: collection, composer, or a clusters.json; what the bundle recorded where empty."""

    against: str = ""
    """The corpus of people's melodies; the one that the model learned, where it ships, if empty."""

    steps: int = _STEPS
    """Sixteenths of each melody that are heard."""

    melodies: int = 1000
    """Melodies in each column of each draw, as many of every style."""

    draws: int = 3
    """How often melodies are drawn anew."""

    temperature: float = 1.0
    """At which they are drawn."""

    heard: int = 6
    """Melodies of each style that a person can hear."""

    seed: int = 1
    """The same seed, machine and versions give the same numbers."""

    jobs: int = 0
    """Worker processes that read files; 0 takes one a processor."""

    def __post_init__(self) -> None:
        if not 1 <= self.draws <= 100:
            raise UsageError(f"{self.draws} draws", "give 1 to 100")

    @classmethod
    def of(cls, options: EvaluateOptions, styles_by: str = "") -> Self:
        """From what `evaluate` was asked.

        Args:
            options: of all of `evaluate`.
            styles_by: what tells people's styles.

        Raises:
            UsageError: what has no meaning here was asked, too.
        """
        taken = {name: getattr(options, name) for name in _TAKEN}
        rest = replace(EvaluateOptions(), **taken, device=options.device)  # small networks compute where they are
        others = [one.name for one in fields(options) if getattr(options, one.name) != getattr(rest, one.name)]
        if others:
            raise UsageError(f"--styles goes without --{others[0]}", "leave it out, or ask for it by itself")
        return cls(styles_by=styles_by, **{**taken, "steps": options.steps or _STEPS})
