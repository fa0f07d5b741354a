"""What the learners of values share: play, remember, look again, and move values towards their targets.

Three networks start from the trained model (paper, section VIII.B): the value network learns, the target network
follows it slowly, the reward network, our prior, never changes. An algorithm differs by its targets alone, which its
file gives; the loss is the mean squared difference.

A melody in the replay memory is a whole one, and its values come from a pass over it from the start, so that no
recurrent state is ever stale (Mnih et al. 2015 for replay and target; Lillicrap et al. 2016, arXiv 1509.02971, for the
soft target). Exploration (`exploration.py`) stores and rewards the token that was played.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from cantilena.models import PolicyModel, SequenceModel
from cantilena.rl.algorithms.exploration import exploration
from cantilena.rl.algorithms.replay import Replay
from cantilena.rl.learner import Learner, TuningTask, account, chosen, needs_scores
from cantilena.rl.rollout import Update, sample_melodies
from cantilena.training.checkpointing import under


@dataclass(frozen=True)
class Batch:
    """Melodies out of the replay memory, with what targets are made of.

    Args:
        tokens: `(melodies, steps)`.
        log_p: `(melodies, steps)`, of the tokens under the prior.
        music: `(melodies, steps)`, r_MT / c.
        values: `(melodies, steps, vocabulary)`, the learner's own in the state before each token, without gradient.
        target_values: the same of the target network.
    """

    tokens: Tensor
    log_p: Tensor
    music: Tensor
    values: Tensor
    target_values: Tensor

    @property
    def terminal(self) -> Tensor:
        """`(melodies, steps)`: true at the last step, after which there is no state."""
        last = torch.zeros_like(self.tokens, dtype=torch.bool)
        last[:, -1] = True
        return last


def in_next_state(values: Tensor) -> Tensor:
    """`(melodies, steps, vocabulary)` values of the state after each step, which stand one step later in the same pass.

    After the last step there is no state: what stands there is not to be read.
    """
    return values.roll(-1, dims=1)


class ValueLearner(Learner):
    """A learner whose model's scores are values of tokens."""

    def __init__(self, task: TuningTask) -> None:
        super().__init__(task)
        needs_scores(self.model, task.options.algorithm)
        self.target = copy.deepcopy(self.model).requires_grad_(False)
        value, played = task.options.value, task.options.updates * task.options.melodies
        self.replay = Replay(min(value.replay, played), task.options.steps, value.priority)

    @abstractmethod
    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, steps)`: what the value of each token taken should be."""

    def composer(self) -> SequenceModel:
        """The policy as a sequence model."""
        return PolicyModel(cast("Any", self.model), self.policy, self.prior)

    def update(self, progress: float) -> Update:
        """Sample a batch of melodies into the replay memory and learn from it; `progress` runs from 0 to 1."""
        tokens = self._explore(progress)
        terms = self.reward.terms(tokens.cpu().numpy())
        with torch.no_grad():
            log_prior = self.log_probs(self.prior, tokens)
            log_p = chosen(log_prior, tokens)
        self.replay.add(tokens, log_p, torch.from_numpy(self.reward.clipped(terms)))
        for _ in range(self.options.value.updates_per_batch):
            loss = self._learn(progress)
        with torch.no_grad():
            log_policy = self.log_probs(self.composer(), tokens)
        return account(terms, log_p, log_policy, log_prior, loss)

    def _explore(self, progress: float) -> Tensor:
        epsilon, temperature = exploration(self.options.value, progress)
        return sample_melodies(
            self.composer(),
            self.options.melodies,
            self.options.steps,
            self.generator,
            bars=self.bars_for(self.options.melodies),
            epsilon=epsilon,
            temperature=temperature,
        )

    def _learn(self, progress: float) -> float:
        """One gradient step on melodies out of the memory."""
        value = self.options.value
        correction = value.priority_correction + (1.0 - value.priority_correction) * progress
        drawn = self.replay.draw(self.options.melodies, self.generator, correction)
        values = self.scores(self.model, drawn.tokens)
        with torch.no_grad():
            target_values = self.scores(self.target, drawn.tokens)
        batch = Batch(drawn.tokens, drawn.log_p, drawn.music / self.reward.c, values.detach(), target_values)
        error = chosen(values, drawn.tokens) - self.targets(batch)
        loss = (drawn.weight[:, None] * error.square()).mean()

        self.descend(loss)
        self.replay.reprioritise(drawn.places, error.detach().abs().mean(1))
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, value.target_rate)
        return float(loss.detach())

    def state(self) -> dict[str, Tensor]:
        """Tensors that a resumed run needs beside the model and the optimizer: target network and replay memory."""
        target = {f"target.{name}": tensor for name, tensor in self.target.state_dict().items()}
        return {**target, **{f"replay.{name}": tensor for name, tensor in self.replay.state().items()}}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.target.load_state_dict(under("target.", state))
        self.replay.restore(under("replay.", state))
