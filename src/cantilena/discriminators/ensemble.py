"""Several discriminators that learn together, each without a part of people's pieces, on which it is examined."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cantilena.discriminators.discriminator import Discriminator, heard_so_far, kinds_heard
from cantilena.music import Line
from cantilena.runtime import derived_seed, generator

_BATCH = 64
"""Melodies of either side in a lesson of one member."""
_RATE, _DECAY = 8e-3, 0.05
_FOLLOWS = 0.5
"""How far what answers follows what learns, at each lesson: answers that jump make who learns from them jump."""
_AT_ONCE = 512
_EXAMINED = 256


@dataclass(frozen=True)
class HumanMelodies:
    """People's melodies, with which generated ones are compared.

    Args:
        line: excerpts, all of one length.
        piece: `(excerpts,)`: the piece that each is from, as any labels.
        tonic: `(excerpts,)`: pitch class of the tonic of each one's piece.
    """

    line: Line
    piece: NDArray[np.generic]
    tonic: NDArray[np.int64]

    def __len__(self) -> int:
        return self.line.melodies

    @property
    def pieces(self) -> int:
        """Of how many pieces they are."""
        return len(np.unique(self.piece))


class DiscriminatorEnsemble:
    """An ensemble of discriminators that goes on learning while what they must tell changes.

    What answers are running means of their weights (B. Polyak and A. Juditsky 1992).

    Args:
        people: people's melodies.
        members: how many discriminators. Each learns from all pieces but its own share, one in so many (one in three
            where there are fewer than three members).
        steps_per_bar: where bars begin.
        seed: of first weights, batches and shares.
        device: where they learn.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> rng = np.random.default_rng(1)
        >>> up, down = (GridEncoding().line(20 + way * rng.integers(1, 3, (60, 8)).cumsum(axis=1)) for way in (1, -1))
        >>> zeros = np.zeros(60, dtype=np.int64)
        >>> ears = DiscriminatorEnsemble(HumanMelodies(up, np.arange(60), zeros), members=2, steps_per_bar=8)
        >>> ears.learn(ears.hear(down, 0), lessons=40, round_=0)
        >>> human, generated = (float(ears.log_odds(ears.hear(line, 0))[:, -1].mean()) for line in (up, down))
        >>> human > 1, generated < -1
        (True, True)
    """

    def __init__(
        self,
        people: HumanMelodies,
        *,
        members: int = 3,
        steps_per_bar: int = 16,
        seed: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.steps_per_bar, self.seed, self.device = steps_per_bar, seed, torch.device(device)
        self._people = torch.from_numpy(heard_so_far(people.line, people.tonic, steps_per_bar))
        shares = max(members, 3)
        share = generator(seed, "discriminators", "shares").permutation(people.pieces) % shares
        left_out = share[np.unique(people.piece, return_inverse=True)[1]]
        self.learned = [np.flatnonzero(left_out != member) for member in range(members)]
        self.examined = [np.flatnonzero(left_out == member) for member in range(members)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(seed, "discriminators", "weights"))
            kinds = kinds_heard(steps_per_bar)
            self.members = nn.ModuleList(Discriminator(kinds) for _ in range(members)).to(self.device)
        self.answering = copy.deepcopy(self.members).requires_grad_(False)
        self.optimizers = [torch.optim.AdamW(m.parameters(), lr=_RATE, weight_decay=_DECAY) for m in self.members]

    def hear(self, line: Line, tonic: int) -> Tensor:
        """What is heard of generated melodies, all with one tonic: `(melodies, steps, columns)` int16."""
        return torch.from_numpy(heard_so_far(line, tonic, self.steps_per_bar))

    def learn(self, generated: Tensor, *, lessons: int, round_: int, older: Tensor | None = None) -> None:
        """Learn to tell generated melodies from people's.

        Args:
            generated: what was heard of the newest ones.
            lessons: steps of the optimizer that each member takes.
            round_: the number of this call: the same randomness for the same number, whatever came before.
            older: what was heard of melodies of earlier rounds; a quarter of those learned from.
        """
        rng = generator(self.seed, "discriminators", "round", round_)
        size = _BATCH
        old = size // 4 if older is not None and len(older) else 0
        target = torch.cat([torch.ones(size, 1), torch.zeros(size, 1)]).to(self.device)
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derived_seed(self.seed, "discriminators", "dropout", round_))
            self.members.train()
            for _ in range(lessons):
                for member, rows, optimizer in zip(self.members, self.learned, self.optimizers, strict=True):
                    parts = [self._people[rng.choice(rows, size)]]
                    parts.append(generated[rng.integers(len(generated), size=size - old)])
                    if older is not None and old:
                        parts.append(older[rng.integers(len(older), size=old)])
                    odds = member(torch.cat(parts).to(self.device, torch.int64))
                    loss = F.binary_cross_entropy_with_logits(odds, target.expand_as(odds))
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    nn.utils.clip_grad_norm_(member.parameters(), 1.0)
                    optimizer.step()
                with torch.no_grad():
                    for slow, fast in zip(self.answering.parameters(), self.members.parameters(), strict=True):
                        slow.lerp_(fast, _FOLLOWS)

    @torch.no_grad()
    def log_odds(self, heard: Tensor) -> Tensor:
        """The members' mean log D - log(1 - D) for each prefix, `(melodies, steps)`: above 0 sounds like people's."""
        self.answering.eval()
        parts = [
            torch.stack([member(part.to(self.device, torch.int64)) for member in self.answering]).mean(0)
            for part in (heard[first : first + _AT_ONCE] for first in range(0, len(heard), _AT_ONCE))
        ]
        return torch.cat(parts)

    @torch.no_grad()
    def accuracy(self, generated: Tensor, round_: int) -> float:
        """The share of right answers on whole melodies, half people's: pieces that a member never learned from.

        Args:
            generated: what was heard of melodies that nobody has learned from yet.
            round_: which of people's are asked about.
        """
        self.answering.eval()
        rng = generator(self.seed, "discriminators", "examined", round_)
        theirs, ours = [], []
        for member, rows in zip(self.answering, self.examined, strict=True):
            if not len(rows):
                continue
            people = self._people[rng.choice(rows, min(_EXAMINED, len(rows)), replace=False)]
            some = generated[:_EXAMINED]
            theirs.append(float((member(people.to(self.device, torch.int64))[:, -1] > 0).double().mean()))
            ours.append(float((member(some.to(self.device, torch.int64))[:, -1] <= 0).double().mean()))
        return float((np.mean(theirs) + np.mean(ours)) / 2) if theirs else 0.5

    def state(self) -> dict[str, Tensor]:
        """All that was learned, as tensors by name: weights and what the optimizers remember."""
        tensors = {f"members.{name}": tensor for name, tensor in self.members.state_dict().items()}
        tensors |= {f"answering.{name}": tensor for name, tensor in self.answering.state_dict().items()}
        for number, optimizer in enumerate(self.optimizers):
            for index, entry in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{number}.{index}.{name}": tensor for name, tensor in entry.items()}
        return tensors

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave.

        Raises:
            KeyError: something is missing.
            RuntimeError: it is of discriminators of another shape.
        """
        for begin, part in (("members.", self.members), ("answering.", self.answering)):
            part.load_state_dict({n[len(begin) :]: t for n, t in tensors.items() if n.startswith(begin)})
        for number, optimizer in enumerate(self.optimizers):
            remembered: dict[int, dict[str, Tensor]] = {}
            for name, tensor in tensors.items():
                if name.startswith(f"optimizer.{number}."):
                    index, entry = name.split(".")[2:]
                    remembered.setdefault(int(index), {})[entry] = tensor
            optimizer.load_state_dict({**optimizer.state_dict(), "state": remembered})
