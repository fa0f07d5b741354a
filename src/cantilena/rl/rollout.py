"""Sampling whole melodies from a network, a batch at a time, on its device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cantilena.models import Bars, SequenceModel, start_with_bars


@dataclass(frozen=True, slots=True)
class Update:
    """What one gradient update was like, for the log.

    Args:
        terms: mean reward a melody by rule, whole (not clipped, not divided by c).
        log_p: mean log p of the tokens under the prior, nats a step.
        kl: mean KL divergence of the policy from the prior, nats a step.
        entropy: mean entropy of the policy, nats a step.
        loss: what was minimised.
    """

    terms: dict[str, float]
    log_p: float
    kl: float
    entropy: float
    loss: float

    @property
    def reward(self) -> float:
        """Mean reward of all rules a melody."""
        return sum(self.terms.values())


@torch.no_grad()
def sample_melodies(
    model: SequenceModel,
    melodies: int,
    steps: int,
    generator: torch.Generator,
    *,
    bars: Bars | None = None,
    epsilon: float = 0.0,
    temperature: float = 1.0,
) -> Tensor:
    """`(melodies, steps)` int64 tokens drawn from the model, some of them at random.

    A categorical draw is the argmax of p / E with E exponential (the Gumbel-max trick without its two logarithms).

    Args:
        model: what to draw from, on the generator's device.
        melodies: how many.
        steps: how long.
        generator: the randomness.
        bars: where the steps lie in their bars.
        epsilon: the share of tokens drawn evenly from the vocabulary instead.
        temperature: the rest is drawn from probabilities proportional to pi^(1 / temperature).
    """
    log_probs, state = start_with_bars(model, melodies, bars)
    vocabulary = log_probs.shape[-1]
    tokens = torch.empty(melodies, steps, dtype=torch.int64, device=log_probs.device)
    for step in range(steps):
        noise = torch.empty_like(log_probs).exponential_(generator=generator)
        drawn = ((log_probs / temperature).exp() / noise).argmax(-1)
        if epsilon > 0.0:
            explore = torch.rand(melodies, generator=generator, device=drawn.device) < epsilon
            anything = torch.randint(vocabulary, (melodies,), generator=generator, device=drawn.device)
            drawn = torch.where(explore, anything, drawn)
        tokens[:, step] = drawn
        if step + 1 < steps:
            log_probs, state = model.step(drawn, state)
    return tokens


def divergence(log_policy: Tensor, log_prior: Tensor) -> Tensor:
    """KL(policy, prior) in nats, `(melodies, steps)`, from `(melodies, steps, vocabulary)` log-probabilities."""
    return (log_policy.exp() * (log_policy - log_prior)).sum(-1)


def entropy(log_policy: Tensor) -> Tensor:
    """Entropy in nats, `(melodies, steps)`."""
    return -(log_policy.exp() * log_policy).sum(-1)
