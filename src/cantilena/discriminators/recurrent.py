"""The recurrent classifier of the two-sample test: a small GRU over bars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from cantilena.discriminators.comparison import Examples
from cantilena.discriminators.features import chord_sizes, find_keys
from cantilena.models import choose_device, limit_threads
from cantilena.music import OFF
from cantilena.training.optimizers import AdamW

if TYPE_CHECKING:
    from cantilena.discriminators.classifiers import Scores

_OCTAVE, _MAX_HEIGHT = 12, 24
_OFF, _FIRST_NOTE, _INTERVAL = 1, 2, 3
_EVENTS = _INTERVAL + 2 * _OCTAVE + 1
_HEIGHTS = 2 + 2 * _MAX_HEIGHT
_DEGREES = 13
_CHORDS = 5
_STEPS = 16
"""Steps that are read at once: a bar of 4/4. Quarter notes took more than twice the time, for the same AUC."""
_PASSES, _MIN_UPDATES, _MAX_UPDATES = 24, 60, 300
"""Passes over the training melodies, and bounds of the optimizer steps. Of 160 melodies more passes learn no more."""
_SCORING_BATCH = 256


@dataclass(frozen=True)
class Recurrent:
    """A GRU over bars of embedded steps, with mean and maximum pooling of its states.

    K. Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014. The input of a step is the
    interval from the previous note, the height above the melody's mean, the degree in its key, the number of pitches,
    and the position in the bar: all invariant under transposition.

    Args:
        width: of the GRU.
        updates: number of optimizer steps; 0 for 24 passes over the melodies, at least 60 and at most 300 steps.
        batch: melodies in a batch.
        rate: maximum learning rate of AdamW, which a cosine anneals to 0.
        dropout: of the input of the GRU and of the output layer.
        decay: weight decay of AdamW.
        device: where it is trained.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> examples = Examples(GridEncoding().line(np.array([[14, 16, 18, 19]] * 8 + [[14, 14, 14, 14]] * 8)))
        >>> scores = Recurrent(updates=40).fit(examples, np.arange(16) >= 8, np.random.default_rng(1))
        >>> (scores(examples) > 0.5).tolist() == [False] * 8 + [True] * 8
        True
    """

    width: int = 64
    updates: int = 0
    batch: int = 64
    rate: float = 4e-3
    dropout: float = 0.3
    decay: float = 0.05
    device: str = "auto"

    def fit(self, examples: Examples, generated: NDArray[np.bool_], rng: np.random.Generator) -> Scores:
        """Train on examples."""
        device = choose_device(self.device)
        steps = torch.from_numpy(step_features(examples)).to(device)
        targets = torch.from_numpy(generated.astype(np.float32)).to(device)
        with (
            limit_threads(self.width, self.batch),
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        ):
            torch.manual_seed(int(rng.integers(2**63)))  # initial weights and dropout
            network = GruClassifier(self.width, examples.steps_per_bar, self.dropout).to(device)
            optimizer = AdamW(network.parameters(), lr=self.rate, weight_decay=self.decay)
            network.train()
            batches = self._batches(len(examples), rng)
            for update, indices in enumerate(batches):
                done = update / len(batches)
                optimizer.param_groups[0]["lr"] = self.rate * min(10 * done + 0.1, (1 + math.cos(math.pi * done)) / 2)
                rows = torch.from_numpy(indices).to(device)
                loss = F.binary_cross_entropy_with_logits(network(steps[rows]), targets[rows])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
        return GruScores(network.eval(), device)

    def _batches(self, melodies: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """The rows of each batch: random permutations of all melodies, one after the other."""
        size = min(self.batch, melodies)
        updates = self.updates or min(max(_PASSES * melodies // size, _MIN_UPDATES), _MAX_UPDATES)
        passes = -(-updates * size // melodies)
        order = np.concatenate([rng.permutation(melodies) for _ in range(passes)])
        return list(order[: updates * size].reshape(updates, size))


@dataclass(frozen=True)
class GruScores:
    """A trained network as `Scores`."""

    network: GruClassifier
    device: torch.device

    def __call__(self, examples: Examples) -> NDArray[np.float64]:
        """Predicted probability that each melody is generated, `(melodies,)`."""
        steps = step_features(examples)
        scores = [np.zeros(0)]
        with torch.no_grad(), limit_threads(self.network.width, _SCORING_BATCH):
            for start in range(0, len(steps), _SCORING_BATCH):
                part = torch.from_numpy(steps[start : start + _SCORING_BATCH]).to(self.device)
                scores.append(torch.sigmoid(self.network(part)).double().cpu().numpy())
        return np.concatenate(scores)


class GruClassifier(nn.Module):
    """Embedded steps, a bar at a time, into a GRU."""

    offset: torch.Tensor

    def __init__(self, width: int, steps_per_bar: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        sizes = (_EVENTS, _HEIGHTS, _DEGREES, _CHORDS, steps_per_bar)
        self.register_buffer("offset", torch.tensor(np.cumsum([0, *sizes[:-1]])))
        self.embed = nn.EmbeddingBag(sum(sizes), width // 2, mode="sum")
        self.bar = nn.Linear(_STEPS * (width // 2), width)
        self.core = nn.GRU(width, width, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(3 * width, 1)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """Log-odds that each melody is generated, `(melodies,)`, for `(melodies, steps, 5)` features."""
        embedded = self.embed((steps + self.offset).flatten(0, 1))
        bars = F.gelu(self.bar(embedded.reshape(len(steps), steps.shape[1] // _STEPS, -1)))
        states, _ = self.core(self.dropout(bars))
        pooled = torch.cat([states.mean(dim=1), states.amax(dim=1), bars.mean(dim=1)], dim=1)
        return cast("torch.Tensor", self.head(self.dropout(pooled)).squeeze(1))


def step_features(examples: Examples) -> NDArray[np.int64]:
    """The input at each step, `(melodies, steps, 5)`: event, height, degree, number of pitches, position in the bar.

    Events are 0 for a hold, 1 for an off, 2 for the first note, and 3 .. 27 for a note from an octave below the
    previous one to an octave above. The steps are padded with holds to a multiple of 16.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> step_features(Examples(GridEncoding().line(np.array([[14, 16, 0]]))))[0, :4, 0].tolist()
        [2, 17, 1, 0]
    """
    line, notes = examples.line, examples.notes
    size = max(-(-line.steps // _STEPS), 1) * _STEPS
    steps = np.zeros((line.melodies, size, 5), dtype=np.int64)
    steps[:, : line.steps, 0][line.event == OFF] = _OFF
    at = (notes.melody, notes.step)
    interval = np.clip(notes.interval, -_OCTAVE, _OCTAVE) + _OCTAVE + _INTERVAL
    mean = np.floor(notes.sums(notes.pitch) / np.maximum(notes.counts(), 1) + 0.5).astype(np.int64)
    steps[*at, 0] = np.where(notes.is_first, _FIRST_NOTE, interval)
    steps[*at, 1] = 1 + np.clip(notes.pitch - mean[notes.melody], -_MAX_HEIGHT, _MAX_HEIGHT) + _MAX_HEIGHT
    steps[*at, 2] = 1 + (notes.pitch - find_keys(notes).tonic[notes.melody]) % 12
    steps[*at, 3] = np.minimum(chord_sizes(line, notes), _CHORDS - 1)
    steps[:, :, 4] = np.arange(size) % examples.steps_per_bar
    return steps
