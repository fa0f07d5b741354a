"""The copy head: the next token may be new, or a copy of any step that the melody has heard.

The head gives a score s(v) to every token v and attention a number c(j) to every earlier step j (`attention.py`); both
share one softmax (Gu, Lu, Li and Li 2016, CopyNet, ACL, eq. 7-8):

    p(v) = [exp s(v) + sum over j with token j = v of exp c(j)] / Z

How much is copied is thereby decided afresh at every step, as the gate of See, Liu and Manning (2017, pointer-generator
networks, ACL) and the sentinel of Merity et al. (2017, pointer sentinel mixture models, ICLR) decide it. Since p is the
softmax of

    scores(v) = log [exp s(v) + sum exp c(j)],

whoever reads a network's scores reads this one's: they are unbounded, and a learner of values may move them at will.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST = 1e-30
"""A token has at least so much of the likeliest one's weight, so that its logarithm is a number."""


def with_copies(scores: Tensor, fits: Tensor, tokens: Tensor) -> Tensor:
    """`log [exp s(v) + sum over j with token j = v of exp c(j)]`.

    Args:
        scores: `(melodies, steps, vocabulary)` s.
        fits: `(melodies, steps, past)` c; -inf where nothing can be copied.
        tokens: `(melodies, past)` the tokens that can be copied.

    Example:
        >>> scores, fits = torch.tensor([[[1.0, 2.0]]]).log(), torch.tensor([[[3.0, 4.0]]]).log()
        >>> with_copies(scores, fits, torch.tensor([[1, 0]])).exp().round().tolist()  # 1 + 4 and 2 + 3
        [[[5.0, 5.0]]]
    """
    top = torch.maximum(scores.amax(-1, keepdim=True), fits.amax(-1, keepdim=True)).detach()
    weights = (scores - top).exp() + by_token((fits - top).exp(), tokens, scores.shape[2])
    return top + weights.clamp_min(_LEAST).log()


def by_token(numbers: Tensor, tokens: Tensor, vocabulary_size: int) -> Tensor:
    """`(melodies, steps, vocabulary)`: the sum of `(melodies, steps, past)` numbers over the places of each token."""
    sums = numbers.new_zeros(*numbers.shape[:2], vocabulary_size + 1)  # the last is the start symbol's
    return sums.scatter_add(2, tokens[:, None, :].expand(numbers.shape), numbers)[..., :-1]
