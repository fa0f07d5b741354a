"""What tuning can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.errors import UsageError

Algorithm = Literal["rloo", "q"]

DEFAULT_C = {"rloo": 3.0, "q": 0.5}
"""The weight of the music theory reward is 1 / c; what each algorithm takes where none is given."""


@dataclass(frozen=True)
class ValueOptions:
    """What only learners of values (`q`) read."""

    gamma: float = 0.5
    """Discount of later rewards."""

    target_rate: float = 0.01
    """How far the target network moves towards the learner at each update."""

    replay: int = 8192
    """Whole melodies kept to learn from again."""

    exploration: float = 1.0
    """Share of random tokens (epsilon) at the start."""

    exploration_end: float = 0.1
    """Share of random tokens at the end of the exploration."""

    exploration_share: float = 0.5
    """Share of the updates over which epsilon falls in a straight line."""

    updates_per_batch: int = 1
    """Gradient steps for every batch of new melodies."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.gamma <= 1.0:
            raise UsageError(f"gamma {self.gamma:g}", "give a discount from 0 to 1")
        if not 0.0 < self.target_rate <= 1.0:
            raise UsageError(f"target rate {self.target_rate:g}", "give a share above 0, up to 1")
        if self.replay < 1 or self.updates_per_batch < 1:
            raise UsageError("a replay memory or an update count below 1", "give whole numbers from 1")
        if not (0.0 <= self.exploration_end <= self.exploration <= 1.0 and 0.0 < self.exploration_share <= 1.0):
            raise UsageError("an exploration that rises", "give 1 >= exploration >= exploration-end >= 0")


@dataclass(frozen=True)
class TuningOptions:
    """How a trained model is tuned on rules of music theory."""

    algorithm: Algorithm = "rloo"
    """`rloo`: policy gradient on whole melodies; `q`: the paper's deep Q-learning."""

    rules: str = "rl-tuner"
    """A rule set by name: `paper` or `rl-tuner`."""

    weights: tuple[str, ...] = ()
    """Weights on single rules, such as `tonic=5 leap=1.5`; 1 is the published value."""

    c: float | None = None
    """The reward is log p + r / c: the larger, the closer to the trained model. 3 for `rloo`, 0.5 for `q`."""

    target_kl: float | None = None
    """Nats a step from the trained model that shall not be passed: c rises while they are, and falls back after."""

    clip: float = 10.0
    """No rule takes more than this from a step while learning (the metrics count the whole)."""

    updates: int = 200
    """Gradient updates."""

    melodies: int = 512
    """Melodies sampled for an update."""

    steps: int = 32
    """Steps of each melody."""

    learning_rate: float = 1e-3
    """Adam's step size; it falls to a tenth in a half cosine."""

    max_norm: float = 5.0
    """Gradients longer than this are shortened to it."""

    seed: int = 1
    """The same seed gives the same model."""

    device: str = "auto"
    """`cpu`, `cuda`, `mps`, or `auto`."""

    value: ValueOptions = ValueOptions()
    """What only learners of values read."""

    def __post_init__(self) -> None:
        if self.algorithm not in DEFAULT_C:
            raise UsageError(f"there is no algorithm '{self.algorithm}'", f"choose one of {', '.join(DEFAULT_C)}")
        if self.c is not None and not 0.0 < self.c <= 1e6:
            raise UsageError(f"c {self.c:g}", "give a number above 0; 3 is a good start for rloo, 0.5 for q")
        if self.target_kl is not None and not 0.0 < self.target_kl <= 100.0:
            raise UsageError(f"a target KL of {self.target_kl:g}", "give nats a step above 0, such as 0.5")
        if not self.clip > 0.0:
            raise UsageError(f"clip {self.clip:g}", "give a number above 0")
        if not (1 <= self.updates <= 10**7 and 2 <= self.melodies <= 65536 and 4 <= self.steps <= 4096):
            raise UsageError("a size out of range", "give updates >= 1, melodies 2..65536 and steps 4..4096")
        if not 0.0 < self.learning_rate < 1.0:
            raise UsageError(f"learning rate {self.learning_rate:g}", "give a number above 0, below 1")
        for weight in self.weights:
            name, _, value = weight.partition("=")
            if not name or not _is_number(value):
                raise UsageError(f"weight '{weight}'", "write RULE=NUMBER, such as tonic=5")

    @property
    def reward_c(self) -> float:
        """C as given, or the algorithm's own."""
        return DEFAULT_C[self.algorithm] if self.c is None else self.c

    @property
    def rule_weights(self) -> dict[str, float]:
        """The weights by rule."""
        return {name: float(value) for name, _, value in (weight.partition("=") for weight in self.weights)}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
