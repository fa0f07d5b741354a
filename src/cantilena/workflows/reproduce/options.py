"""What the paper's experiment can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.errors import UsageError


@dataclass(frozen=True)
class ReproduceOptions:
    """The paper's experiment: one corpus, one preset, one seed."""

    preset: Literal["quick", "paper"] = "quick"
    """`quick`: minutes on two cores. `paper`: the paper's sizes, 3 x 1024 and 200 epochs at most: hours."""

    corpus: str = "tunes"
    """A corpus that ships with Cantilena, a corpus file, or a folder of scores."""

    seed: int = 1
    """The same seed, machine and versions give the same results."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where networks compute; auto takes an accelerator that is there."""

    counted: int = 1000
    """Melodies a system that are counted."""

    heard: int = 10
    """Melodies a system that are written to listen to, of 30 seconds each."""

    def __post_init__(self) -> None:
        if not self.corpus.strip():  # as an unset shell variable gives it; it would mean the working folder
            raise UsageError("the corpus has no name", "name a built-in corpus, a corpus file or a folder of scores")
        if self.preset not in ("quick", "paper"):
            raise UsageError(f"there is no preset '{self.preset}'", "choose quick or paper")
        if not 2 <= self.counted <= 1_000_000:
            raise UsageError(f"{self.counted} melodies to count", "give 2 to 1000000")
        if not 1 <= self.heard <= 10_000:
            raise UsageError(f"{self.heard} melodies to hear", "give 1 to 10000")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed {self.seed} is out of range", "seeds run from 0 to 2^63 - 1")
