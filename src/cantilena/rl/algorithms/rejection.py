"""Rejection fine-tuning: maximum likelihood on the best of the model's own melodies.

Of a batch sampled from the policy, the share `keep` with the highest reward is kept, and the step maximises

    mean over the kept of sum_t log pi(a_t)

as in expert iteration and RAFT (Dong et al. 2023, arXiv 2304.06767), a simple baseline for reinforcement learning. It
has no c, so only early stopping keeps it near the prior; with a target KL it skips updates while that is exceeded.
"""

from __future__ import annotations

import torch

from cantilena.rl.history import UpdateStats
from cantilena.rl.learner import Learner, update_stats
from cantilena.rl.rollout import gather_tokens


class Rejection(Learner):
    """The algorithm `rejection`: the model's scores are the logits of the policy."""

    policy = "likelihood"

    def update(self, progress: float) -> UpdateStats:
        """Sample a batch of melodies, keep the best, and take one step; `progress` rises from 0 to 1."""
        tokens = self.sample()
        terms = self.score(tokens)
        best = self.scaled_reward(terms, tokens).sum(1).argsort(descending=True, stable=True)
        kept = best[: max(round(self.options.policy.keep * len(tokens)), 1)]
        log_policy = self.log_probs(self.policy_model(), tokens)
        with torch.no_grad():
            log_prior = self.log_probs(self.prior, tokens)
        loss = -gather_tokens(log_policy[kept], tokens[kept]).sum(1).mean()

        log_p = gather_tokens(log_prior, tokens)
        stats = update_stats(terms, log_p, log_policy.detach(), log_prior, float(loss.detach()), self.options.steps)
        if self.options.target_kl is None or stats.kl <= self.options.target_kl:
            self.gradient_step(loss)
        return stats
