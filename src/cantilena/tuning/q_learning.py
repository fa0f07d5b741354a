"""Deep Q-learning, the paper's algorithm, on whole melodies.

Three networks start from the trained model (paper, section VIII.B): the Q network learns, the target network follows it
slowly, the reward network never changes. With s_t the tokens before step t,

    r_t = log p(a_t given s_t) + r_MT(t) / c
    y_t = r_t + gamma max_a Q'(s_{t+1}, a)          at the last step y = r
    loss = mean (Q(s_t, a_t) - y_t)^2

A melody in the replay memory is a whole one, and its values come from a pass over it from the start, so that no
recurrent state is ever stale (Mnih et al. 2015 for replay and target; Lillicrap et al. 2016, arXiv 1509.02971, for the
soft target). Melodies are drawn from softmax Q, as the published code does, with a share epsilon of random tokens that
falls in a straight line.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from cantilena.model import Bars
from cantilena.model.network import Network
from cantilena.tuning.learner import Learner, chosen
from cantilena.tuning.options import TuningOptions
from cantilena.tuning.replay import Replay
from cantilena.tuning.reward import MusicReward
from cantilena.tuning.rollout import Update, divergence, entropy, sample_melodies
from cantilena.tuning.targets import td_target


class QLearning(Learner):
    """The learner `q`: the network's scores are action values."""

    policy = "softmax-q"

    def __init__(
        self,
        network: Network,
        prior: Network,
        reward: MusicReward,
        options: TuningOptions,
        bars: Bars | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(network, prior, reward, options, bars, generator)
        self.target = copy.deepcopy(network).requires_grad_(False)
        self.replay = Replay(options.value.replay, options.steps)

    def update(self, progress: float) -> Update:
        """Sample a batch of melodies into the replay memory and learn from it; `progress` runs from 0 to 1."""
        options = self.options
        tokens = sample_melodies(
            self.network,
            options.melodies,
            options.steps,
            self.generator,
            bars=self.bars,
            exploration=self._exploration(progress),
        )
        terms = self.reward.terms(tokens.cpu().numpy())
        music = torch.from_numpy(self.reward.learned(terms)).to(tokens.device)
        with torch.no_grad():
            log_prior = self.prior.log_probs(tokens, bars=self.bars)
            log_p = chosen(log_prior, tokens)
        self.replay.add(tokens, log_p + music)

        for _ in range(options.value.updates_per_batch):
            loss = self._learn(*self.replay.draw(options.melodies, self.generator))
        with torch.no_grad():
            log_policy = self.network.log_probs(tokens, bars=self.bars)
            return Update(
                terms={name: float(term.sum(1).mean()) for name, term in terms.items()},
                log_p=float(log_p.mean()),
                kl=float(divergence(log_policy, log_prior).mean()),
                entropy=float(entropy(log_policy).mean()),
                loss=loss,
            )

    def state(self) -> dict[str, Tensor]:
        """Tensors that a resumed run needs beside the network and the optimizer: target network and replay memory."""
        target = {f"target.{name}": tensor for name, tensor in self.target.state_dict().items()}
        return {**target, **{f"replay.{name}": tensor for name, tensor in self.replay.state().items()}}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.target.load_state_dict({n.removeprefix("target."): t for n, t in state.items() if n.startswith("target.")})
        self.replay.restore({n.removeprefix("replay."): t for n, t in state.items() if n.startswith("replay.")})

    def _learn(self, tokens: Tensor, rewards: Tensor) -> float:
        bars = self.bars[: len(tokens)] if self.bars is not None else None
        values = self.network.scores(tokens, bars=bars)
        with torch.no_grad():
            target_values = self.target.scores(tokens, bars=bars)
        taken = chosen(values, tokens)
        # The values of s_{t+1} stand one step later in the same pass; after the last step there is no next state.
        following = target_values.roll(-1, dims=1).flatten(0, 1)
        last = torch.zeros_like(tokens, dtype=torch.bool)
        last[:, -1] = True
        target = td_target("q", rewards.flatten(), following, None, self.options.value.gamma, terminal=last.flatten())
        loss = torch.nn.functional.mse_loss(taken.flatten(), target)

        self.step(loss)
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, self.options.value.target_rate)
        return float(loss.detach())

    def _exploration(self, progress: float) -> float:
        value = self.options.value
        fallen = min(progress / value.exploration_share, 1.0)
        return value.exploration + (value.exploration_end - value.exploration) * fallen
