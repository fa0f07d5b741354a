"""The targets of temporal-difference learning, one formula an algorithm.

Jaques et al., Sequence Tutor (arXiv 1611.02796), section 3: with r the reward, s' the next state, and p the prior,

    q         y = r + gamma max_a Q'(s', a)
    double-q  y = r + gamma Q'(s', argmax_a Q(s', a))        (van Hasselt et al. 2016, arXiv 1509.06461)
    psi       y = r + gamma log sum_a exp Psi'(s', a)
    g         y = r + gamma log sum_a exp(log p(a given s') + G'(s', a))

Q', Psi' and G' are the target network's. For `g`, r holds no log p: it stands in the target.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cantilena.errors import UsageError

TARGETS = ("q", "double-q", "psi", "g")


def td_target(
    algorithm: str,
    rewards: Any,  # noqa: ANN401  (numpy or torch, like the others)
    next_target_scores: Any,  # noqa: ANN401
    next_log_probs: Any,  # noqa: ANN401
    gamma: float,
    *,
    next_online_scores: Any = None,  # noqa: ANN401
    terminal: Any = None,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """What the value of each action taken should be.

    Args:
        algorithm: `q`, `double-q`, `psi` or `g`.
        rewards: `(batch,)`.
        next_target_scores: `(batch, vocabulary)`, the target network's values in the next state.
        next_log_probs: `(batch, vocabulary)`, the prior's log p in the next state, normalised; only `g` reads it.
        gamma: discount.
        next_online_scores: `(batch, vocabulary)`, the learner's own values in the next state; only `double-q` reads it.
        terminal: `(batch,)`, true where no next state exists and the target is the reward alone.

    Returns:
        `(batch,)`, torch where `rewards` is torch, else numpy. No gradient flows through it.

    Raises:
        UsageError: an unknown algorithm, or `double-q` without the learner's values.

    Example:
        >>> td_target("q", np.array([1.0]), np.array([[2.0, 4.0]]), None, 0.5).tolist()
        [3.0]
    """
    if hasattr(rewards, "detach"):
        return _torch_target(
            algorithm, rewards, next_target_scores, next_log_probs, gamma, next_online_scores, terminal
        )
    if algorithm == "q":
        value = np.max(next_target_scores, axis=-1)
    elif algorithm == "double-q":
        best = np.argmax(_learner_values(next_online_scores), axis=-1)[..., None]
        value = np.take_along_axis(np.asarray(next_target_scores), best, axis=-1)[..., 0]
    elif algorithm == "psi":
        value = np.logaddexp.reduce(next_target_scores, axis=-1)
    elif algorithm == "g":
        value = np.logaddexp.reduce(np.asarray(next_log_probs) + np.asarray(next_target_scores), axis=-1)
    else:
        raise _unknown(algorithm)
    if terminal is not None:
        value = np.where(terminal, 0.0, value)
    return rewards + gamma * value


def _torch_target(
    algorithm: str,
    rewards: Any,  # noqa: ANN401
    next_target_scores: Any,  # noqa: ANN401
    next_log_probs: Any,  # noqa: ANN401
    gamma: float,
    next_online_scores: Any,  # noqa: ANN401
    terminal: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    import torch

    # Nothing here may carry a gradient: in the published code the prior's log p did, and `g` trained its own prior.
    with torch.no_grad():
        if algorithm == "q":
            value = next_target_scores.amax(-1)
        elif algorithm == "double-q":
            best = _learner_values(next_online_scores).argmax(-1, keepdim=True)
            value = next_target_scores.gather(-1, best).squeeze(-1)
        elif algorithm == "psi":
            value = next_target_scores.logsumexp(-1)
        elif algorithm == "g":
            value = (next_log_probs + next_target_scores).logsumexp(-1)
        else:
            raise _unknown(algorithm)
        if terminal is not None:
            value = value.masked_fill(torch.as_tensor(terminal, dtype=torch.bool, device=value.device), 0.0)
        return rewards + gamma * value


def _learner_values(values: Any) -> Any:  # noqa: ANN401
    if values is None:
        raise UsageError("double-q without next_online_scores", "give the learner's values in the next state")
    return values


def _unknown(algorithm: str) -> UsageError:
    return UsageError(f"there is no target for '{algorithm}'", f"choose one of {', '.join(TARGETS)}")
