"""An ensemble of discriminators that score every prefix of a melody; each holds out some of the human pieces.

A discriminator is a small causal convolutional network. With y = 1 for human and 0 for generated melodies, it adds up
evidence e, which depends on a prefix only,

    f(s_1..t) = e(s_1) + e(s_1..2) + ... + e(s_1..t)

and minimises the mean over all prefixes of the cross-entropy of sigmoid(f) and y. At the optimum f is the log ratio of
the human to the generator's probability of the prefix (log D - log(1 - D) of L. Yu et al., SeqGAN, AAAI 2017), and
e(s_1..t) is the log ratio of their probabilities of the step.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cantilena.discriminators.comparison import canonical_rests
from cantilena.music import OFF, Line
from cantilena.runtime import derived_seed, generator
from cantilena.training.checkpointing import add_prefixes, load_optimizer, optimizer_tensors, with_prefix
from cantilena.training.optimizers import AdamW

_DILATIONS = (1, 3, 9)
"""Dilation of each layer of kernel size 3: a receptive field of 27 steps."""

_OCTAVE, _MAX_WAIT, _MAX_HEIGHT, _MAX_BARS = 12, 32, 16, 8
_OFF, _FIRST_NOTE, _INTERVAL = 1, 2, 3
_BARS_BACK = (1, 2)

_BATCH = 64
"""Melodies of each kind in a batch of one member."""
_LEARNING_RATE, _WEIGHT_DECAY = 8e-3, 0.05
_EMA_RATE = 0.5
"""Weight of the newest parameters in the moving average; without it rewards would change abruptly."""
_SCORING_BATCH, _ACCURACY_SAMPLE = 512, 256


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


@dataclass(frozen=True)
class HumanMelodies:
    """Human melodies that generated ones are compared with.

    Args:
        line: excerpts of one length.
        piece: `(excerpts,)`: the piece of each, as any labels.
        tonic: `(excerpts,)`: pitch class of the tonic of the piece.
    """

    line: Line
    piece: NDArray[np.generic]
    tonic: NDArray[np.int64]

    def __len__(self) -> int:
        return self.line.melodies

    @property
    def pieces(self) -> int:
        """Number of pieces."""
        return len(np.unique(self.piece))


class DiscriminatorEnsemble:
    """Discriminators that are trained further as the generator changes.

    Their scores come from moving averages of their weights (B. Polyak and A. Juditsky 1992).

    Args:
        human: human melodies.
        members: number of discriminators. Each holds out its own share of the pieces, one in `members` (one in three
            with fewer than three members).
        steps_per_bar: steps in a bar.
        seed: of initial weights, batches and held-out pieces.
        device: where they are trained.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rng = np.random.default_rng(1)
        >>> up, down = (GridEncoding().line(20 + way * rng.integers(1, 3, (60, 8)).cumsum(axis=1)) for way in (1, -1))
        >>> human = HumanMelodies(up, np.arange(60), np.zeros(60, dtype=np.int64))
        >>> ensemble = DiscriminatorEnsemble(human, members=2, steps_per_bar=8)
        >>> ensemble.train(ensemble.encode(down, 0), updates=40, round_=0)
        >>> odds = [float(ensemble.log_odds(ensemble.encode(line, 0))[:, -1].mean()) for line in (up, down)]
        >>> odds[0] > 1, odds[1] < -1
        (True, True)
    """

    def __init__(
        self,
        human: HumanMelodies,
        *,
        members: int = 3,
        steps_per_bar: int = 16,
        seed: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.steps_per_bar, self.seed, self.device = steps_per_bar, seed, torch.device(device)
        self._human = torch.from_numpy(prefix_features(human.line, human.tonic, steps_per_bar))
        shares = generator(seed, "discriminators", "shares").permutation(human.pieces) % max(members, 3)
        share = shares[np.unique(human.piece, return_inverse=True)[1]]
        self.training_rows = [np.flatnonzero(share != member) for member in range(members)]
        self.held_out_rows = [np.flatnonzero(share == member) for member in range(members)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(seed, "discriminators", "weights"))
            sizes = prefix_feature_sizes(steps_per_bar)
            self.members = nn.ModuleList(Discriminator(sizes) for _ in range(members)).to(self.device)
        self.averages = copy.deepcopy(self.members).requires_grad_(False).eval()
        self.optimizers = [
            AdamW(member.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY) for member in self.members
        ]

    def encode(self, line: Line, tonic: int) -> Tensor:
        """The features of generated melodies in one key: `(melodies, steps, columns)` int16."""
        return torch.from_numpy(prefix_features(line, tonic, self.steps_per_bar))

    def train(self, generated: Tensor, *, updates: int, round_: int, older: Tensor | None = None) -> None:
        """Train all members to tell generated melodies from human ones; `round_` determines the random numbers.

        A quarter of the generated melodies are those of earlier rounds, if there are any.
        """
        rng = generator(self.seed, "discriminators", "round", round_)
        old = _BATCH // 4 if older is not None and len(older) else 0
        target = torch.cat([torch.ones(_BATCH, 1), torch.zeros(_BATCH, 1)]).to(self.device)
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derived_seed(self.seed, "discriminators", "dropout", round_))
            self.members.train()
            for _ in range(updates):
                for member, rows, optimizer in zip(self.members, self.training_rows, self.optimizers, strict=True):
                    parts = [self._human[rng.choice(rows, _BATCH)]]
                    parts.append(generated[rng.integers(len(generated), size=_BATCH - old)])
                    if older is not None and old:
                        parts.append(older[rng.integers(len(older), size=old)])
                    odds = member(torch.cat(parts).to(self.device, torch.int64))
                    loss = F.binary_cross_entropy_with_logits(odds, target.expand_as(odds))
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    nn.utils.clip_grad_norm_(member.parameters(), 1.0)
                    optimizer.step()
                with torch.no_grad():
                    for slow, fast in zip(self.averages.parameters(), self.members.parameters(), strict=True):
                        slow.lerp_(fast, _EMA_RATE)

    @torch.no_grad()
    def log_odds(self, features: Tensor) -> Tensor:
        """Mean of log D - log(1 - D) over the members for each prefix, `(melodies, steps)`; above 0 means human."""
        parts = [
            torch.stack([member(part.to(self.device, torch.int64)) for member in self.averages]).mean(0)
            for part in (features[start : start + _SCORING_BATCH] for start in range(0, len(features), _SCORING_BATCH))
        ]
        return torch.cat(parts)

    @torch.no_grad()
    def accuracy(self, generated: Tensor, round_: int) -> float:
        """The accuracy on whole new melodies and held-out human ones; `round_` determines the sample of these."""
        rng = generator(self.seed, "discriminators", "examined", round_)
        human, ours = [], []
        for member, rows in zip(self.averages, self.held_out_rows, strict=True):
            if not len(rows):
                continue
            sample = self._human[rng.choice(rows, min(_ACCURACY_SAMPLE, len(rows)), replace=False)]
            human.append(float((member(sample.to(self.device, torch.int64))[:, -1] > 0).double().mean()))
            some = generated[:_ACCURACY_SAMPLE].to(self.device, torch.int64)
            ours.append(float((member(some)[:, -1] <= 0).double().mean()))
        return float((np.mean(human) + np.mean(ours)) / 2) if human else 0.5

    def state(self) -> dict[str, Tensor]:
        """Weights, moving averages and the state of the optimizers, as tensors by name."""
        return add_prefixes({
            "members.": self.members.state_dict(),
            "answering.": self.averages.state_dict(),
            **{f"optimizer.{number}.": optimizer_tensors(one) for number, one in enumerate(self.optimizers)},
        })  # fmt: skip

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned.

        Raises:
            RuntimeError: the tensors belong to discriminators of another shape.
        """
        self.members.load_state_dict(with_prefix("members.", tensors))
        self.averages.load_state_dict(with_prefix("answering.", tensors))
        for number, optimizer in enumerate(self.optimizers):
            load_optimizer(optimizer, with_prefix(f"optimizer.{number}.", tensors))
