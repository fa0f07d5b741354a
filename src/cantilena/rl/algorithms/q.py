"""Deep Q-learning, the paper's algorithm, on whole melodies.

With s_t the tokens before step t (paper, section VIII.C; Mnih et al. 2015):

    r_t = log p(a_t given s_t) + r_MT(t) / c
    y_t = r_t + gamma max_a Q'(s_{t+1}, a)          at the last step y = r
    loss = mean (Q(s_t, a_t) - y_t)^2

The paper's policy is argmax Q; like the published code this samples from softmax Q, since argmax is a single melody.
"""

from __future__ import annotations

from torch import Tensor

from cantilena.rl.algorithms.value_learning import Batch, ValueLearner


class QLearning(ValueLearner):
    """The algorithm `q`: the model's scores are action values."""

    policy = "softmax-q"

    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, steps)`: reward and the discounted maximum of the next state's values."""
        return self.td_targets(batch.log_p + batch.music, batch.target_values)
