"""A discriminator that scores every prefix of a melody: a small causal convolutional network.

With y = 1 for human and 0 for generated melodies, it adds up evidence e, which depends on a prefix only,

    f(s_1..t) = e(s_1) + e(s_1..2) + ... + e(s_1..t)

and minimises the mean over all prefixes of the cross-entropy of sigmoid(f) and y. At the optimum f is the log ratio of
the human to the generator's probability of the prefix (log D - log(1 - D) of L. Yu et al., SeqGAN, AAAI 2017), and
e(s_1..t) is the log ratio of their probabilities of the step.
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

_DILATIONS = (1, 3, 9)
"""Dilation of each layer of kernel size 3: a receptive field of 27 steps."""

_OCTAVE, _MAX_WAIT, _MAX_HEIGHT, _MAX_BARS = 12, 32, 16, 8
_OFF, _FIRST_NOTE, _INTERVAL = 1, 2, 3
_BARS_BACK = (1, 2)


class Discriminator(nn.Module):
    """Embedded steps, causal convolutions (Y. Kim 2014, as in SeqGAN), and evidence by step.

    `sizes` are the numbers of values of the columns of the input (`prefix_feature_sizes`).

    Examples:
        >>> _ = torch.manual_seed(1)
        >>> discriminator = Discriminator((3, 2), width=8).eval()
        >>> features = torch.tensor([[[0, 1], [2, 0], [1, 1]]])
        >>> whole, prefix = discriminator(features), discriminator(features[:, :2])
        >>> whole.shape, torch.allclose(whole[:, :2], prefix)
        (torch.Size([1, 3]), True)
    """

    offset: Tensor

    def __init__(self, sizes: tuple[int, ...], width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        self.register_buffer("offset", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        self.embed = nn.EmbeddingBag(sum(sizes), width, mode="sum")
        self.layers = nn.ModuleList(nn.Linear(3 * width, width) for _ in _DILATIONS)
        self.dropout = nn.Dropout(dropout)
        self.evidence = nn.Linear(width, 1)
        nn.init.normal_(self.embed.weight, std=0.3)
        nn.init.zeros_(self.evidence.weight)
        nn.init.zeros_(self.evidence.bias)

    def forward(self, features: Tensor) -> Tensor:
        """`(melodies, steps)` log odds that each prefix is human, for `(melodies, steps, columns)` features."""
        melodies, steps, columns = features.shape
        # With steps first, states of earlier steps are slices, which is faster on a CPU than a convolution.
        by_step = (features + self.offset).transpose(0, 1).reshape(steps * melodies, columns)
        state = self.dropout(self.embed(by_step)).view(steps, melodies, -1)
        for dilation, layer in zip(_DILATIONS, self.layers, strict=True):
            padded = F.pad(state, (0, 0, 0, 0, 2 * dilation, 0))
            taps = (padded[:steps], padded[dilation : steps + dilation], state)
            state = state + F.relu(layer(torch.cat(taps, dim=2)))
        return cast("Tensor", self.evidence(self.dropout(state)).squeeze(2).cumsum(0).T)


def prefix_feature_sizes(steps_per_bar: int) -> tuple[int, ...]:
    """The number of values of each column of `prefix_features`.

    Examples:
        >>> prefix_feature_sizes(16)
        (28, 33, 13, 34, 16, 9, 4, 4)
    """
    repeats = (4,) * len(_BARS_BACK)
    events, heights = _INTERVAL + 2 * _OCTAVE + 1, 2 * _MAX_HEIGHT + 2
    return (events, _MAX_WAIT + 1, 13, heights, steps_per_bar, _MAX_BARS + 1, *repeats)


def prefix_features(line: Line, tonic: NDArray[np.integer] | int, steps_per_bar: int) -> NDArray[np.int16]:
    """Features of each step that depend on the steps up to it, `(melodies, steps, 8)`, the same in every key.

    - event: 0 hold, 1 off, 2 the first note, 3 .. 27 a note from an octave below the previous one (or lower) to an
      octave above (or higher)
    - steps since the last onset before this step, at most 32; 0 without one
    - degree of the latest note above the tonic, 1 to 12; 0 without one
    - its height above the mean of all notes so far, within 16 semitones, from 1; 0 without one
    - position in the bar
    - number of the bar, at most 8
    - repetition of the step one bar and two bars before: 0 no such bar, 1 no, 2 the event with another pitch, 3 yes

    `tonic` is a pitch class, of each melody `(melodies,)` or of all.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> features = prefix_features(GridEncoding().line(np.array([[14, 1, 16, 0]])), 0, steps_per_bar=2)
        >>> features[0, :, 0].tolist(), features[0, :, 2].tolist(), features[0, :, 6].tolist()
        ([2, 0, 17, 1], [1, 1, 3, 3], [0, 0, 2, 1])
    """
    line = canonical_rests(line)
    steps = np.arange(line.steps)
    onset = line.pitch >= 0
    last = np.maximum.accumulate(np.where(onset, steps, -1), axis=1)
    before = np.concatenate([np.full((line.melodies, 1), -1), last[:, :-1]], axis=1)[:, : line.steps]
    pitch = np.where(onset, line.pitch, 0).astype(np.int64)
    latest = np.take_along_axis(pitch, np.maximum(last, 0), axis=1)
    interval = np.clip(pitch - np.take_along_axis(pitch, np.maximum(before, 0), axis=1), -_OCTAVE, _OCTAVE)
    event = np.where(onset, np.where(before < 0, _FIRST_NOTE, interval + _OCTAVE + _INTERVAL), 0)
    event[line.event == OFF] = _OFF
    mean = np.floor(pitch.cumsum(axis=1) / np.maximum(onset.cumsum(axis=1), 1) + 0.5).astype(np.int64)
    tonics = np.broadcast_to(np.asarray(tonic, dtype=np.int64).reshape(-1, 1), (line.melodies, 1))

    columns = [
        event,
        np.where(before < 0, 0, np.minimum(steps - before, _MAX_WAIT)),
        np.where(last < 0, 0, 1 + (latest - tonics) % 12),
        np.where(last < 0, 0, 1 + np.clip(latest - mean, -_MAX_HEIGHT, _MAX_HEIGHT) + _MAX_HEIGHT),
        np.broadcast_to(steps % steps_per_bar, event.shape),
        np.broadcast_to(np.minimum(steps // steps_per_bar, _MAX_BARS), event.shape),
        *(_repetition(line, bars * steps_per_bar) for bars in _BARS_BACK),
    ]
    return np.stack(columns, axis=2).astype(np.int16)


def _repetition(line: Line, lag: int) -> NDArray[np.int64]:
    """Whether each step repeats the one `lag` steps before, `(melodies, steps)`."""
    repeated = np.zeros(line.event.shape, dtype=np.int64)
    if lag < line.steps:
        same = line.event[:, lag:] == line.event[:, :-lag]
        repeated[:, lag:] = 1 + same + (same & (line.pitch[:, lag:] == line.pitch[:, :-lag]))
    return repeated
