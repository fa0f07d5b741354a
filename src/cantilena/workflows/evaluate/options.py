"""Options of an evaluation: the flags of `cantilena evaluate` and the keywords of `cantilena.evaluate`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypedDict

from cantilena.data import ReadLimits
from cantilena.errors import UsageError
from cantilena.music import Key

Device = Literal["auto", "cpu", "cuda", "mps"]

MIN_STEPS, MAX_STEPS = 32, 256
"""Bounds of the length that is chosen where none is given: two bars of 4/4, as RL Tuner composes, and sixteen."""

LIMITS = tuple(field.name for field in fields(ReadLimits))
"""Options that no record of an evaluation holds: they decide which files are given up, and those are listed."""

_RANGES: dict[str, tuple[float, float, str]] = {
    "steps": (8, 4096, "give the sixteenths of each melody to compare, or 0 to choose by the shortest set"),
    "melodies": (2, 10_000, "give the number of melodies drawn from each model"),
    "most": (1, 100_000, "give the number of files read from each folder"),
    "temperature": (0.01, 100.0, "1 samples from the model's own distribution"),
    "heard": (0, 100, "give the number of melodies of each system in the report"),
    "seed": (0, 2**63 - 1, "give a whole number that is not negative"),
    "jobs": (0, 1024, "give the number of worker processes, or 0 for one per processor"),
}


@dataclass(frozen=True)
class EvaluateOptions(ReadLimits):
    """The reference melodies, and how many melodies of which length are compared."""

    against: str = ""
    """The corpus of human melodies: a name, a corpus file or a folder of scores. Default: the training corpus of the
    first model if that ships with Cantilena, else tunes."""

    reference: str = ""
    """The model whose log-likelihood of the melodies is reported. Default: the first model evaluated, before tuning."""

    steps: int = 0
    """Sixteenths of each melody to compare, from the first barline. 0: the median length of the set with the shortest
    melodies, at least 32 and at most 256."""

    melodies: int = 1000
    """Number of melodies drawn from each model and baseline, and the maximum number of human melodies."""

    most: int = 10_000
    """Maximum number of files read from a folder; a larger folder is sampled at random."""

    temperature: float = 1.0
    """Sampling temperature of the models."""

    key: str = ""
    """The key of all melodies in folders, such as "C major". Default: the key of each melody."""

    listener: bool = False
    """Also train classifiers to tell each system from human melodies, and report what separates them. Takes minutes."""

    heard: int = 6
    """Number of melodies of each system in the report, with score and sound."""

    seed: int = 1
    """Random seed. The same seed, machine and versions give the same results."""

    device: Device = "auto"
    """Device for networks; auto takes an accelerator if there is one."""

    jobs: int = 0
    """Worker processes that read files and train classifiers; 0 starts one per processor."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.key.strip():
            Key.parse(self.key)
        for name, (low, high, hint) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high and not (name == "steps" and value == 0):
                raise UsageError(f"{name} must be {low} to {high}, got {value}", hint)


class EvaluateKeywords(TypedDict, total=False):
    """The fields of `EvaluateOptions` that `cantilena.evaluate` takes as keywords."""

    reference: str
    steps: int
    melodies: int
    most: int
    temperature: float
    key: str
    listener: bool
    heard: int
    seed: int
    device: Device
    jobs: int
    time_limit: float
    memory_limit: int
