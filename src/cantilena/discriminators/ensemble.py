"""An ensemble of discriminators, each of which holds out some of the human pieces."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cantilena.discriminators.discriminator import Discriminator, prefix_feature_sizes, prefix_features
from cantilena.music import Line
from cantilena.runtime import derived_seed, generator
from cantilena.training.checkpointing import add_prefixes, load_optimizer, optimizer_tensors, with_prefix

_BATCH = 64
"""Melodies of each kind in a batch of one member."""
_LEARNING_RATE, _WEIGHT_DECAY = 8e-3, 0.05
_EMA_RATE = 0.5
"""Weight of the newest parameters in the moving average; without it rewards would change abruptly."""
_SCORING_BATCH, _ACCURACY_SAMPLE = 512, 256


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
            torch.optim.AdamW(member.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
            for member in self.members
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
