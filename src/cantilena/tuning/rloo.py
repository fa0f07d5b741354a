"""Policy gradient on whole melodies with a leave-one-out baseline.

What is maximised, with p the frozen prior and pi the policy:

    J = E_pi [ sum_t  r_MT(t) / c + log p(a_t) - log pi(a_t) ]

so c is the weight of the KL divergence from the prior, and there is no further KL term. The gradient (REINFORCE,
Williams 1992) is E[ sum_t grad log pi(a_t) (G_t - b_t) ] with the reward to go G_t = sum_{t' >= t} of the bracket; the
sampled log-ratio of the step itself stands in G_t, without which the KL of a step would give no gradient for that
step. The baseline b_t of a melody is the mean of G_t over the other melodies of the batch (Kool et al. 2019; Ahmadian
et al. 2024, arXiv 2402.14740): it needs no value network and leaves the gradient unbiased.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cantilena.model import Bars
from cantilena.model.network import Network
from cantilena.tuning.options import TuningOptions
from cantilena.tuning.reward import MusicReward
from cantilena.tuning.rollout import Update, divergence, entropy, sample_melodies


class Rloo:
    """The learner `rloo`: the network's scores are the policy's logits.

    Args:
        network: the policy, tuned in place.
        prior: the model before tuning, never changed.
        reward: r_MT / c.
        options: how to tune.
        bars: where the steps lie in their bars, one row a melody.
        generator: the randomness, on the network's device.
    """

    policy = "likelihood"

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

    def update(self, progress: float) -> Update:
        """Sample a batch of melodies, score it, and take one step; `progress` runs from 0 to 1."""
        options = self.options
        tokens = sample_melodies(self.network, options.melodies, options.steps, self.generator, bars=self.bars)
        terms = self.reward.terms(tokens.cpu().numpy())
        music = torch.from_numpy(self.reward.learned(terms)).to(tokens.device)

        log_policy = self.network.log_probs(tokens, bars=self.bars)
        with torch.no_grad():
            log_prior = self.prior.log_probs(tokens, bars=self.bars)
        log_pi, log_p = _chosen(log_policy, tokens), _chosen(log_prior, tokens)

        to_go = _sum_from_here(music + log_p - log_pi.detach())
        advantage = to_go - _mean_of_others(to_go)
        loss = -(log_pi * advantage).sum(1).mean()

        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), options.max_norm)
        self.optimizer.step()
        with torch.no_grad():
            return Update(
                terms={name: float(term.sum(1).mean()) for name, term in terms.items()},
                log_p=float(log_p.mean()),
                kl=float(divergence(log_policy, log_prior).mean()),
                entropy=float(entropy(log_policy).mean()),
                loss=float(loss.detach()),
            )

    def state(self) -> dict[str, Any]:
        """What a resumed run needs beside the network and the optimizer: nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `state` gave."""


def _chosen(log_probs: Tensor, tokens: Tensor) -> Tensor:
    return log_probs.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def _sum_from_here(values: Tensor) -> Tensor:
    """`(melodies, steps)`: the sum of each row from each step to its end."""
    return values.flip(1).cumsum(1).flip(1)


def _mean_of_others(values: Tensor) -> Tensor:
    """`(melodies, steps)`: at each step, the mean over all melodies but the row's own."""
    return (values.sum(0, keepdim=True) - values) / (values.shape[0] - 1)
