"""Attention: at each step a network looks back over the melody and chooses which earlier steps are like this one.

Each earlier step j is given a number that says how well it fits step t,

    c(j) = q(t) . k(j) / sqrt(d) + a[kind of match of j] + b[kind of distance of j]

where q(t) is linear in the core's output before token t and k(j) in that before token j (Vaswani et al. 2017, Attention
is all you need, NeurIPS, eq. 1; biases tell relative places as in Shaw, Uszkoreit and Vaswani 2018, Self-attention with
relative position representations, NAACL), and the match says how long what came before j equals what came last
(`echoes.py`). Softmax shares one unit of attention among these and a place that stands for none of them, whose number
is 0. The head is told which tokens were sounded there, and what the core made of those places:

    share(j) = exp c(j) / [1 + sum exp c(j)]
    h'(t) = h(t) + S said + U sum share(j) u(j),      said(v) = sum over j with token j = v of share(j)

where u(j) is linear in the core's output before token j. A melody that repeats itself thereby hears what comes next,
and how sure that is; what to make of it the head learns.

The copy head: the next token may be new, or a copy of any step that the melody has heard.

The head gives a score s(v) to every token v and attention a number c(j) to every earlier step j (`attention.py`); both
share one softmax (Gu, Lu, Li and Li 2016, CopyNet, ACL, eq. 7-8):

    p(v) = [exp s(v) + sum over j with token j = v of exp c(j)] / Z

How much is copied is thereby decided afresh at every step, as the gate of See, Liu and Manning (2017, pointer-generator
networks, ACL) and the sentinel of Merity et al. (2017, pointer sentinel mixture models, ICLR) decide it. Since p is the
softmax of

    scores(v) = log [exp s(v) + sum exp c(j)],

whoever reads a network's scores reads this one's: they are unbounded, and a learner of values may move them at will.

What a Transformer remembers while it steps: keys and values of the steps before, in numpy or torch alike.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from cantilena.models.network.features import DISTANCES, KINDS, Heard, distance_kinds
from cantilena.models.network.options import NetworkOptions
from cantilena.models.policy import numpy_of

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


Past = tuple[Tensor, Tensor, Tensor]
"""Places `(past + 1, melodies, 2 size)`, each k(j) and u(j), the last of which still waits for its token; tokens and
matches `(past, melodies)`."""

_STRETCH = 256
"""Steps that look back at once: memory grows with a piece's length, not with its square."""


