"""How much a learner of values tries beside what it thinks best, over the course of its training."""

from __future__ import annotations

from cantilena.rl.algorithm_options import ValueOptions


def exploration(value: ValueOptions, progress: float) -> tuple[float, float]:
    """The share of random tokens (epsilon) and the temperature of the policy at a point of the training.

    `epsilon`: a token is drawn evenly from the vocabulary with probability epsilon, else from the policy. `boltzmann`:
    all are drawn from probabilities proportional to pi^(1 / temperature); what is stored, rewarded and learned from is
    the token that was drawn, not the best one. Either falls in a straight line over the first `exploration_share`.

    Args:
        value: the options.
        progress: from 0 to 1.

    Example:
        >>> exploration(ValueOptions(epsilon=1.0, epsilon_end=0.1, exploration_share=0.5), progress=0.25)
        (0.55, 1.0)
    """
    fallen = min(progress / value.exploration_share, 1.0)
    if value.exploration == "epsilon":
        return value.epsilon + (value.epsilon_end - value.epsilon) * fallen, 1.0
    if value.exploration == "boltzmann":
        return 0.0, value.exploration_temperature + (1.0 - value.exploration_temperature) * fallen
    return 0.0, 1.0
