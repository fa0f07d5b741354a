"""What every algorithm shares: a network that learns, a prior that never changes, a reward, an optimizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from cantilena.model import Bars
from cantilena.model.network import Network
from cantilena.tuning.options import TuningOptions
from cantilena.tuning.reward import MusicReward
from cantilena.tuning.rollout import Update


class Learner(ABC):
    """One algorithm of reinforcement learning on whole melodies.

    Args:
        network: what is tuned, in place.
        prior: the model before tuning, never changed: the paper's reward network.
        reward: r_MT / c.
        options: how to tune.
        bars: where the steps lie in their bars, one row a melody; None where tokens tell no time.
        generator: the randomness, on the network's device.
    """

    policy: ClassVar[str]
    """How the network's scores become probabilities once it is tuned."""

    def __init__(
        self,
        network: Network,
        prior: Network,
        reward: MusicReward,
        options: TuningOptions,
        bars: Bars | None,
        generator: torch.Generator,
    ) -> None:
        self.network, self.prior, self.reward = network, prior, reward
        self.options, self.bars, self.generator = options, bars, generator
        self.optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)

    @abstractmethod
    def update(self, progress: float) -> Update:
        """Sample a batch of melodies, score it, and learn from it; `progress` runs from 0 to 1."""

    def step(self, loss: Tensor) -> None:
        """Take one step of the optimizer down a loss, its gradient shortened to `options.max_norm`."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.options.max_norm)
        self.optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """Tensors that a resumed run needs beside the network, the optimizer and the generator."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:  # noqa: B027  (most learners have nothing to take back)
        """Take back what `state` gave."""


def chosen(log_probs: Tensor, tokens: Tensor) -> Tensor:
    """`(melodies, steps)`: of `(melodies, steps, vocabulary)` values, those of the tokens taken."""
    return log_probs.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