class Attention(nn.Module):
    """Finds the earlier steps that are like each step.

    Args:
        options: the network's shape: `width`, `attention`, `reach`.
        vocabulary_size: how many tokens there are; the start symbol is one more and never chosen.

    Example:
        >>> attention = Attention(NetworkOptions(width=8, attention=4), vocabulary_size=3)
        >>> heard = torch.tensor([[3, 0, 1, 2, 0, 1]])  # the start symbol, then 0 1 2 0 1
        >>> fits, tokens, _, past = attention(torch.zeros(1, 6, 8), heard)
        >>> int(tokens[0, fits[0, -1].argmax()])  # 2 followed 0 1 before
        2
    """

    def __init__(self, options: NetworkOptions, vocabulary_size: int) -> None:
        super().__init__()
        self.size, self.reach, self.vocabulary_size = options.attention, options.reach, vocabulary_size
        if self.size:
            self.query = nn.Linear(options.width, self.size)
            self.place = nn.Linear(options.width, 2 * self.size)
            self.said = nn.Linear(vocabulary_size, options.width, bias=False)
            self.told = nn.Linear(self.size, options.width, bias=False)
            nn.init.zeros_(self.said.weight)  # at first the head hears the core alone
            nn.init.zeros_(self.told.weight)
        self.copies = options.copy_head
        self.matches = nn.Parameter(torch.linspace(-5.0, 4.0, KINDS))  # long matches are believed from the start
        self.distances = nn.Parameter(torch.zeros(DISTANCES))

    def forward(
        self, hidden: Tensor, previous: Tensor, past: Past | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Past]:
        """How well each earlier step fits, for a whole stretch of steps in one call.

        Args:
            hidden: `(melodies, steps, width)` output of the core.
            previous: `(melodies, steps)` the token before each step.
            past: what this gave for the steps before; None at the start.

        Returns:
            `(melodies, steps, past + steps)` float32 c, -inf for what cannot be chosen, the `(melodies, past + steps)`
            tokens sounded there, their `(melodies, past + steps, size)` u, and the past of the next steps, at most
            `reach` long.
        """
        steps = previous.shape[1]
        places, tokens, matches = past if past is not None else self._nothing(previous, hidden)
        before = len(tokens)
        tokens = torch.cat([tokens, previous.t()])
        kinds, matches = self._kinds(tokens, matches, steps)
        places = torch.cat([places, self._places(hidden)])
        keys, values = places[:-1].transpose(0, 1).chunk(2, dim=2)
        distance = torch.arange(before, before + steps)[:, None] - torch.arange(before + steps)[None, :]
        near = torch.from_numpy(distance_kinds(distance.numpy())).to(previous.device)
        fits = self.matches.index_select(0, kinds.flatten()).view(kinds.shape) + self.distances[near]
        if self.size:
            fits = fits + (self.query(hidden) @ keys.transpose(1, 2)).float() * self.size**-0.5
        sounded = ((distance >= 0) & (distance < self.reach)).to(previous.device)
        fits = fits.masked_fill(~(sounded & (tokens.t() < self.vocabulary_size)[:, None, :]), -torch.inf)
        return fits, tokens.t(), values, (places[-self.reach - 1 :], tokens[-self.reach :], matches)

    def scores(
        self, head: Callable[[Tensor], Tensor], hidden: Tensor, previous: Tensor, past: Past | None = None
    ) -> tuple[Tensor, Past]:
        """`(melodies, steps, vocabulary)` float32 scores of a head that attends or copies, and the past.

        Args:
            head: gives scores for what the core says, `(melodies, steps, width)`.
            hidden: as for `forward`, like the rest.
            previous: the same.
            past: the same.
        """
        parts = []
        for first in range(0, max(previous.shape[1], 1), _STRETCH):
            stretch = slice(first, first + _STRETCH)
            said = hidden[:, stretch]
            fits, tokens, values, past = self(said, previous[:, stretch], past)
            if self.size:
                shared = shares(fits)
                told = self.told(shared.to(values.dtype) @ values)
                said = said + self.said(by_token(shared, tokens, self.vocabulary_size)) + told
            scores = head(said).float()
            parts.append(with_copies(scores, fits, tokens) if self.copies else scores)
        assert past is not None
        return torch.cat(parts, dim=1), past

    def _nothing(self, previous: Tensor, hidden: Tensor) -> Past:
        """The past before the start symbol: a place that nothing asks for, since its token is never chosen."""
        melodies = len(previous)
        nothing = previous.new_zeros(0, melodies)
        return hidden.new_zeros(1, melodies, 2 * self.size), nothing, nothing.to(torch.uint8)

    def _places(self, hidden: Tensor) -> Tensor:
        if not self.size:
            return hidden.new_zeros(hidden.shape[1], len(hidden), 0)
        places: Tensor = self.place(hidden).transpose(0, 1)
        return places

    def _kinds(self, tokens: Tensor, matches: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """`(melodies, steps, past + steps)` kinds of match of each token at each step, and the last matches."""
        known = numpy_of(tokens).T
        before = known.shape[1] - steps
        heard = Heard(known[:, :before], numpy_of(matches).T)
        kinds = np.zeros((len(known), steps, known.shape[1]), dtype=np.int32)
        for step in range(steps):
            heard = heard.after(known[:, before + step], self.reach)
            last = before + step + 1
            kinds[:, step, last - heard.tokens.shape[1] : last] = heard.kinds()
        latest = np.ascontiguousarray(heard.matches.T)
        return torch.from_numpy(kinds).to(tokens.device), torch.from_numpy(latest).to(tokens.device)


def shares(fits: Tensor) -> Tensor:
    """`(melodies, steps, past)`: the share of attention that each place gets; less than 1 in all.

    Args:
        fits: `(melodies, steps, past)` c.

    Example:
        >>> shares(torch.tensor([[[1.0, 3.0, 4.0]]]).log()).mul(9).round().tolist()  # of 1 + 1 + 3 + 4
        [[[1.0, 3.0, 4.0]]]
    """
    top = fits.detach().amax(-1, keepdim=True).clamp_min(0.0)
    weights = (fits - top).exp()
    return weights / (weights.sum(-1, keepdim=True) + (-top).exp())
