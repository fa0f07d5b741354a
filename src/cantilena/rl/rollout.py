"""Sampling of whole melodies from a model, a batch at a time, on its device."""

from __future__ import annotations

import torch
from torch import Tensor

from cantilena.models import Bars, SequenceModel, start_with_bars
from cantilena.models.policy import LOG_ZERO


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
    end: int | None = None,
) -> Tensor:
    """Sample `(melodies, steps)` int64 tokens from a model.

    A categorical sample is the argmax of p / E with E exponential (the Gumbel-max trick without its two logarithms).

    A share `epsilon` of the tokens is drawn uniformly from the vocabulary, the others from probabilities proportional
    to pi^(1 / temperature). With the token `end`, after which the model gives nothing but `end`, the tokens are fewer
    than `steps` if all melodies have ended before, and only those are drawn that may come next.
    """
    log_probs, state = start_with_bars(model, melodies, bars)
    vocabulary = log_probs.shape[-1]
    tokens = torch.empty(melodies, steps, dtype=torch.int64, device=log_probs.device)
    for step in range(steps):
        may_come = log_probs > LOG_ZERO / 2 if end is not None else None
        if may_come is not None:  # a temperature would raise the probability of the others
            log_probs = log_probs.masked_fill(~may_come, -torch.inf)
        noise = torch.empty_like(log_probs).exponential_(generator=generator)
        token = ((log_probs / temperature).exp() / noise).argmax(-1)
        if epsilon > 0.0:
            explore = torch.rand(melodies, generator=generator, device=token.device) < epsilon
            if may_come is None:
                uniform = torch.randint(vocabulary, (melodies,), generator=generator, device=token.device)
            else:
                chance = torch.rand(may_come.shape, generator=generator, device=token.device)
                uniform = chance.masked_fill(~may_come, -1.0).argmax(-1)
            token = torch.where(explore, uniform, token)
        if end is not None and bool((token == end).all()):
            return tokens[:, :step]
        tokens[:, step] = token
        if step + 1 < steps:
            log_probs, state = model.step(token, state)
    return tokens


def gather_tokens(values: Tensor, tokens: Tensor) -> Tensor:
    """The entries of `(melodies, steps, vocabulary)` values at the tokens, `(melodies, steps)`."""
    return values.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def kl_divergence(log_policy: Tensor, log_prior: Tensor) -> Tensor:
    """KL(policy, prior) in nats, `(melodies, steps)`, of `(melodies, steps, vocabulary)` log probabilities."""
    return (log_policy.exp() * (log_policy - log_prior)).sum(-1)


def entropy(log_policy: Tensor) -> Tensor:
    """Entropy in nats, `(melodies, steps)`."""
    return -(log_policy.exp() * log_policy).sum(-1)


def per_step(values: Tensor, steps: int) -> Tensor:
    """The mean of `(melodies, tokens)` values a step of the line; at the padding of a melody they must be 0.

    On the grid, where a token is a step, it is the mean of all.

    Examples:
        >>> float(per_step(torch.tensor([[2.0, 4.0, 2.0], [4.0, 0.0, 0.0]]), steps=4))
        1.5
    """
    return values.mean() * (values.shape[1] / steps)
