"""Learning as the published RL Tuner does, from single transitions and with its settings, for comparison.

Magenta's code at commit 526d3eb with the settings of the published runs: gamma .5, c .5 (unless another is given),
rewards not clipped, tokens sampled from the policy except for a share epsilon that falls from 1 to .1 over the first
half, a buffer of 100,000 transitions, one update of 32 of them every 5 steps, Adam with a constant rate, the gradient
of each variable clipped to norm 5, a soft target of rate .01, and no terminal state: the value of the state after the
last step counts. A transition keeps the recurrent states of its time, which become stale, and its gradient runs through
one step only. Twenty-five melodies are sampled side by side, with five updates at each step.

One unintended property of the published code is optional: `stop_gradient=False` lets the gradient of G-learning's
target flow into the reward network, whose log p is part of it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from cantilena.errors import UsageError
from cantilena.models import Bars, Features, Network, NetworkOptions, PolicyModel, SequenceModel, policy_log_probs
from cantilena.rl.algorithms.replay import RingBuffer
from cantilena.rl.algorithms.value_learning import td_target
from cantilena.rl.history import UpdateStats
from cantilena.rl.learner import Learner, TuningTask, update_stats
from cantilena.rl.rollout import gather_tokens
from cantilena.training.checkpointing import add_prefixes, with_prefix
from cantilena.training.optimizers import Adam

GAMMA, EPSILON, EXPLORATION_SHARE, TARGET_RATE = 0.5, (1.0, 0.1), 0.5, 0.01
SIDE_BY_SIDE, STEPS_PER_UPDATE, BATCH, CAPACITY, MAX_NORM = 25, 5, 32, 100_000, 5.0

_POLICIES = {"q": "softmax-q", "psi": "psi", "g": "g"}


@dataclass(frozen=True)
class Transitions:
    """Transitions, one a row.

    Args:
        rows: `(transitions, columns)`, the features of the network before the token.
        state: `(transitions, width)`, its recurrent state.
        action: `(transitions,)`, the token.
        reward: `(transitions,)`.
        next_rows: `(transitions, columns)`, the features after the token.
        next_state: `(transitions, width)`.
        next_prior_state: `(transitions, width)`, the reward network's.
    """

    rows: Tensor
    state: Tensor
    action: Tensor
    reward: Tensor
    next_rows: Tensor
    next_state: Tensor
    next_prior_state: Tensor

    @classmethod
    def zeros(cls, capacity: int, columns: int, width: int) -> Transitions:
        """Empty transitions for a buffer."""
        rows, states = torch.zeros(2, capacity, columns, dtype=torch.int64), torch.zeros(3, capacity, width)
        action, reward = torch.zeros(capacity, dtype=torch.int64), torch.zeros(capacity)
        return cls(rows[0], states[0], action, reward, rows[1], states[1], states[2])


class ReferenceLearner(Learner):
    """The algorithms `q`, `psi` and `g` as published.

    Args:
        task: the model to tune, which must be a recurrent `Network` with features, and its reward.
        stop_gradient: whether G-learning's target stops the gradient before the reward network.

    Raises:
        UsageError: the model is another.
    """

    def __init__(self, task: TuningTask, *, stop_gradient: bool = True) -> None:
        check_steppable(task.model.options if isinstance(task.model, Network) else None)
        super().__init__(task)
        self.network, self.algorithm = cast("Network", task.model), task.options.algorithm
        self.stop_gradient = stop_gradient
        self.policy = _POLICIES[self.algorithm]
        self.reward = replace(task.reward, clip=math.inf)
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.reward_network = copy.deepcopy(cast("Network", task.prior)).requires_grad_(not stop_gradient)
        self.features = cast("Features", self.network.features)
        trained = [*self.network.parameters(), *(() if stop_gradient else self.reward_network.parameters())]
        self.optimizer = Adam(trained, lr=task.options.step_size, fused=True)
        total = task.options.updates * task.options.melodies * task.options.steps
        width = self._pack(self._initial_state(1)).shape[1]
        self.transitions = RingBuffer(vars(Transitions.zeros(min(CAPACITY, total), self.features.columns, width)))

    def learning_rate(self, progress: float) -> float:
        """The learning rate, which is constant."""
        return self.options.step_size

    def policy_model(self) -> SequenceModel:
        """The policy as a sequence model; that of G-learning has the current reward network."""
        return PolicyModel(self.network, self.policy, self.reward_network)

    def update(self, progress: float) -> UpdateStats:
        """Sample a batch of melodies, a few at a time, and learn every fifth step; `progress` rises from 0 to 1."""
        share = 1.0 / self.options.updates / math.ceil(self.options.melodies / SIDE_BY_SIDE)
        sampled, loss = [], 0.0
        for number, start in enumerate(range(0, self.options.melodies, SIDE_BY_SIDE)):
            part, loss = self._play(min(SIDE_BY_SIDE, self.options.melodies - start), progress + number * share)
            sampled.append(part)
        tokens = torch.cat(sampled)
        terms = self.reward.terms(tokens.cpu().numpy())
        with torch.no_grad():
            log_prior = self.log_probs(self.prior, tokens)
            log_policy = self.log_probs(self.policy_model(), tokens)
        log_p = gather_tokens(log_prior, tokens)
        return update_stats(terms, log_p, log_policy, log_prior, loss, self.options.steps)

    def _play(self, melodies: int, progress: float) -> tuple[Tensor, float]:
        """`(melodies, steps)` tokens of melodies that are sampled side by side, and the last loss."""
        options, device, loss, due = self.options, self.generator.device, 0.0, 0.0
        epsilon = EPSILON[0] + (EPSILON[1] - EPSILON[0]) * min(progress / EXPLORATION_SHARE, 1.0)
        features, memory = self.features.first(melodies, self.bars_for(melodies) or Bars.common_time(melodies))
        rows, state = torch.from_numpy(features).to(device), self._pack(self._initial_state(melodies))
        prior_state = state
        tokens = torch.zeros(melodies, options.steps, dtype=torch.int64, device=device)
        for step in range(options.steps):
            with torch.no_grad():
                scores, next_state = self._forward(self.network, rows, state)
                prior_scores, next_prior_state = self._forward(self.reward_network, rows, prior_state)
            log_p = prior_scores.log_softmax(-1)
            action = self._choose(policy_log_probs(self.policy, scores, log_p), epsilon)
            tokens[:, step] = action
            reward = self._music_at(tokens, step)
            if self.algorithm != "g":
                reward = log_p.gather(1, action[:, None])[:, 0] + reward
            features, memory = self.features.next(action.cpu().numpy(), memory)
            next_rows = torch.from_numpy(features).to(device)
            new = Transitions(rows, state, action, reward, next_rows, next_state, next_prior_state)
            self.transitions.add_rows(vars(new))
            rows, state, prior_state = next_rows, next_state, next_prior_state
            due += melodies / STEPS_PER_UPDATE
            while due >= 1.0:
                due -= 1.0
                if len(self.transitions) >= BATCH:
                    loss = self._learn()
        return tokens, loss

    def _choose(self, log_policy: Tensor, epsilon: float) -> Tensor:
        """`(melodies,)` tokens from the policy, a share epsilon of them uniformly random."""
        noise = torch.empty_like(log_policy).exponential_(generator=self.generator)
        token = (log_policy.exp() / noise).argmax(-1)
        explore = torch.rand(token.shape, generator=self.generator, device=token.device) < epsilon
        uniform = torch.randint(log_policy.shape[1], token.shape, generator=self.generator, device=token.device)
        return torch.where(explore, uniform, token)

    def _music_at(self, tokens: Tensor, step: int) -> Tensor:
        """`(melodies,)`: r_MT / c of the latest step; rules do not read the steps after it."""
        terms = self.reward.terms(tokens.cpu().numpy())
        now = np.sum([term[:, step] for term in terms.values()], axis=0) / self.reward.c
        return torch.from_numpy(now.astype(np.float32)).to(tokens.device)

    def _learn(self) -> float:
        """One update on transitions from the buffer."""
        indices = self.transitions.uniform_indices(BATCH, self.generator)
        names = [field.name for field in fields(Transitions)]
        drawn = Transitions(*(self.transitions.tensors[name][indices].to(self.generator.device) for name in names))
        with torch.no_grad():
            next_scores, _ = self._forward(self.target, drawn.next_rows, drawn.next_state)
        if self.algorithm == "g":
            with torch.set_grad_enabled(not self.stop_gradient):
                prior_scores, _ = self._forward(self.reward_network, drawn.next_rows, drawn.next_prior_state)
                log_p = prior_scores.log_softmax(-1)
            target = drawn.reward + GAMMA * (log_p + next_scores).logsumexp(-1)
        else:
            target = td_target(self.algorithm, drawn.reward, next_scores, None, GAMMA)
        scores, _ = self._forward(self.network, drawn.rows, drawn.state)
        loss = (scores.gather(1, drawn.action[:, None])[:, 0] - target).square().mean()

        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in self.optimizer.param_groups:
            for variable in group["params"]:
                norm = float(variable.grad.norm()) if variable.grad is not None else 0.0
                if norm > MAX_NORM:
                    variable.grad.mul_(MAX_NORM / norm)
        self.optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, TARGET_RATE)
        return float(loss.detach())

    def _forward(self, network: Network, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """`(melodies, vocabulary)` scores after one step, and the packed state."""
        scores, after = network(rows[:, None], self._unpack(state))
        return scores[:, 0], self._pack(after)

    def _initial_state(self, melodies: int) -> Any:  # noqa: ANN401  (a tensor, or a pair for lstm)
        options = self.network.options
        zeros = torch.zeros(options.layers, melodies, options.width, device=self.generator.device)
        return (zeros, zeros) if options.core == "lstm" else zeros

    def _pack(self, state: Any) -> Tensor:  # noqa: ANN401
        """A recurrent state as one row a melody."""
        parts = torch.stack(state if isinstance(state, tuple) else (state,))
        return parts.permute(2, 0, 1, 3).flatten(1)

    def _unpack(self, rows: Tensor) -> Any:  # noqa: ANN401
        options = self.network.options
        parts = rows.view(len(rows), -1, options.layers, options.width).permute(1, 2, 0, 3).contiguous()
        return (parts[0], parts[1]) if options.core == "lstm" else parts[0]

    def state(self) -> dict[str, Tensor]:
        """The target network, the reward network and the transitions."""
        return add_prefixes({
            "target.": self.target.state_dict(),
            "reward.": self.reward_network.state_dict(),
            "transitions.": self.transitions.state(),
        })  # fmt: skip

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.target.load_state_dict(with_prefix("target.", state))
        self.reward_network.load_state_dict(with_prefix("reward.", state))
        self.transitions.restore(with_prefix("transitions.", state))


def check_steppable(options: NetworkOptions | None) -> None:
    """Refuse a network without features by step, one of notes, or a model that is not a `Network` (None).

    Raises:
        UsageError: the model is refused.
    """
    if options is not None and options.durations:
        raise UsageError("the reference mode needs a model of the grid, not of notes", "leave out --reference-mode")
    if options is None or options.input != "features" or options.core == "transformer":
        raise UsageError("the reference mode needs a recurrent network with features", "leave out --reference-mode")
