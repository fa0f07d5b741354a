"""Policy gradient on whole melodies with a leave-one-out baseline (RLOO).

With p the fixed prior and pi the policy, it maximises

    J = E_pi [ sum_t  r_MT(t) / c + log p(a_t) - log pi(a_t) ]

so c is the weight of the KL divergence from the prior, and there is no further KL term. The gradient (REINFORCE,
Williams 1992) is E[ sum_t grad log pi(a_t) (G_t - b_t) ] with the reward to go G_t = sum_{t' >= t} of the bracket; it
includes the log ratio of the step itself, without which the KL of a step would have no gradient for that step. The
baseline b_t of a melody is the mean of G_t over the other melodies of its group (Kool et al. 2019; Ahmadian et al.
2024, arXiv 2402.14740): it needs no value network and leaves the gradient unbiased. Of notes it is the mean of their
reward to go from the same time on, since other melodies are elsewhere after as many tokens. An entropy bonus beta adds
beta H(pi(. given s_t)) at each token, differentiated exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cantilena.rl.history import UpdateStats
from cantilena.rl.learner import Learner, update_stats
from cantilena.rl.rollout import entropy, gather_tokens


class Rloo(Learner):
    """The algorithm `rloo`: the model's scores are the logits of the policy."""

    policy = "likelihood"

    def update(self, progress: float) -> UpdateStats:
        """Sample a batch of melodies, score it, and take one step; `progress` rises from 0 to 1."""
        tokens = self.sample()
        terms = self.score(tokens)
        log_policy = self.log_probs(self.policy_model(), tokens)
        with torch.no_grad():
            log_prior = self.log_probs(self.prior, tokens)
        log_pi, log_p = gather_tokens(log_policy, tokens), gather_tokens(log_prior, tokens)

        rewards = self.scaled_reward(terms, tokens) + log_p - log_pi.detach()
        to_go = reward_to_go(rewards)
        advantage = to_go - baseline(rewards, self.places(tokens), self.options.steps, self.options.policy.group)
        loss = -(log_pi * advantage).sum(1).mean()
        if self.options.policy.entropy_bonus:
            loss = loss - self.options.policy.entropy_bonus * entropy(log_policy).sum(1).mean()

        self.gradient_step(loss)
        return update_stats(terms, log_p, log_policy, log_prior, float(loss.detach()), self.options.steps)


def reward_to_go(rewards: Tensor) -> Tensor:
    """`(melodies, steps)`: the sum of each row from each step to its end."""
    return rewards.flip(1).cumsum(1).flip(1)


def baseline(rewards: Tensor, places: Tensor, steps: int, group: int = 0) -> Tensor:
    """`(melodies, tokens)`: the mean reward to go of the other melodies of the group from the time of each token on.

    Args:
        rewards: `(melodies, tokens)`.
        places: the same shape: the step of each token, below `steps`.
        steps: of all melodies.
        group: melodies of a group; 0 is one group of all.

    Examples:
        >>> rewards, places = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0, 1], [0, 2]])
        >>> baseline(rewards, places, steps=3).tolist()
        [[7.0, 4.0], [3.0, 0.0]]
    """
    by_step = torch.zeros(len(rewards), steps, dtype=rewards.dtype, device=rewards.device)
    by_step.scatter_add_(1, places, rewards)
    return mean_of_others(reward_to_go(by_step), group).gather(1, places)


def mean_of_others(values: Tensor, group: int = 0) -> Tensor:
    """`(melodies, steps)`: at each step, the mean over the other melodies of the row's group; 0 is one group of all.

    Examples:
        >>> mean_of_others(torch.tensor([[1.0], [2.0], [6.0]])).tolist()
        [[4.0], [3.5], [1.5]]
    """
    rows = values.view(-1, group or len(values), values.shape[1])
    return ((rows.sum(1, keepdim=True) - rows) / (rows.shape[1] - 1)).view_as(values)
