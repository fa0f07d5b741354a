"""What a critic that teaches can be asked for."""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.errors import UsageError

NO_RULES = "none"
"""What `--rules` is called where the critic alone rewards."""

LEARN_FROM_CRITICS = ("rloo", "ppo", "rejection")
"""The algorithms that learn from the newest melodies alone, so that a reward may change under them."""


@dataclass(frozen=True)
class CriticOptions:
    """How discriminators reward what they take for people's (`rloo ppo rejection`)."""

    critic: bool = False
    """Reward melodies that sound like people's to discriminators, which learn while the model does."""

    critic_weight: float = 5.0
    """What a nat of their log odds is worth beside a nat of log p: with w and no rules the model ends w / (1 + w) of
    the way from what it learned to what people write."""

    critic_every: int = 2
    """The discriminators learn again after so many updates."""

    critic_lessons: int = 8
    """Steps of the optimizer that each takes then."""

    critic_start: int = 300
    """Steps of the optimizer that each takes before the first update."""

    critic_members: int = 2
    """How many discriminators; the mean of their log odds counts."""

    critic_clip: float = 10.0
    """No melody gains or loses more nats than this."""

    critic_replay: int = 2048
    """Older melodies that are kept, so that the discriminators do not forget what the model has left off."""

    def __post_init__(self) -> None:
        if not 0.0 < self.critic_weight <= 1000.0:
            raise UsageError(f"critic weight {self.critic_weight:g}", "give a number above 0, up to 1000; 5 is a start")
        if not 1 <= self.critic_every <= 10**7:
            raise UsageError(f"a critic that learns every {self.critic_every} updates", "give 1 or more")
        for name, value in (("lessons", self.critic_lessons), ("lessons at the start", self.critic_start)):
            if not 1 <= value <= 100_000:
                raise UsageError(f"{value} {name} of the critic", "give 1 to 100000")
        if not 1 <= self.critic_members <= 32:
            raise UsageError(f"{self.critic_members} discriminators", "give 1 to 32; 2 or 3 are usual")
        if not 0.0 < self.critic_clip <= 1000.0:
            raise UsageError(f"critic clip {self.critic_clip:g}", "give nats above 0, up to 1000")
        if not 64 <= self.critic_replay <= 65536:
            raise UsageError(f"a critic that remembers {self.critic_replay} melodies", "give 64 to 65536")
