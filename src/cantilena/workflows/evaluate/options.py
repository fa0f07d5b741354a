"""What an evaluation can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.errors import UsageError
from cantilena.music import Key

LONGEST = 256
"""Steps of a melody that are judged at most, unless asked otherwise: sixteen bars of 4/4, some thirty seconds."""


SHORTEST = 32
"""Steps at least: two bars of 4/4, as RL Tuner composes them; shorter melodies are judged as they are."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What melodies are held beside, how many and how long."""

    against: str = ""
    """The corpus of people's melodies: a name, a corpus file or a folder of scores. Where left out, the one that the
    first model learned, if it ships; else tunes."""

    reference: str = ""
    """The model whose likelihood of the melodies is told; where left out, the first model that is evaluated, as it was
    before tuning."""

    steps: int = 0
    """Sixteenths of each melody that are judged, from its first barline on. 0: the median length of the set with the
    shortest melodies, 32 at least and 256 at most."""

    melodies: int = 1000
    """Melodies that are drawn from a model or a baseline, and people's at most."""

    most: int = 10_000
    """Files of a folder that are read; of more, so many are drawn."""

    temperature: float = 1.0
    """At which models are drawn from."""

    key: str = ""
    """Judge all melodies of folders in this key, such as "C major"; each in its own where left out."""

    listener: bool = False
    """Also ask the machine listener how well it tells each system from people: minutes."""

    heard: int = 6
    """Melodies of each system that the report lets one hear."""

    seed: int = 1
    """The same seed, machine and versions give the same numbers."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where networks compute; auto takes an accelerator that is there."""

    jobs: int = 0
    """Worker processes that read files; 0 takes one a processor."""

    def __post_init__(self) -> None:
        if self.key.strip():
            Key.parse(self.key)
        if self.steps and not 8 <= self.steps <= 4096:
            raise UsageError(f"{self.steps} steps of each melody", "give 8 to 4096 sixteenths, or 0")
        if not 2 <= self.melodies <= 10_000:
            raise UsageError(f"{self.melodies} melodies", "give 2 to 10000")
        if not 1 <= self.most <= 100_000:
            raise UsageError(f"{self.most} files of a folder", "give 1 to 100000")
        if not 0.01 <= self.temperature <= 100.0:
            raise UsageError(f"a temperature of {self.temperature:g}", "give 0.01 to 100")
        if not 0 <= self.heard <= 100:
            raise UsageError(f"{self.heard} melodies to hear", "give 0 to 100")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed {self.seed} is out of range", "seeds run from 0 to 2^63 - 1")
        if not 0 <= self.jobs <= 1024:
            raise UsageError(f"{self.jobs} worker processes", "give --jobs from 1 to 1024, or 0 for one a processor")
