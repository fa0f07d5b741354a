"""What only some algorithms can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.errors import UsageError

Exploration = Literal["epsilon", "boltzmann", "none"]


@dataclass(frozen=True)
class ValueOptions:
    """What only learners of values (`q double-q psi g`) read."""

    gamma: float = 0.5
    """Discount of later rewards."""

    target_rate: float = 0.01
    """How far the target network moves towards the learner at each gradient step."""

    replay: int = 8192
    """Whole melodies kept to learn from again."""

    priority: float = 0.0
    """How much oftener melodies with a large error are learned from again: 0 for all alike, 0.6 is usual."""

    priority_correction: float = 0.4
    """How far their smaller weight makes up for that at the start; it rises to 1, all of it, at the end."""

    exploration: Exploration = "epsilon"
    """`epsilon`: some tokens at random. `boltzmann`: all from the policy at a temperature that falls to 1. `none`."""

    epsilon: float = 1.0
    """Share of random tokens at the start."""

    epsilon_end: float = 0.1
    """Share of random tokens at the end of the exploration."""

    exploration_temperature: float = 3.0
    """Boltzmann exploration's temperature at the start."""

    exploration_share: float = 0.5
    """Share of the updates over which epsilon, or the temperature, falls in a straight line."""

    updates_per_batch: int = 1
    """Gradient steps for every batch of new melodies."""

    def __post_init__(self) -> None:
        if self.exploration not in ("epsilon", "boltzmann", "none"):
            raise UsageError(f"there is no exploration '{self.exploration}'", "choose epsilon, boltzmann or none")
        if not 0.0 <= self.gamma <= 1.0:
            raise UsageError(f"gamma {self.gamma:g}", "give a discount from 0 to 1")
        if not 0.0 < self.target_rate <= 1.0:
            raise UsageError(f"target rate {self.target_rate:g}", "give a share above 0, up to 1")
        if not (1 <= self.replay <= 10**7 and 1 <= self.updates_per_batch <= 1000):
            raise UsageError("a replay memory or a number of gradient steps out of range", "give whole numbers from 1")
        if not (0.0 <= self.priority <= 1.0 and 0.0 <= self.priority_correction <= 1.0):
            raise UsageError("a priority out of range", "give --priority and its correction from 0 to 1")
        if not 0.0 <= self.epsilon_end <= self.epsilon <= 1.0:
            raise UsageError("an exploration that rises", "give 1 >= epsilon >= epsilon-end >= 0")
        if not 1.0 <= self.exploration_temperature <= 1000.0:
            raise UsageError(f"exploration temperature {self.exploration_temperature:g}", "give 1 to 1000")
        if not 0.0 < self.exploration_share <= 1.0:
            raise UsageError(f"exploration share {self.exploration_share:g}", "give a share above 0, up to 1")


@dataclass(frozen=True)
class PolicyOptions:
    """What only learners of policies (`rloo ppo rejection`) read."""

    group: int = 0
    """How many melodies share a baseline (`rloo`); 0 takes all of an update."""

    entropy_bonus: float = 0.0
    """Reward for each nat of entropy a step (`rloo ppo`), against melodies that grow alike."""

    ratio_clip: float = 0.2
    """How far a token's probability may move within an update before its gradient stops (`ppo`)."""

    passes: int = 4
    """How often each update goes over its melodies (`ppo`)."""

    minibatches: int = 4
    """Into how many parts a pass cuts them (`ppo`)."""

    gae: float = 0.95
    """How much of the later rewards, rather than of their estimate, an advantage counts (lambda; `ppo`)."""

    keep: float = 0.25
    """Share of the melodies that are good enough to learn from (`rejection`)."""

    def __post_init__(self) -> None:
        if self.group == 1 or self.group < 0:
            raise UsageError(f"groups of {self.group}", "give 2 melodies or more, or 0 for all")
        if not 0.0 <= self.entropy_bonus <= 100.0:
            raise UsageError(f"entropy bonus {self.entropy_bonus:g}", "give 0 or a little more, such as 0.05")
        if not 0.0 < self.ratio_clip < 1.0:
            raise UsageError(f"ratio clip {self.ratio_clip:g}", "give a share above 0, below 1; 0.2 is usual")
        if not (1 <= self.passes <= 100 and 1 <= self.minibatches <= 1024):
            raise UsageError("passes or minibatches out of range", "give 1 to 100 passes and 1 to 1024 minibatches")
        if not 0.0 <= self.gae <= 1.0:
            raise UsageError(f"gae {self.gae:g}", "give a share from 0 to 1")
        if not 0.0 < self.keep < 1.0:
            raise UsageError(f"keep {self.keep:g}", "give a share above 0, below 1")


@dataclass(frozen=True)
class WatchOptions:
    """How tuning is watched, so that it does not end in one melody for ever."""

    look: int = 20
    """Updates between two looks at fresh melodies; 0 never looks."""

    watched: int = 500
    """Melodies drawn for a look."""

    stop: bool = True
    """End the tuning where two looks in a row find the melodies outside the gate; without it, only say so."""

    def __post_init__(self) -> None:
        if not 0 <= self.look <= 10**7:
            raise UsageError(f"a look every {self.look} updates", "give 0 or more")
        if not 16 <= self.watched <= 100_000:
            raise UsageError(f"{self.watched} melodies watched", "give 16 to 100000")
