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

import torch
from torch import Tensor

from cantilena.tuning.learner import Learner, chosen
from cantilena.tuning.rollout import Update, divergence, entropy, sample_melodies


class Rloo(Learner):
    """The learner `rloo`: the network's scores are the policy's logits."""

    policy = "likelihood"

    def update(self, progress: float) -> Update:
        """Sample a batch of melodies, score it, and take one step; `progress` runs from 0 to 1."""
        options = self.options
        tokens = sample_melodies(self.network, options.melodies, options.steps, self.generator, bars=self.bars)
        terms = self.reward.terms(tokens.cpu().numpy())
        music = torch.from_numpy(self.reward.learned(terms)).to(tokens.device)

        log_policy = self.network.log_probs(tokens, bars=self.bars)
        with torch.no_grad():
            log_prior = self.prior.log_probs(tokens, bars=self.bars)
        log_pi, log_p = chosen(log_policy, tokens), chosen(log_prior, tokens)

        to_go = _sum_from_here(music + log_p - log_pi.detach())
        advantage = to_go - _mean_of_others(to_go)
        loss = -(log_pi * advantage).sum(1).mean()

        self.step(loss)
        with torch.no_grad():
            return Update(
                terms={name: float(term.sum(1).mean()) for name, term in terms.items()},
                log_p=float(log_p.mean()),
                kl=float(divergence(log_policy, log_prior).mean()),
                entropy=float(entropy(log_policy).mean()),
                loss=float(loss.detach()),
            )


def _sum_from_here(values: Tensor) -> Tensor:
    """`(melodies, steps)`: the sum of each row from each step to its end."""
    return values.flip(1).cumsum(1).flip(1)


def _mean_of_others(values: Tensor) -> Tensor:
    """`(melodies, steps)`: at each step, the mean over all melodies but the row's own."""
    return (values.sum(0, keepdim=True) - values) / (values.shape[0] - 1)
