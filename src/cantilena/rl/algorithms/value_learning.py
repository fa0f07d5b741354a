"""What the learners of values share: play, remember, look again, and move values towards their targets.

Three networks start from the trained model (paper, section VIII.B): the value network learns, the target network
follows it slowly, the reward network, our prior, never changes. An algorithm differs by its targets alone, which its
file gives; the loss is the mean squared difference.

A melody in the replay memory is a whole one, and its values come from a pass over it from the start, so that no
recurrent state is ever stale (Mnih et al. 2015 for replay and target; Lillicrap et al. 2016, arXiv 1509.02971, for the
soft target). Exploration (`exploration.py`) stores and rewards the token that was played.

The targets of temporal-difference learning, one formula an algorithm.

Jaques et al., Sequence Tutor (arXiv 1611.02796), section 3: with r the reward, s' the next state, and p the prior,

    q         y = r + gamma max_a Q'(s', a)
    double-q  y = r + gamma Q'(s', argmax_a Q(s', a))        (van Hasselt et al. 2016, arXiv 1509.06461)
    psi       y = r + gamma log sum_a exp Psi'(s', a)
    g         y = r + gamma log sum_a exp(log p(a given s') + G'(s', a))

Q', Psi' and G' are the target network's. For `g`, r holds no log p: it stands in the target.

How much a learner of values tries beside what it thinks best, over the course of its training.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from cantilena.errors import UsageError
from cantilena.models import PolicyModel, SequenceModel
from cantilena.rl.algorithms.replay import Replay
from cantilena.rl.learner import Learner, TuningTask, account, chosen, needs_scores
from cantilena.rl.options import ValueOptions
from cantilena.rl.rollout import Update, sample_melodies
from cantilena.training.checkpointing import under


def exploration(value: ValueOptions, progress: float) -> tuple[float, float]:
    """The share of random tokens (epsilon) and the temperature of the policy at a point of the training.

    `epsilon`: a token is drawn evenly from the vocabulary with probability epsilon, else from the policy. `boltzmann`:
    all are drawn from probabilities proportional to pi^(1 / temperature); what is stored, rewarded and learned from is
    the token that was drawn, not the best one. Either falls in a straight line over the first `exploration_share`.

    Args:
        value: the options.
        progress: from 0 to 1.

    Example:
        >>> exploration(ValueOptions(epsilon=1.0, epsilon_end=0.1, exploration_share=0.5), progress=0.25)
        (0.55, 1.0)
    """
    fallen = min(progress / value.exploration_share, 1.0)
    if value.exploration == "epsilon":
        return value.epsilon + (value.epsilon_end - value.epsilon) * fallen, 1.0
    if value.exploration == "boltzmann":
        return 0.0, value.exploration_temperature + (1.0 - value.exploration_temperature) * fallen
    return 0.0, 1.0


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

    def policy_model(self) -> SequenceModel:
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
            log_policy = self.log_probs(self.policy_model(), tokens)
        return account(terms, log_p, log_policy, log_prior, loss)

    def _explore(self, progress: float) -> Tensor:
        epsilon, temperature = exploration(self.options.value, progress)
        return sample_melodies(
            self.policy_model(),
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


TARGETS = ("q", "double-q", "psi", "g")


def td_target(
    algorithm: str,
    rewards: Any,  # noqa: ANN401  (numpy or torch, like the others)
    next_target_scores: Any,  # noqa: ANN401
    next_log_probs: Any,  # noqa: ANN401
    gamma: float,
    *,
    next_online_scores: Any = None,  # noqa: ANN401
    terminal: Any = None,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """What the value of each action taken should be.

    Args:
        algorithm: `q`, `double-q`, `psi` or `g`.
        rewards: `(batch,)`.
        next_target_scores: `(batch, vocabulary)`, the target network's values in the next state.
        next_log_probs: `(batch, vocabulary)`, the prior's log p in the next state, normalised; only `g` reads it.
        gamma: discount.
        next_online_scores: `(batch, vocabulary)`, the learner's own values in the next state; only `double-q` reads it.
        terminal: `(batch,)`, true where no next state exists and the target is the reward alone.

    Returns:
        `(batch,)`, torch where `rewards` is torch, else numpy. No gradient flows through it.

    Raises:
        UsageError: an unknown algorithm, or `double-q` without the learner's values.

    Example:
        >>> td_target("q", np.array([1.0]), np.array([[2.0, 4.0]]), None, 0.5).tolist()
        [3.0]
    """
    if hasattr(rewards, "detach"):
        return _torch_target(
            algorithm, rewards, next_target_scores, next_log_probs, gamma, next_online_scores, terminal
        )
    if algorithm == "q":
        value = np.max(next_target_scores, axis=-1)
    elif algorithm == "double-q":
        best = np.argmax(_learner_values(next_online_scores), axis=-1)[..., None]
        value = np.take_along_axis(np.asarray(next_target_scores), best, axis=-1)[..., 0]
    elif algorithm == "psi":
        value = np.logaddexp.reduce(next_target_scores, axis=-1)
    elif algorithm == "g":
        value = np.logaddexp.reduce(np.asarray(next_log_probs) + np.asarray(next_target_scores), axis=-1)
    else:
        raise _unknown(algorithm)
    if terminal is not None:
        value = np.where(terminal, 0.0, value)
    return rewards + gamma * value


def _torch_target(
    algorithm: str,
    rewards: Any,  # noqa: ANN401
    next_target_scores: Any,  # noqa: ANN401
    next_log_probs: Any,  # noqa: ANN401
    gamma: float,
    next_online_scores: Any,  # noqa: ANN401
    terminal: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    import torch

    # Nothing here may carry a gradient: in the published code the prior's log p did, and `g` trained its own prior.
    with torch.no_grad():
        if algorithm == "q":
            value = next_target_scores.amax(-1)
        elif algorithm == "double-q":
            best = _learner_values(next_online_scores).argmax(-1, keepdim=True)
            value = next_target_scores.gather(-1, best).squeeze(-1)
        elif algorithm == "psi":
            value = next_target_scores.logsumexp(-1)
        elif algorithm == "g":
            value = (next_log_probs + next_target_scores).logsumexp(-1)
        else:
            raise _unknown(algorithm)
        if terminal is not None:
            value = value.masked_fill(torch.as_tensor(terminal, dtype=torch.bool, device=value.device), 0.0)
        return rewards + gamma * value


def _learner_values(values: Any) -> Any:  # noqa: ANN401
    if values is None:
        raise UsageError("double-q without next_online_scores", "give the learner's values in the next state")
    return values


def _unknown(algorithm: str) -> UsageError:
    return UsageError(f"there is no target for '{algorithm}'", f"choose one of {', '.join(TARGETS)}")
