"""G-learning on whole melodies: the prior is part of the policy, and the network learns only what music theory adds.

The policy is softmax(log p + G), so log p belongs to the value of the next state and not to the reward (Fox et al.
2016, arXiv 1512.08562; Jaques et al., Sequence Tutor, arXiv 1611.02796, section 3):

    r_t = r_MT(t) / c
    y_t = r_t + gamma log sum_a exp( log p(a given s_{t+1}) + G'(s_{t+1}, a) )          at the last step y = r
    loss = mean (G(s_t, a_t) - y_t)^2

No gradient may flow through log p in the target: in the published code it did, and G-learning trained its own prior.
G starts at 0 and not at the trained model's scores, since the policy already contains them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cantilena.rl.algorithms.value_learning import Batch, ValueLearner
from cantilena.rl.learner import TuningTask


class GLearning(ValueLearner):
    """The algorithm `g`: softmax of log p plus the model's scores is the policy."""

    policy = "g"

    def __init__(self, task: TuningTask) -> None:
        head = getattr(task.model, "head", None)
        if isinstance(head, torch.nn.Linear):
            torch.nn.init.zeros_(head.weight)
            torch.nn.init.zeros_(head.bias)
        super().__init__(task)

    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, tokens)`: reward and the discounted soft maximum of the next state's values plus log p."""
        with torch.no_grad():
            log_prior = self.log_probs(self.prior, batch.tokens)
        return self.td_targets(batch, batch.music, log_prior=log_prior)
