"""Rejection fine-tuning: learn again, by likelihood, from the best of one's own melodies.

Of a batch drawn from the policy the share `keep` with the highest reward of the rules is kept, and the step is up

    mean over the kept of sum_t log pi(a_t)

as in expert iteration and RAFT (Dong et al. 2023, arXiv 2304.06767). An honest rival of reinforcement learning: no
baseline, no values, and no c, so that nothing holds it near the prior but its end; with a target KL it rests while that
is passed.
"""

from __future__ import annotations

import torch

from cantilena.rl.learner import Learner, account, chosen
from cantilena.rl.rollout import Update


class Rejection(Learner):
    """The learner `rejection`: the model's scores are the policy's logits."""

    policy = "likelihood"

    def update(self, progress: float) -> Update:
        """Sample a batch of melodies, keep the best, and take one step; `progress` runs from 0 to 1."""
        tokens = self.play()
        terms = self.judge(tokens)
        best = self.music(terms, tokens).sum(1).argsort(descending=True, stable=True)
        kept = best[: max(round(self.options.policy.keep * len(tokens)), 1)]
        log_policy = self.log_probs(self.policy_model(), tokens)
        with torch.no_grad():
            log_prior = self.log_probs(self.prior, tokens)
        loss = -chosen(log_policy[kept], tokens[kept]).sum(1).mean()

        done = account(terms, chosen(log_prior, tokens), log_policy.detach(), log_prior, float(loss.detach()))
        if self.options.target_kl is None or done.kl <= self.options.target_kl:
            self.descend(loss)
        return done
