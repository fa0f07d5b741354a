"""What tuning was like, update by update: the paper's figure 10, by rule."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cantilena.tuning.rollout import Update


@dataclass
class TuningHistory:
    """Rewards and distances over the updates, as lists of equal length.

    Args:
        environment_steps: tokens sampled so far.
        terms: mean reward a melody by rule, whole.
        log_p: mean log p of the tokens under the prior, nats a step.
        kl: mean KL divergence from the prior, nats a step.
        entropy: mean entropy of the policy, nats a step.
        c: what the rewards of the rules were divided by.
    """

    environment_steps: list[int] = field(default_factory=list)
    terms: dict[str, list[float]] = field(default_factory=dict)
    log_p: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    c: list[float] = field(default_factory=list)

    def add(self, steps: int, update: Update, c: float) -> None:
        """Keep one update, after so many environment steps and with this c."""
        self.environment_steps.append(steps)
        for name, value in update.terms.items():
            self.terms.setdefault(name, []).append(value)
        self.log_p.append(update.log_p)
        self.kl.append(update.kl)
        self.entropy.append(update.entropy)
        self.c.append(c)

    def write(self, path: Path) -> None:
        """Write one JSON object an update."""
        with path.open("w", encoding="utf-8") as out:
            for index, steps in enumerate(self.environment_steps):
                row = {
                    "steps": steps,
                    "log_p": self.log_p[index],
                    "kl": self.kl[index],
                    "entropy": self.entropy[index],
                    "c": self.c[index],
                    "rewards": {name: values[index] for name, values in self.terms.items()},
                }
                out.write(json.dumps(row) + "\n")

    def as_json(self) -> dict[str, object]:
        """All of it as JSON values."""
        return asdict(self)
