"""What the value-based algorithms share: exploration, replay, and values that move towards their targets.

Three networks start from the trained model (paper, section VIII.B): the value network learns, the target network
follows it slowly, the reward network, our prior, never changes. An algorithm differs only in its targets; the loss is
the mean squared error.

The replay buffer holds whole melodies, and values come from a pass over them from the start, so that no recurrent state
is ever stale (Mnih et al. 2015 for replay and target; Lillicrap et al. 2016, arXiv 1509.02971, for the soft target).
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from cantilena.errors import UsageError
from cantilena.models import PolicyModel, SequenceModel, to_numpy
from cantilena.rl.algorithms.replay import ReplayBuffer
from cantilena.rl.history import UpdateStats
from cantilena.rl.learner import Learner, TuningTask, update_stats
from cantilena.rl.options import ValueOptions
from cantilena.rl.rollout import gather_tokens
from cantilena.training.checkpointing import add_prefixes, with_prefix

TARGETS = ("q", "double-q", "psi", "g")


@dataclass(frozen=True)
class Batch:
    """Melodies from the replay buffer, and what targets are computed from.

    Args:
        tokens: `(melodies, tokens)`.
        is_played: the same shape: false for the padding after the end of a melody.
        log_p: the same shape, of the tokens under the prior.
        music: the same shape, r_MT / c.
        values: `(melodies, tokens, vocabulary)`, the learner's in the state before each token, without gradient; of
            tokens that may not come next they are `LOG_ZERO`, below all others.
        target_values: the same of the target network.
    """

    tokens: Tensor
    is_played: Tensor
    log_p: Tensor
    music: Tensor
    values: Tensor
    target_values: Tensor


class ValueLearner(Learner):
    """A learner for which the model's scores are values of tokens."""

    def __init__(self, task: TuningTask) -> None:
        super().__init__(task)
        if not all(hasattr(self.model, name) for name in ("scores", "start_scores", "step_scores")):
            raise UsageError(
                f"{task.options.algorithm} learns values, but this model has only probabilities",
                "give it scores, start_scores and step_scores, or choose rloo or ppo",
            )
        self.target = copy.deepcopy(self.model).requires_grad_(False)
        value, sampled = task.options.value, task.options.updates * task.options.melodies
        self.replay = ReplayBuffer(min(value.replay, sampled), task.options.steps, value.priority)

    @abstractmethod
    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, tokens)`: the target of the value of each token."""

    def policy_model(self) -> SequenceModel:
        """The policy as a sequence model."""
        return PolicyModel(cast("Any", self.model), self.policy, self.prior)

    def update(self, progress: float) -> UpdateStats:
        """Sample melodies into the replay buffer and learn from it; `progress` rises from 0 to 1."""
        epsilon, temperature = exploration(self.options.value, progress)
        tokens = self.sample(epsilon=epsilon, temperature=temperature)
        terms = self.reward.terms(to_numpy(tokens))
        with torch.no_grad():
            log_prior = self.log_probs(self.prior, tokens)
            log_p = gather_tokens(log_prior, tokens)
        music = self.reward.by_token(self.reward.clipped(terms), to_numpy(tokens))
        self.replay.add(tokens, log_p, torch.from_numpy(music))
        for _ in range(self.options.value.updates_per_batch):
            loss = self._step(progress)
        with torch.no_grad():
            log_policy = self.log_probs(self.policy_model(), tokens)
        return update_stats(terms, log_p, log_policy, log_prior, loss, self.options.steps)

    def _step(self, progress: float) -> float:
        """Take a gradient step on melodies from the replay buffer."""
        value = self.options.value
        correction = value.priority_correction + (1.0 - value.priority_correction) * progress
        drawn = self.replay.sample(self.options.melodies, self.generator, correction)
        is_played = self.is_played(drawn.tokens)
        longest = int(is_played.any(0).sum())
        tokens, log_p, music, is_played = (
            values[:, :longest] for values in (drawn.tokens, drawn.log_p, drawn.music, is_played)
        )
        values = self.scores(self.model, tokens)
        with torch.no_grad():
            target_values = self.scores(self.target, tokens)
        batch = Batch(tokens, is_played, log_p, music / self.reward.c, values.detach(), target_values)
        error = gather_tokens(values, tokens) - self.targets(batch)
        error = error.masked_fill(~is_played, 0.0)
        share = is_played.double().mean(1).to(error.dtype)  # of each row, which is not padding
        loss = (drawn.weight[:, None] * error.square()).mean() / share.mean()

        self.gradient_step(loss)
        self.replay.set_priority(drawn.indices, error.detach().abs().mean(1) / share)
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, value.target_rate)
        return float(loss.detach())

    def td_targets(
        self,
        batch: Batch,
        rewards: Tensor,
        *,
        log_prior: Tensor | None = None,
        online_values: Tensor | None = None,
    ) -> Tensor:
        """`td_target` of `(melodies, tokens)` rewards and the target network's values after each token.

        Args:
            batch: whose target values are used.
            rewards: of each token.
            log_prior: `(melodies, tokens, vocabulary)`, the prior's log p before each token; for `g`.
            online_values: the same shape, the learner's values; for `double-q`.
        """
        terminal = torch.ones_like(batch.is_played)  # at the last token, and the padding
        terminal[:, :-1] = ~batch.is_played[:, 1:]

        def next_state(values: Tensor | None) -> Tensor | None:  # one step later in the same pass
            return None if values is None else values.roll(-1, dims=1)

        target: Tensor = td_target(
            self.options.algorithm,
            rewards,
            next_state(batch.target_values),
            next_state(log_prior),
            self.options.value.gamma,
            next_online_scores=next_state(online_values),
            terminal=terminal,
        )
        return target

    def state(self) -> dict[str, Tensor]:
        """The target network and the replay buffer."""
        return add_prefixes({"target.": self.target.state_dict(), "replay.": self.replay.state()})

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.target.load_state_dict(with_prefix("target.", state))
        self.replay.restore(with_prefix("replay.", state))


def exploration(value: ValueOptions, progress: float) -> tuple[float, float]:
    """The share of random tokens (epsilon) and the temperature of the policy.

    `epsilon`: a token is uniformly random with probability epsilon. `boltzmann`: all tokens are sampled from
    probabilities proportional to pi^(1 / temperature). Both fall linearly over the first `exploration_share`. The
    learner learns from the sampled tokens in either case.

    Examples:
        >>> exploration(ValueOptions(epsilon=1.0, epsilon_end=0.1, exploration_share=0.5), progress=0.25)
        (0.55, 1.0)
    """
    fraction = min(progress / value.exploration_share, 1.0)
    if value.exploration == "epsilon":
        return value.epsilon + (value.epsilon_end - value.epsilon) * fraction, 1.0
    if value.exploration == "boltzmann":
        return 0.0, value.exploration_temperature + (1.0 - value.exploration_temperature) * fraction
    return 0.0, 1.0


def td_target(
    algorithm: str,
    rewards: Any,  # noqa: ANN401  (numpy or torch, as the others)
    next_target_scores: Any,  # noqa: ANN401
    next_log_probs: Any,  # noqa: ANN401
    gamma: float,
    *,
    next_online_scores: Any = None,  # noqa: ANN401
    terminal: Any = None,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """The temporal-difference target of the value of each action.

    Jaques et al., Sequence Tutor (arXiv 1611.02796), section 3: with r the reward, s' the next state, and p the prior,

        q         y = r + gamma max_a Q'(s', a)
        double-q  y = r + gamma Q'(s', argmax_a Q(s', a))        (van Hasselt et al. 2016, arXiv 1509.06461)
        psi       y = r + gamma log sum_a exp Psi'(s', a)
        g         y = r + gamma log sum_a exp(log p(a given s') + G'(s', a))

    Q', Psi' and G' are the target network's. For `g`, r does not include log p.

    Args:
        algorithm: `q`, `double-q`, `psi` or `g`.
        rewards: `(..)`.
        next_target_scores: `(.., vocabulary)`, the target network's values in the next state.
        next_log_probs: `(.., vocabulary)`, the prior's log p in the next state; for `g` only.
        gamma: discount factor.
        next_online_scores: `(.., vocabulary)`, the learner's values in the next state; for `double-q` only.
        terminal: `(..)`, true where there is no next state and the target is the reward alone.

    Returns:
        `(..)` without gradient, a torch tensor if `rewards` is one, else a numpy array.

    Raises:
        UsageError: the algorithm is unknown, or `double-q` lacks the learner's values.

    Examples:
        >>> import numpy as np
        >>> td_target("q", np.array([1.0]), np.array([[2.0, 4.0]]), None, 0.5).tolist()
        [3.0]
    """
    scores = torch.as_tensor(next_target_scores)
    # No gradient may flow: in the published code it flowed into the prior, and `g` trained its own prior.
    with torch.no_grad():
        match algorithm:
            case "q":
                value = scores.amax(-1)
            case "double-q":
                if next_online_scores is None:
                    raise UsageError("double-q without next_online_scores", "give the learner's values")
                best = torch.as_tensor(next_online_scores).argmax(-1, keepdim=True)
                value = scores.gather(-1, best).squeeze(-1)
            case "psi":
                value = scores.logsumexp(-1)
            case "g":
                value = (torch.as_tensor(next_log_probs) + scores).logsumexp(-1)
            case _:
                raise UsageError(f"unknown algorithm '{algorithm}'", f"choose one of {', '.join(TARGETS)}")
        if terminal is not None:
            value = value.masked_fill(torch.as_tensor(terminal, dtype=torch.bool, device=value.device), 0.0)
        target = torch.as_tensor(rewards) + gamma * value
    return target if isinstance(rewards, Tensor) else target.numpy()
