"""The history of a tuning: rewards by rule and distances, update by update (the paper's figure 10)."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cantilena.runtime import write_text


@dataclass(frozen=True, slots=True)
class UpdateStats:
    """Statistics of an update.

    Args:
        terms: mean reward a melody by rule, neither clipped nor divided by c.
        log_p: mean log p of the tokens under the prior, nats a step of the line, as the next two; on the grid a step is
            a token.
        kl: mean KL divergence of the policy from the prior, nats a step.
        entropy: mean entropy of the policy, nats a step.
        loss: the loss.
        steps: steps of the sampled melodies; None for as many as the options say.
    """

    terms: dict[str, float]
    log_p: float
    kl: float
    entropy: float
    loss: float
    steps: int | None = None

    @property
    def reward(self) -> float:
        """Mean reward of all rules a melody."""
        return sum(self.terms.values())


@dataclass
class TuningHistory:
    """Statistics of all updates, as lists of equal length.

    Args:
        environment_steps: number of steps of the melodies sampled so far.
        terms: as in `UpdateStats`, by rule.
        log_p: as in `UpdateStats`, like the next two.
        kl: KL divergence.
        entropy: entropy.
        c: the divisor of the rewards.
        accuracy: of the discriminators on melodies that they were not trained on; empty without a critic.
    """

    environment_steps: list[int] = field(default_factory=list)
    terms: dict[str, list[float]] = field(default_factory=dict)
    log_p: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    c: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Number of steps of all melodies."""
        return self.environment_steps[-1] if self.environment_steps else 0

    def add(self, steps: int, stats: UpdateStats, c: float, accuracy: float | None = None) -> None:
        """Append an update after a number of environment steps."""
        self.environment_steps.append(steps)
        for name, value in stats.terms.items():
            self.terms.setdefault(name, []).append(value)
        self.log_p.append(stats.log_p)
        self.kl.append(stats.kl)
        self.entropy.append(stats.entropy)
        self.c.append(c)
        if accuracy is not None:
            self.accuracy.append(accuracy)

    def write(self, path: Path) -> None:
        """Write a JSON object for each update; null for a number that is not finite."""
        rows = [
            {
                "steps": steps,
                "log_p": _finite(self.log_p[index]),
                "kl": _finite(self.kl[index]),
                "entropy": _finite(self.entropy[index]),
                "c": self.c[index],
                "rewards": {name: _finite(values[index]) for name, values in self.terms.items()},
                **({"critic_accuracy": self.accuracy[index]} if self.accuracy else {}),
            }
            for index, steps in enumerate(self.environment_steps)
        ]
        write_text(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))

    def to_json(self) -> dict[str, object]:
        """All fields as JSON values."""
        return asdict(self)


def _finite(value: float) -> float | None:
    """None for NaN and infinity, such as the KL divergence of a model that excludes tokens."""
    return value if math.isfinite(value) else None
