"""The listener that hears melodies in time: a small recurrent network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from cantilena.discriminators.comparison import Examples
from cantilena.discriminators.features import chord_sizes, own_keys
from cantilena.models import choose_device, threads_worth_it
from cantilena.music import OFF

_OCTAVE, _WIDE = 12, 24
_HOLD, _OFF, _FIRST, _INTERVAL = 0, 1, 2, 3
_EVENTS = _INTERVAL + 2 * _OCTAVE + 1
_HEIGHTS = 2 + 2 * _WIDE
_DEGREES = 13
_CHORDS = 5
_TOGETHER = 4
"""Steps that are heard at once: sixteenths of a quarter note."""
_AT_ONCE = 256
_SEEDS = 2**63


@dataclass(frozen=True)
class Recurrent:
    """A GRU over quarter notes of embedded steps; the mean and maximum of its states and the mean of its input decide.

    K. Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014. A step is what begins there:
    the interval from the note before, the height above the melody's mean, the degree of its own key, how many pitches,
    and the place in the bar. None of them knows the key.

    Args:
        width: of the GRU.
        updates: of the weights.
        batch: melodies learned from at once.
        rate: the highest learning rate of AdamW; it falls to 0 by a cosine.
        dropout: of embedded steps and of what decides.
        decay: pull of AdamW towards 0.
        device: where it learns.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> heard = Examples(GridEncoding().line(np.array([[14, 16, 18, 19]] * 8 + [[14, 14, 14, 14]] * 8)))
        >>> scorer = Recurrent(updates=40).fit(heard, np.arange(16) >= 8, np.random.default_rng(1))
        >>> (scorer.score(heard) > 0.5).tolist() == [False] * 8 + [True] * 8
        True
    """

    width: int = 64
    updates: int = 300
    batch: int = 64
    rate: float = 4e-3
    dropout: float = 0.3
    decay: float = 0.05
    device: str = "auto"

    def fit(self, examples: Examples, generated: NDArray[np.bool_], rng: np.random.Generator) -> RecurrentScorer:
        """Learn from examples."""
        device = choose_device(self.device)
        steps = torch.from_numpy(heard_steps(examples)).to(device)
        targets = torch.from_numpy(generated.astype(np.float32)).to(device)
        with (
            threads_worth_it(self.width, self.batch),
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        ):
            torch.manual_seed(int(rng.integers(_SEEDS)))  # first weights and dropout
            network = _Ear(self.width, examples.steps_per_bar, self.dropout).to(device)
            learner = torch.optim.AdamW(network.parameters(), lr=self.rate, weight_decay=self.decay)
            network.train()
            for update, rows in enumerate(self._batches(len(examples), rng)):
                share = update / self.updates
                learner.param_groups[0]["lr"] = self.rate * min(10 * share + 0.1, (1 + math.cos(math.pi * share)) / 2)
                chosen = torch.from_numpy(rows).to(device)
                loss = F.binary_cross_entropy_with_logits(network(steps[chosen]), targets[chosen])
                learner.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                learner.step()
        return RecurrentScorer(network.eval(), device)

    def _batches(self, melodies: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Rows to learn from, update by update: all melodies in a random order, again and again."""
        size = min(self.batch, melodies)
        passes = -(-self.updates * size // melodies)
        order = np.concatenate([rng.permutation(melodies) for _ in range(passes)])
        return list(order[: self.updates * size].reshape(self.updates, size))


@dataclass(frozen=True)
class RecurrentScorer:
    """A network that has learned.

    Args:
        network: in evaluation mode.
        device: where it computes.
    """

    network: _Ear
    device: torch.device

    def score(self, examples: Examples) -> NDArray[np.float64]:
        """How generated each melody sounds, `(melodies,)`, 0 to 1."""
        steps = heard_steps(examples)
        chances = [np.zeros(0)]
        with torch.no_grad(), threads_worth_it(self.network.width, _AT_ONCE):
            for begin in range(0, len(steps), _AT_ONCE):
                part = torch.from_numpy(steps[begin : begin + _AT_ONCE]).to(self.device)
                chances.append(torch.sigmoid(self.network(part)).double().cpu().numpy())
        return np.concatenate(chances)


def heard_steps(examples: Examples) -> NDArray[np.int64]:
    """What the network hears at each step, `(melodies, steps, 5)`: event, height, degree, pitches, place in the bar.

    Events are 0 nothing new, 1 sound stops, 2 a first note, 3 .. 27 a note an octave below the last one up to an octave
    above. Steps are filled up to whole quarter notes with nothing new.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> heard_steps(Examples(GridEncoding().line(np.array([[14, 16, 0]]))))[0, :, 0].tolist()
        [2, 17, 1, 0]
    """
    line, notes = examples.line, examples.notes
    size = max(-(-line.steps // _TOGETHER), 1) * _TOGETHER
    steps = np.zeros((line.melodies, size, 5), dtype=np.int64)
    steps[:, : line.steps, 0][line.event == OFF] = _OFF
    at = (notes.melody, notes.step)
    interval = np.clip(notes.interval, -_OCTAVE, _OCTAVE) + _OCTAVE + _INTERVAL
    mean = np.floor(notes.sums(notes.pitch) / np.maximum(notes.counts(), 1) + 0.5).astype(np.int64)
    steps[*at, 0] = np.where(notes.is_first, _FIRST, interval)
    steps[*at, 1] = 1 + np.clip(notes.pitch - mean[notes.melody], -_WIDE, _WIDE) + _WIDE
    steps[*at, 2] = 1 + (notes.pitch - own_keys(notes).tonic[notes.melody]) % 12
    steps[*at, 3] = np.minimum(chord_sizes(line, notes), _CHORDS - 1)
    steps[:, :, 4] = np.arange(size) % examples.steps_per_bar
    return steps


class _Ear(nn.Module):
    """The network: embedded steps, four at a time, into a GRU."""

    offset: torch.Tensor

    def __init__(self, width: int, steps_per_bar: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        sizes = (_EVENTS, _HEIGHTS, _DEGREES, _CHORDS, steps_per_bar)
        self.register_buffer("offset", torch.tensor(np.cumsum([0, *sizes[:-1]])))
        self.embed = nn.EmbeddingBag(sum(sizes), width // 2, mode="sum")
        self.beat = nn.Linear(_TOGETHER * (width // 2), width)
        self.core = nn.GRU(width, width, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.decide = nn.Linear(3 * width, 1)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """Log-odds that each melody is generated, `(melodies,)`."""
        embedded = self.embed((steps + self.offset).flatten(0, 1))
        beats = F.gelu(self.beat(embedded.reshape(len(steps), steps.shape[1] // _TOGETHER, -1)))
        states, _ = self.core(self.dropout(beats))
        heard = torch.cat([states.mean(dim=1), states.amax(dim=1), beats.mean(dim=1)], dim=1)
        return cast("torch.Tensor", self.decide(self.dropout(heard)).squeeze(1))
