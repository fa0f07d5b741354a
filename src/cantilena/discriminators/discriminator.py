"""A classifier that says after every step of a melody how much it sounds like people's: a small causal network.

With y = 1 for people's melodies and 0 for generated ones, it adds up evidence, a number e for each step that knows only
what has sounded until then,

    f(s_1..t) = e(s_1) + e(s_1..2) + ... + e(s_1..t)

and learns to minimise the mean over all prefixes of the cross-entropy of sigmoid(f) and y. Where it has learned all
that there is to learn, f is the log ratio of people's probability of the prefix to the generator's (log D - log(1 - D)
of L. Yu et al., SeqGAN, AAAI 2017), and e(s_1..t) the log ratio of their probabilities of the step: the evidence is how
much a step itself gains or costs.

What can be heard of a melody up to each of its steps: nothing of what comes after is in it.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cantilena.discriminators.comparison import canonical_rests
from cantilena.music import OFF, Line

_REACH = (1, 3, 9)
"""How many steps apart a layer hears three states: the last layer hears 27 steps."""


class Discriminator(nn.Module):
    """Embedded steps, causal convolutions over them (Y. Kim 2014, as in SeqGAN, but never ahead), and evidence by step.

    Args:
        kinds: how many values each column of what is heard can have.
        width: of the layers.
        dropout: of embedded steps and of what decides, while learning.

    Example:
        >>> _ = torch.manual_seed(1)
        >>> ear = Discriminator((3, 2), width=8).eval()
        >>> heard = torch.tensor([[[0, 1], [2, 0], [1, 1]]])
        >>> whole, begun = ear(heard), ear(heard[:, :2])
        >>> whole.shape, torch.allclose(whole[:, :2], begun)
        (torch.Size([1, 3]), True)
    """

    offset: Tensor

    def __init__(self, kinds: tuple[int, ...], width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        self.register_buffer("offset", torch.tensor([0, *kinds[:-1]]).cumsum(0), persistent=False)
        self.embed = nn.EmbeddingBag(sum(kinds), width, mode="sum")
        self.layers = nn.ModuleList(nn.Linear(3 * width, width) for _ in _REACH)
        self.dropout = nn.Dropout(dropout)
        self.evidence = nn.Linear(width, 1)
        nn.init.normal_(self.embed.weight, std=0.3)
        nn.init.zeros_(self.evidence.weight)
        nn.init.zeros_(self.evidence.bias)

    def forward(self, heard: Tensor) -> Tensor:
        """Log odds that the melody of each prefix is people's, `(melodies, steps)`, of `(melodies, steps, columns)`."""
        melodies, steps, columns = heard.shape
        # Steps come first, so that states of other steps are slices: faster on a processor than a convolution.
        by_step = (heard + self.offset).transpose(0, 1).reshape(steps * melodies, columns)
        state = self.dropout(self.embed(by_step)).view(steps, melodies, -1)
        for reach, layer in zip(_REACH, self.layers, strict=True):
            earlier = F.pad(state, (0, 0, 0, 0, 2 * reach, 0))
            state = state + F.relu(layer(torch.cat([earlier[:steps], earlier[reach : steps + reach], state], dim=2)))
        return cast("Tensor", self.evidence(self.dropout(state)).squeeze(2).cumsum(0).T)


_OCTAVE, _LONGEST, _HIGH, _BARS = 12, 32, 16, 8
_STOPS, _FIRST, _INTERVAL = 1, 2, 3
_BARS_BACK = (1, 2)


def kinds_heard(steps_per_bar: int) -> tuple[int, ...]:
    """How many different values each of the columns of `heard_so_far` can have.

    Args:
        steps_per_bar: where bars begin.

    Example:
        >>> kinds_heard(16)
        (28, 33, 13, 34, 16, 9, 4, 4)
    """
    echoes = (4,) * len(_BARS_BACK)
    return (_INTERVAL + 2 * _OCTAVE + 1, _LONGEST + 1, 13, 2 * _HIGH + 2, steps_per_bar, _BARS + 1, *echoes)


def heard_so_far(line: Line, tonic: NDArray[np.integer] | int, steps_per_bar: int) -> NDArray[np.int16]:
    """What is heard at each step, `(melodies, steps, 8)`, as small numbers; the same in every key.

    - the event: 0 nothing new, 1 sound stops, 2 a first note, 3 .. 27 a note an octave below the last one or further up
      to an octave above or further
    - how many steps ago the last note before this step began, 0 for none, 32 at the most
    - the degree of the latest note above the tonic, 1 to 12; 0 before there is one
    - its height above the mean of all notes so far, up to 16 semitones either way, from 1; 0 before there is one
    - the place in the bar
    - the number of the bar, 8 at the most
    - whether the same happened one bar and two bars before: 0 there was no such bar, 1 no, 2 the event but another
      pitch, 3 yes

    Args:
        line: the melodies, of one length.
        tonic: pitch class of the tonic, of each melody `(melodies,)` or of all.
        steps_per_bar: where bars begin.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> found = heard_so_far(GridEncoding().line(np.array([[14, 1, 16, 0]])), 0, steps_per_bar=2)
        >>> found[0, :, 0].tolist(), found[0, :, 2].tolist(), found[0, :, 6].tolist()
        ([2, 0, 17, 1], [1, 1, 3, 3], [0, 0, 2, 1])
    """
    line = canonical_rests(line)
    clock = np.arange(line.steps)
    strikes = line.pitch >= 0
    last = np.maximum.accumulate(np.where(strikes, clock, -1), axis=1)
    before = np.concatenate([np.full((line.melodies, 1), -1), last[:, :-1]], axis=1)[:, : line.steps]
    pitch = np.where(strikes, line.pitch, 0).astype(np.int64)
    latest = np.take_along_axis(pitch, np.maximum(last, 0), axis=1)
    interval = np.clip(pitch - np.take_along_axis(pitch, np.maximum(before, 0), axis=1), -_OCTAVE, _OCTAVE)
    event = np.where(strikes, np.where(before < 0, _FIRST, interval + _OCTAVE + _INTERVAL), 0)
    event[line.event == OFF] = _STOPS
    mean = np.floor(pitch.cumsum(axis=1) / np.maximum(strikes.cumsum(axis=1), 1) + 0.5).astype(np.int64)
    home = np.broadcast_to(np.asarray(tonic, dtype=np.int64).reshape(-1, 1), (line.melodies, 1))

    columns = [
        event,
        np.where(before < 0, 0, np.minimum(clock - before, _LONGEST)),
        np.where(last < 0, 0, 1 + (latest - home) % 12),
        np.where(last < 0, 0, 1 + np.clip(latest - mean, -_HIGH, _HIGH) + _HIGH),
        np.broadcast_to(clock % steps_per_bar, event.shape),
        np.broadcast_to(np.minimum(clock // steps_per_bar, _BARS), event.shape),
        *(_echo(line, bars * steps_per_bar) for bars in _BARS_BACK),
    ]
    return np.stack(columns, axis=2).astype(np.int16)


def _echo(line: Line, back: int) -> NDArray[np.int64]:
    """Whether each step says what was said so many steps before, `(melodies, steps)`."""
    found = np.zeros(line.event.shape, dtype=np.int64)
    if back < line.steps:
        same = line.event[:, back:] == line.event[:, :-back]
        found[:, back:] = 1 + same + (same & (line.pitch[:, back:] == line.pitch[:, :-back]))
    return found
