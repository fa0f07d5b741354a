"""What tuning was like, update by update: the paper's figure 10, by rule."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cantilena.runtime import write_text

if TYPE_CHECKING:
    from cantilena.rl.rollout import Update


@dataclass
class TuningHistory:
    """Rewards and distances over the updates, as lists of equal length.

    Args:
        environment_steps: tokens sampled so far.
        terms: mean reward a melody by rule, whole.
        log_p: mean log p of the tokens under the prior, nats a step.
        kl: mean KL divergence from the prior, nats a step.
        entropy: mean entropy of the policy, nats a step.
        c: what the rewards were divided by.
        accuracy: the discriminators' share of right answers on melodies new to them; empty where there is no critic.
    """

    environment_steps: list[int] = field(default_factory=list)
    terms: dict[str, list[float]] = field(default_factory=dict)
    log_p: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    c: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)

    def add(self, steps: int, update: Update, c: float, accuracy: float | None = None) -> None:
        """Keep one update, after so many environment steps, with this c and the discriminators' accuracy."""
        self.environment_steps.append(steps)
        for name, value in update.terms.items():
            self.terms.setdefault(name, []).append(value)
        self.log_p.append(update.log_p)
        self.kl.append(update.kl)
        self.entropy.append(update.entropy)
        self.c.append(c)
        if accuracy is not None:
            self.accuracy.append(accuracy)

    def write(self, path: Path) -> None:
        """Write one JSON object an update."""
        rows = [
            {
                "steps": steps,
                "log_p": _plain(self.log_p[index]),
                "kl": _plain(self.kl[index]),
                "entropy": _plain(self.entropy[index]),
                "c": self.c[index],
                "rewards": {name: _plain(values[index]) for name, values in self.terms.items()},
                **({"critic_accuracy": self.accuracy[index]} if self.accuracy else {}),
            }
            for index, steps in enumerate(self.environment_steps)
        ]
        write_text(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))

    def to_json(self) -> dict[str, object]:
        """All of it as JSON values."""
        return asdict(self)


def _plain(value: float) -> float | None:
    """A number as JSON has it; None for what is none, as the KL of a model that rules tokens out altogether."""
    return value if math.isfinite(value) else None
