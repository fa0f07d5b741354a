"""Attention of the head to earlier steps, and the copy head, in torch.

Each earlier step j has a score at step t,

    c(j) = q(t) . k(j) / sqrt(d) + a[bin of the match of j] + b[bin of the distance of j]

where q(t) is linear in the output of the core before token t and k(j) in that before token j (Vaswani et al. 2017,
Attention is all you need, NeurIPS, eq. 1; biases of relative positions: Shaw, Uszkoreit and Vaswani 2018,
Self-attention with relative position representations, NAACL), and the match is the number of tokens before j that equal
the last ones (`features.py`). Softmax shares one unit of attention among these and an empty place with the score 0. The
shares of each token, and a mixture of vectors u(j), linear in the output of the core before token j, are added to the
input of the head:

    share(j) = exp c(j) / [1 + sum exp c(j)]
    h'(t) = h(t) + S by_token + U sum share(j) u(j),      by_token(v) = sum over j with token j = v of share(j)

With the copy head, the next token is new or a copy of an earlier one. The scores s(v) of the head and the scores c(j)
share one softmax (Gu, Lu, Li and Li 2016, CopyNet, ACL, eq. 7-8; compare the gate of See, Liu and Manning 2017,
pointer-generator networks, ACL, and the sentinel of Merity et al. 2017, pointer sentinel mixture models, ICLR):

    p(v) = [exp s(v) + sum over j with token j = v of exp c(j)] / Z

so that p is the softmax of scores(v) = log [exp s(v) + sum exp c(j)], which are unbounded as any scores.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from cantilena.models.network.features import DISTANCE_BINS, MATCH_BINS, TokenHistory, distance_bins
from cantilena.models.network.options import NetworkOptions
from cantilena.models.policy import to_numpy

Past = tuple[Tensor, Tensor, Tensor]
"""Vectors `(past + 1, melodies, 2 size)`, each k(j) and u(j), the last still without its token; tokens and matches
`(past, melodies)`."""

_CHUNK = 256
"""Steps that attend at once: memory grows with the length of a piece, not with its square."""

_MIN_WEIGHT = 1e-30
"""Lower bound of the weight of a token relative to the largest, so that its logarithm is finite."""


class Attention(nn.Module):
    """Scores earlier steps, and changes the input and the scores of the head accordingly.

    Args:
        options: the shape of the network: `width`, `attention`, `copy_head`, `max_context`.
        vocabulary_size: number of tokens; the start symbol is one more and gets no attention.

    Examples:
        >>> attention = Attention(NetworkOptions(width=8, attention=4), vocabulary_size=3)
        >>> previous = torch.tensor([[3, 0, 1, 2, 0, 1]])  # the start symbol, then 0 1 2 0 1
        >>> c, tokens, _, past = attention(torch.zeros(1, 6, 8), previous)
        >>> int(tokens[0, c[0, -1].argmax()])  # 2 followed 0 1 before
        2
    """

    def __init__(self, options: NetworkOptions, vocabulary_size: int) -> None:
        super().__init__()
        self.size, self.max_context, self.vocabulary_size = options.attention, options.max_context, vocabulary_size
        if self.size:
            self.query = nn.Linear(options.width, self.size)
            self.place = nn.Linear(options.width, 2 * self.size)
            self.said = nn.Linear(vocabulary_size, options.width, bias=False)
            self.told = nn.Linear(self.size, options.width, bias=False)
            nn.init.zeros_(self.said.weight)  # at first attention changes nothing
            nn.init.zeros_(self.told.weight)
        self.copies = options.copy_head
        self.matches = nn.Parameter(torch.linspace(-5.0, 4.0, MATCH_BINS))  # long matches score high from the start
        self.distances = nn.Parameter(torch.zeros(DISTANCE_BINS))

    def forward(
        self, hidden: Tensor, previous: Tensor, past: Past | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Past]:
        """Score the earlier steps of a chunk of steps.

        Args:
            hidden: `(melodies, steps, width)` output of the core.
            previous: `(melodies, steps)` the token before each step.
            past: of the steps before; None at the start.

        Returns:
            `(melodies, steps, past + steps)` float32 scores c, -inf where masked; the `(melodies, past + steps)`
            tokens; their `(melodies, past + steps, size)` vectors u; and the past of the next steps, at most
            `max_context` long.
        """
        steps = previous.shape[1]
        vectors, tokens, matches = past if past is not None else self._empty_past(previous, hidden)
        before = len(tokens)
        tokens = torch.cat([tokens, previous.t()])
        bins, matches = self._match_bins(tokens, matches, steps)
        vectors = torch.cat([vectors, self._vectors(hidden)])
        keys, values = vectors[:-1].transpose(0, 1).chunk(2, dim=2)
        distance = torch.arange(before, before + steps)[:, None] - torch.arange(before + steps)[None, :]
        near = torch.from_numpy(distance_bins(distance.numpy())).to(previous.device)
        c = self.matches.index_select(0, bins.flatten()).view(bins.shape) + self.distances[near]
        if self.size:
            c = c + (self.query(hidden) @ keys.transpose(1, 2)).float() * self.size**-0.5
        visible = ((distance >= 0) & (distance < self.max_context)).to(previous.device)
        c = c.masked_fill(~(visible & (tokens.t() < self.vocabulary_size)[:, None, :]), -torch.inf)
        return c, tokens.t(), values, (vectors[-self.max_context - 1 :], tokens[-self.max_context :], matches)

    def scores(
        self, head: Callable[[Tensor], Tensor], hidden: Tensor, previous: Tensor, past: Past | None = None
    ) -> tuple[Tensor, Past]:
        """`(melodies, steps, vocabulary)` float32 scores after attention and copies, and the past.

        `head` gives scores for `(melodies, steps, width)` vectors; other arguments as of `forward`.
        """
        parts = []
        for first in range(0, max(previous.shape[1], 1), _CHUNK):
            chunk = slice(first, first + _CHUNK)
            x = hidden[:, chunk]
            c, tokens, values, past = self(x, previous[:, chunk], past)
            if self.size:
                shares = attention_shares(c)
                attended = self.told(shares.to(values.dtype) @ values)
                x = x + self.said(sum_by_token(shares, tokens, self.vocabulary_size)) + attended
            scores = head(x).float()
            parts.append(add_copies(scores, c, tokens) if self.copies else scores)
        assert past is not None
        return torch.cat(parts, dim=1), past

    def _empty_past(self, previous: Tensor, hidden: Tensor) -> Past:
        """The past before the start symbol: a vector that is never read, since its token is masked."""
        melodies = len(previous)
        tokens = previous.new_zeros(0, melodies)
        return hidden.new_zeros(1, melodies, 2 * self.size), tokens, tokens.to(torch.uint8)

    def _vectors(self, hidden: Tensor) -> Tensor:
        if not self.size:
            return hidden.new_zeros(hidden.shape[1], len(hidden), 0)
        vectors: Tensor = self.place(hidden).transpose(0, 1)
        return vectors

    def _match_bins(self, tokens: Tensor, matches: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """`(melodies, steps, past + steps)` bins of the matches of each token at each step, and the last matches."""
        known = to_numpy(tokens).T
        before = known.shape[1] - steps
        history = TokenHistory(known[:, :before], to_numpy(matches).T)
        bins = np.zeros((len(known), steps, known.shape[1]), dtype=np.int32)
        for step in range(steps):
            history = history.append(known[:, before + step], self.max_context)
            last = before + step + 1
            bins[:, step, last - history.tokens.shape[1] : last] = history.match_bins()
        latest = np.ascontiguousarray(history.matches.T)
        return torch.from_numpy(bins).to(tokens.device), torch.from_numpy(latest).to(tokens.device)


def attention_shares(c: Tensor) -> Tensor:
    """`(melodies, steps, past)`: the share of each place, from its score; less than 1 in all.

    Examples:
        >>> attention_shares(torch.tensor([[[1.0, 3.0, 4.0]]]).log()).mul(9).round().tolist()  # of 1 + 1 + 3 + 4
        [[[1.0, 3.0, 4.0]]]
    """
    top = c.detach().amax(-1, keepdim=True).clamp_min(0.0)
    weights = (c - top).exp()
    return weights / (weights.sum(-1, keepdim=True) + (-top).exp())


def add_copies(scores: Tensor, c: Tensor, tokens: Tensor) -> Tensor:
    """`log [exp s(v) + sum over j with token j = v of exp c(j)]`.

    Args:
        scores: `(melodies, steps, vocabulary)` s.
        c: `(melodies, steps, past)`; -inf where nothing can be copied.
        tokens: `(melodies, past)` the tokens that can be copied.

    Examples:
        >>> scores, c = torch.tensor([[[1.0, 2.0]]]).log(), torch.tensor([[[3.0, 4.0]]]).log()
        >>> add_copies(scores, c, torch.tensor([[1, 0]])).exp().round().tolist()  # 1 + 4 and 2 + 3
        [[[5.0, 5.0]]]
    """
    top = torch.maximum(scores.amax(-1, keepdim=True), c.amax(-1, keepdim=True)).detach()
    weights = (scores - top).exp() + sum_by_token((c - top).exp(), tokens, scores.shape[2])
    return top + weights.clamp_min(_MIN_WEIGHT).log()


def sum_by_token(numbers: Tensor, tokens: Tensor, vocabulary_size: int) -> Tensor:
    """`(melodies, steps, vocabulary)`: sums of `(melodies, steps, past)` numbers over the places of each token."""
    sums = numbers.new_zeros(*numbers.shape[:2], vocabulary_size + 1)  # the last is that of the start symbol
    return sums.scatter_add(2, tokens[:, None, :].expand(numbers.shape), numbers)[..., :-1]
