"""Psi-learning on whole melodies: Q-learning for a policy that is to stay near the prior.

Where what is maximised is E[ sum r_MT / c + log p - log pi ], the best policy is softmax Psi, and the value of a state
is no maximum but log sum exp Psi (Rawlik et al. 2012; Jaques et al., Sequence Tutor, arXiv 1611.02796, section 3):

    r_t = log p(a_t given s_t) + r_MT(t) / c
    y_t = r_t + gamma log sum_a exp Psi'(s_{t+1}, a)          at the last step y = r
    loss = mean (Psi(s_t, a_t) - y_t)^2
"""

from __future__ import annotations

from torch import Tensor

from cantilena.rl.algorithms.value_learning import Batch, ValueLearner, in_next_state, td_target


class PsiLearning(ValueLearner):
    """The learner `psi`: softmax of the model's scores is the policy."""

    policy = "psi"

    def targets(self, batch: Batch) -> Tensor:
        """`(melodies, steps)`: reward and the discounted soft value of the next state."""
        following = in_next_state(batch.target_values)
        target: Tensor = td_target(
            "psi", batch.log_p + batch.music, following, None, self.options.value.gamma, terminal=batch.terminal
        )
        return target
