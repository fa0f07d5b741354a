"""G-learning on whole melodies: the prior stands in the policy, and the network learns only what music theory adds.

The policy is softmax(log p + G), so log p belongs to the value of the next state and not to the reward (Fox et al.
2016, arXiv 1512.08562; Jaques et al., Sequence Tutor, arXiv 1611.02796, section 3):

    r_t = r_MT(t) / c
    y_t = r_t + gamma log sum_a exp( log p(a given s_{t+1}) + G'(s_{t+1}, a) )          at the last step y = r
    loss = mean (G(s_t, a_t) - y_t)^2

No gradient may flow through log p in the target: in the published code it did, and G-learning trained its own prior.
G starts at nothing, and not at the trained model's scores, which stand in the policy already.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cantilena.rl.algorithms.value_learning import Batch, ValueLearner, in_next_state, td_target
from cantilena.rl.learner import TuningTask


class GLearning(ValueLearner):
    """The learner `g`: softmax of log p plus the model's scores is the policy."""

    policy = "g"

    def __init__(self, task: TuningTask) -> None:
        silence_head(task.model)
        super().__init__(task)

    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, steps)`: reward and the discounted soft value of the next state, the prior in it."""
        with torch.no_grad():
            log_prior = self.log_probs(self.prior, batch.tokens)
        following = in_next_state(batch.target_values)
        target: Tensor = td_target(
            "g",
            batch.music,
            following,
            in_next_state(log_prior),
            self.options.value.gamma,
            terminal=batch.terminal,
        )
        return target


def silence_head(model: torch.nn.Module) -> None:
    """Let a model's scores begin at zero, where it has a linear `head`."""
    head = getattr(model, "head", None)
    if isinstance(head, torch.nn.Linear):
        with torch.no_grad():
            head.weight.zero_()
            head.bias.zero_()
