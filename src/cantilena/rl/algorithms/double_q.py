"""Double deep Q-learning on whole melodies: the learner chooses the action, the target network evaluates it.

The maximum of noisy values is biased upwards, so the action is chosen by one network and evaluated by the other (van
Hasselt et al. 2016, arXiv 1509.06461; future work in the paper's section XII):

    r_t = log p(a_t given s_t) + r_MT(t) / c
    y_t = r_t + gamma Q'(s_{t+1}, argmax_a Q(s_{t+1}, a))          at the last step y = r
    loss = mean (Q(s_t, a_t) - y_t)^2
"""

from __future__ import annotations

from torch import Tensor

from cantilena.rl.algorithms.value_learning import Batch, ValueLearner


class DoubleQLearning(ValueLearner):
    """The algorithm `double-q`: the model's scores are action values."""

    policy = "softmax-q"

    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, steps)`: reward and the discounted value of the learner's choice in the next state."""
        return self.td_targets(batch.log_p + batch.music, batch.target_values, online_values=batch.values)
