"""Psi-learning on whole melodies: Q-learning for a policy that stays near the prior.

The policy that maximises E[ sum r_MT / c + log p - log pi ] is softmax Psi, and the value of a state is log sum exp Psi
instead of a maximum (Rawlik et al. 2012; Jaques et al., Sequence Tutor, arXiv 1611.02796, section 3):

    r_t = log p(a_t given s_t) + r_MT(t) / c
    y_t = r_t + gamma log sum_a exp Psi'(s_{t+1}, a)          at the last step y = r
    loss = mean (Psi(s_t, a_t) - y_t)^2
"""

from __future__ import annotations

from torch import Tensor

from cantilena.rl.algorithms.value_learning import Batch, ValueLearner


class PsiLearning(ValueLearner):
    """The algorithm `psi`: softmax of the model's scores is the policy."""

    policy = "psi"

    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, steps)`: reward and the discounted soft maximum of the next state's values."""
        return self.td_targets(batch.log_p + batch.music, batch.target_values)
