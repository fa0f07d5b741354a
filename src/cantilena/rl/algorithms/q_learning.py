"""Deep Q-learning on whole melodies, the paper's algorithm, and two of its relatives.

With s_t the tokens before step t (paper, section VIII.C; Mnih et al. 2015):

    r_t = log p(a_t given s_t) + r_MT(t) / c
    y_t = r_t + gamma V'(s_{t+1})          at the last step y = r
    loss = mean (Q(s_t, a_t) - y_t)^2

The algorithms differ in the value V' of the next state.
"""

from __future__ import annotations

from torch import Tensor

from cantilena.rl.algorithms.value_learning import Batch, ValueLearner


class QLearning(ValueLearner):
    """The algorithm `q`: V' = max_a Q'(s, a).

    The paper's policy is argmax Q; like the published code this samples from softmax Q, since argmax is a single
    melody.
    """

    policy = "softmax-q"

    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, tokens)`: reward and the discounted maximum of the next state's values."""
        return self.td_targets(batch, batch.log_p + batch.music)


class DoubleQLearning(ValueLearner):
    """The algorithm `double-q`: V' = Q'(s, argmax_a Q(s, a)).

    The maximum of noisy values is biased upwards, so the learner chooses the action and the target network evaluates it
    (van Hasselt et al. 2016, arXiv 1509.06461; future work in the paper's section XII).
    """

    policy = "softmax-q"

    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, tokens)`: reward and the discounted value of the learner's choice in the next state."""
        return self.td_targets(batch, batch.log_p + batch.music, online_values=batch.values)


class PsiLearning(ValueLearner):
    """The algorithm `psi`: V' = log sum_a exp Psi'(s, a).

    softmax Psi is the policy that maximises E[ sum r_MT / c + log p - log pi ], so that it stays near the prior (Rawlik
    et al. 2012; Jaques et al., Sequence Tutor, arXiv 1611.02796, section 3).
    """

    policy = "psi"

    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, tokens)`: reward and the discounted soft maximum of the next state's values."""
        return self.td_targets(batch, batch.log_p + batch.music)
