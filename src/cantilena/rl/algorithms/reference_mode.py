"""Learning as the published RL Tuner does: one transition at a time, with its settings. For comparison.

Magenta's code at commit 526d3eb, with the settings of the published runs: gamma .5, c .5 (unless another is given),
rewards not clipped, tokens drawn from the policy but for a share epsilon that falls from 1 to .1 over the first half, a
memory of 100,000 transitions, one update of 32 of them every 5 steps, Adam at a constant rate with each variable's
gradient cut to norm 5, a soft target of rate .01, and no end: the value of the state after the last step is counted.
A transition keeps the recurrent states as they were when it was played, so that they grow stale, and its gradient runs
through one step alone. Twenty-five melodies are played side by side, and learned from five times at each step.

One thing that the published code did not mean to do can be asked for: `stop_gradient=False` lets the gradient of
G-learning's target flow into the reward network, whose log p stands in it.

A memory of single transitions with the recurrent states of their time, for the reference mode.
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
from cantilena.rl.algorithms.value_learning import td_target
from cantilena.rl.learner import Learner, TuningTask, account, chosen
from cantilena.rl.rollout import Update
from cantilena.training.checkpointing import under


@dataclass(frozen=True)
class Drawn:
    """Transitions, one a row.

    Args:
        rows: `(transitions, columns)`, what the network was told before the token.
        state: `(transitions, width)`, its recurrent state then.
        action: `(transitions,)`, the token.
        reward: `(transitions,)`.
        next_rows: `(transitions, columns)`, what it was told after the token.
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


