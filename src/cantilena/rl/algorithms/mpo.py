"""Learning from several notes that are tried at each place: maximum a posteriori policy optimisation.

At each note K notes a_1..K are drawn from the policy pi. With their rewards r_k, the prior p, and weights w and beta,

    q_k = softmax over k of  w r_k + beta (log p(a_k) - log pi(a_k))
    loss = - sum over k of (q_k - 1 / K) log pi(a_k)

q is the policy improved at this place, as far as K samples show it (A. Abdolmaleki et al., Maximum a Posteriori Policy
Optimisation, ICLR 2018: their E step without parameters, and the M step, a weighted likelihood). To subtract 1 / K
changes no expectation, since the K notes are samples of pi, and removes the noise of the sampling. Where only one note
is possible nothing is learned. A reward that is the change of a log ratio log h(x_1..t) - log pi(x_1..t) makes h the
fixed point at w = 1, beta = 0, and needs no return over later notes: rewards are not summed over time.

Several steps on the same melodies are clipped as in PPO (J. Schulman et al., arXiv 1707.06347).
"""

from __future__ import annotations

import torch
from torch import Tensor

_CLIP = (0.75, 1.33)
"""Bounds of the ratio of the probabilities of a note after and before the steps on the same melodies."""


def mpo_loss(
    log_policy: Tensor,
    log_prior: Tensor,
    log_before: Tensor,
    rewards: Tensor,
    is_played: Tensor,
    *,
    weight: float = 1.0,
    prior_weight: float = 0.7,
) -> Tensor:
    """The loss, the mean over the notes.

    Args:
        log_policy: `(melodies, notes, tried)` nats, with gradient.
        log_prior: the same of the model before tuning.
        log_before: the same of the policy that the notes were drawn from.
        rewards: the same shape, nats.
        is_played: `(melodies, notes)`: false for padding.
        weight: w.
        prior_weight: beta.

    Examples:
        >>> half = torch.full((1, 1, 2), 0.5).log().requires_grad_()
        >>> known = half.detach()
        >>> mpo_loss(half, known, known, torch.tensor([[[1.0, 0.0]]]), torch.tensor([[True]])).backward()
        >>> [round(slope, 2) for slope in half.grad[0, 0].tolist()]  # the first note becomes more probable
        [-0.23, 0.23]
    """
    improved = torch.softmax(weight * rewards + prior_weight * (log_prior - log_policy.detach()), dim=-1)
    advantage = improved - 1.0 / improved.shape[-1]
    ratio = (log_policy - log_before).exp()
    each = torch.minimum(ratio * advantage, ratio.clamp(*_CLIP) * advantage).sum(-1)
    return -(each * is_played).sum() / is_played.sum()