class Transitions:
    """A ring of the latest transitions, drawn from evenly.

    Args:
        capacity: transitions kept.
        columns: of what a network is told.
        width: of a recurrent state as one row.

    Example:
        >>> memory = Transitions(capacity=2, columns=1, width=1)
        >>> for token in (1, 2, 3):
        ...     one, nothing = torch.tensor([[token]]), torch.zeros(1, 1)
        ...     memory.add(one, nothing, one[0], torch.ones(1), one, nothing, nothing)
        >>> len(memory), sorted(memory.kept.action.tolist())
        (2, [2, 3])
    """

    def __init__(self, capacity: int, columns: int, width: int) -> None:
        self.kept = Drawn(
            rows=torch.zeros(capacity, columns, dtype=torch.int64),
            state=torch.zeros(capacity, width),
            action=torch.zeros(capacity, dtype=torch.int64),
            reward=torch.zeros(capacity),
            next_rows=torch.zeros(capacity, columns, dtype=torch.int64),
            next_state=torch.zeros(capacity, width),
            next_prior_state=torch.zeros(capacity, width),
        )
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, len(self.kept.action))

    def add(self, *values: Tensor) -> None:
        """Keep transitions, in the order of `Drawn`, forgetting the oldest."""
        places = torch.arange(self.added, self.added + len(values[0])) % len(self.kept.action)
        for name, new in zip(_NAMES, values, strict=True):
            kept: Tensor = getattr(self.kept, name)
            kept[places] = new.detach().cpu().to(kept.dtype)
        self.added += len(values[0])

    def draw(self, count: int, generator: torch.Generator) -> Drawn:
        """So many transitions, with replacement, on the generator's device."""
        places = torch.randint(len(self), (count,), generator=generator, device=generator.device).cpu()
        return Drawn(*(getattr(self.kept, name)[places].to(generator.device) for name in _NAMES))

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs: what has been filled."""
        filled = {name: getattr(self.kept, name)[: len(self)] for name in _NAMES}
        return {**filled, "added": torch.tensor(self.added)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        for name in _NAMES:
            getattr(self.kept, name)[: len(state[name])] = state[name]
        self.added = int(state["added"])


_NAMES = tuple(field.name for field in fields(Drawn))


GAMMA, EPSILON, EXPLORATION_SHARE, TARGET_RATE = 0.5, (1.0, 0.1), 0.5, 0.01
SIDE_BY_SIDE, STEPS_AN_UPDATE, DRAWN, REMEMBERED, MAX_NORM = 25, 5, 32, 100_000, 5.0

_POLICIES = {"q": "softmax-q", "psi": "psi", "g": "g"}


@dataclass
class _Players:
    """Melodies that are played side by side: what each network will be told next, and its recurrent state."""

    rows: Tensor
    memory: Any
    state: Tensor
    prior_state: Tensor


def refuse_without_steps(options: NetworkOptions | None) -> None:
    """Refuse a network that is not told features step by step, or a model that is no network of ours (None).

    Raises:
        UsageError: it is one.
    """
    if options is None or options.input != "features" or options.core == "transformer":
        raise UsageError("the reference mode steps a recurrent network of ours", "leave out --reference-mode")


class ReferenceLearner(Learner):
    """The learners `q`, `psi` and `g` as published.

    Args:
        task: what is to be tuned; its model must be a `Network` that is told features, or what has its parts.
        stopped: whether G-learning's target keeps its gradient from the reward network.

    Raises:
        UsageError: another model.
    """

    def __init__(self, task: TuningTask, *, stop_gradient: bool = True) -> None:
        refuse_without_steps(task.model.options if isinstance(task.model, Network) else None)
        super().__init__(task)
        self.network, self.algorithm, self.stop_gradient = cast("Network", task.model), task.options.algorithm, stop_gradient
        self.policy = _POLICIES[self.algorithm]
        self.reward = replace(task.reward, clip=math.inf)
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.reward_network = copy.deepcopy(cast("Network", task.prior)).requires_grad_(not stop_gradient)
        self.features: Features = self.network.features
        scaled = [*self.network.parameters(), *(() if stop_gradient else self.reward_network.parameters())]
        self.optimizer = torch.optim.Adam(scaled, lr=task.options.step_size, fused=True)
        total = task.options.updates * task.options.melodies * task.options.steps
        width = self._pack(self._silence(1)).shape[1]
        self.transitions = Transitions(min(REMEMBERED, total), self.features.columns, width)

    def learning_rate(self, progress: float) -> float:
        """The optimizer's step size: constant."""
        return self.options.step_size

    def policy_model(self) -> SequenceModel:
        """The policy as a sequence model; G-learning's holds the reward network as it is by now."""
        return PolicyModel(self.network, self.policy, self.reward_network)

    def update(self, progress: float) -> Update:
        """Play a batch of melodies, a few at a time, and learn at every fifth step; `progress` runs from 0 to 1."""
        share = 1.0 / self.options.updates / math.ceil(self.options.melodies / SIDE_BY_SIDE)
        played, loss = [], 0.0
        for number, first in enumerate(range(0, self.options.melodies, SIDE_BY_SIDE)):
            tokens, loss = self._play(min(SIDE_BY_SIDE, self.options.melodies - first), progress + number * share)
            played.append(tokens)
        tokens = torch.cat(played)
        terms = self.reward.terms(tokens.cpu().numpy())
        with torch.no_grad():
            log_prior = self.log_probs(self.prior, tokens)
            log_policy = self.log_probs(self.policy_model(), tokens)
        return account(terms, chosen(log_prior, tokens), log_policy, log_prior, loss)

    def _play(self, melodies: int, progress: float) -> tuple[Tensor, float]:
        """`(melodies, steps)` tokens of melodies played side by side, and the last loss."""
        options, device, loss, owed = self.options, self.generator.device, 0.0, 0.0
        fallen = min(progress / EXPLORATION_SHARE, 1.0)
        epsilon = EPSILON[0] + (EPSILON[1] - EPSILON[0]) * fallen
        bars = self.bars_for(melodies) or Bars.common_time(melodies)
        first, memory = self.features.first(melodies, bars)
        silence = self._pack(self._silence(melodies))
        players = _Players(torch.from_numpy(first).to(device), memory, silence, silence)
        tokens = torch.zeros(melodies, options.steps, dtype=torch.int64, device=device)
        for step in range(options.steps):
            with torch.no_grad():
                scores, state = self._step(self.network, players.rows, players.state)
                prior_scores, prior_state = self._step(self.reward_network, players.rows, players.prior_state)
            log_p = prior_scores.log_softmax(-1)
            action = self._choose(policy_log_probs(self.policy, scores, log_p), epsilon)
            tokens[:, step] = action
            music = self._music_at(tokens, step)
            following, memory = self.features.next(action.cpu().numpy(), players.memory)
            after = _Players(torch.from_numpy(following).to(device), memory, state, prior_state)
            own = 0.0 if self.algorithm == "g" else log_p.gather(1, action[:, None])[:, 0]
            self.transitions.add(
                players.rows, players.state, action, own + music, after.rows, after.state, after.prior_state
            )
            players = after
            owed += melodies / STEPS_AN_UPDATE
            while owed >= 1.0:
                owed -= 1.0
                if len(self.transitions) >= DRAWN:
                    loss = self._learn()
        return tokens, loss

    def _choose(self, log_policy: Tensor, epsilon: float) -> Tensor:
        """`(melodies,)` tokens from the policy, a share epsilon of them at random."""
        noise = torch.empty_like(log_policy).exponential_(generator=self.generator)
        drawn = (log_policy.exp() / noise).argmax(-1)
        explore = torch.rand(drawn.shape, generator=self.generator, device=drawn.device) < epsilon
        anything = torch.randint(log_policy.shape[1], drawn.shape, generator=self.generator, device=drawn.device)
        return torch.where(explore, anything, drawn)

    def _music_at(self, tokens: Tensor, step: int) -> Tensor:
        """`(melodies,)`: r_MT / c of the step just played; what stands after it does not matter to a rule."""
        terms = self.reward.terms(tokens.cpu().numpy())
        now = np.sum([term[:, step] for term in terms.values()], axis=0) / self.reward.c
        return torch.from_numpy(now.astype(np.float32)).to(tokens.device)

    def _learn(self) -> float:
        """One update on transitions out of the memory."""
        drawn = self.transitions.draw(DRAWN, self.generator)
        with torch.no_grad():
            following, _ = self._step(self.target, drawn.next_rows, drawn.next_state)
        if self.algorithm == "g":
            with torch.set_grad_enabled(not self.stop_gradient):
                prior_scores, _ = self._step(self.reward_network, drawn.next_rows, drawn.next_prior_state)
                log_p = prior_scores.log_softmax(-1)
            target = drawn.reward + GAMMA * (log_p + following).logsumexp(-1)
        else:
            target = td_target(self.algorithm, drawn.reward, following, None, GAMMA)
        scores, _ = self._step(self.network, drawn.rows, drawn.state)
        loss = (scores.gather(1, drawn.action[:, None])[:, 0] - target).square().mean()

        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in self.optimizer.param_groups:
            for variable in group["params"]:
                length = float(variable.grad.norm()) if variable.grad is not None else 0.0
                if length > MAX_NORM:
                    variable.grad.mul_(MAX_NORM / length)
        self.optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, TARGET_RATE)
        return float(loss.detach())

    def _step(self, network: Network, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """`(melodies, vocabulary)` scores after one step, and the state as one row a melody."""
        scores, after = network(rows[:, None], self._unpack(state))
        return scores[:, 0], self._pack(after)

    def _silence(self, melodies: int) -> Any:  # noqa: ANN401  (a tensor, or a pair for lstm)
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
        """Tensors that a resumed run needs beside the model and the optimizer."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "target.": self.target.state_dict(),
            "reward.": self.reward_network.state_dict(),
            "transitions.": self.transitions.state(),
        }
        return {prefix + name: tensor for prefix, tensors in parts.items() for name, tensor in tensors.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.target.load_state_dict(under("target.", state))
        self.reward_network.load_state_dict(under("reward.", state))
        self.transitions.restore(under("transitions.", state))
