"""Replay buffers: a ring of rows, and one of whole melodies with prioritised sampling.

Prioritised replay (Schaul et al. 2016, arXiv 1511.05952), by melody: the priority is the mean absolute
temporal-difference error at its last use; it is sampled with probability P proportional to priority^alpha and has the
weight (N P)^-beta, divided by the largest weight of the batch. New melodies get the highest priority so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_MIN_PRIORITY = 1e-3
"""Lower bound of priorities, so that every melody can be sampled again."""


class RingBuffer:
    """The latest rows of several named tensors.

    Examples:
        >>> buffer = RingBuffer({"token": torch.zeros(2, dtype=torch.int64)})
        >>> for token in (1, 2, 3):
        ...     _ = buffer.add_rows({"token": torch.tensor([token])})
        >>> len(buffer), sorted(buffer.tensors["token"].tolist())
        (2, [2, 3])
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = dict(tensors)
        self.capacity = min(map(len, self.tensors.values()))
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add_rows(self, rows: Mapping[str, Tensor]) -> Tensor:
        """Add rows, in place of the oldest; return their indices."""
        count = len(next(iter(rows.values())))
        indices = torch.arange(self.added, self.added + count) % self.capacity
        newest = slice(-self.capacity, None)
        for name, values in rows.items():
            kept = self.tensors[name]
            kept[indices[newest]] = values[newest].detach().cpu().to(kept.dtype)
        self.added += count
        return indices

    def uniform_indices(self, count: int, generator: torch.Generator) -> Tensor:
        """The indices of random rows, with replacement."""
        return torch.randint(len(self), (count,), generator=generator, device=generator.device).cpu()

    def state(self) -> dict[str, Tensor]:
        """The rows that are filled, for a checkpoint."""
        return {**{name: kept[: len(self)] for name, kept in self.tensors.items()}, "added": torch.tensor(self.added)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.added = int(state["added"])
        for name, kept in self.tensors.items():
            kept[: len(self)] = state[name][: len(self)]


@dataclass(frozen=True)
class ReplayBatch:
    """Melodies from the replay buffer, on the generator's device.

    Args:
        tokens: `(melodies, tokens)`, shorter melodies padded with 0.
        log_p: `(melodies, tokens)`, of the tokens under the prior.
        music: `(melodies, tokens)`, clipped and not divided by c.
        indices: `(melodies,)`, in the buffer.
        weight: `(melodies,)`, in the loss.
    """

    tokens: Tensor
    log_p: Tensor
    music: Tensor
    indices: Tensor
    weight: Tensor


class ReplayBuffer(RingBuffer):
    """The latest melodies with their rewards; `priority` is alpha, where 0 samples uniformly.

    It begins with room for `steps` tokens a melody, and becomes wider if they have more.

    Examples:
        >>> buffer = ReplayBuffer(capacity=2, steps=3)
        >>> zeros = torch.zeros(3, 3)
        >>> buffer.add(torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), zeros, zeros)
        >>> sorted(buffer.tensors["tokens"][:, 0].tolist())
        [4, 7]
    """

    def __init__(self, capacity: int, steps: int, priority: float = 0.0) -> None:
        self.alpha = priority
        self.priority = torch.zeros(capacity)
        super().__init__({
            "tokens": torch.zeros(capacity, steps, dtype=torch.int64),
            "log_p": torch.zeros(capacity, steps),
            "music": torch.zeros(capacity, steps),
            "priority": self.priority,
        })  # fmt: skip

    def add(self, tokens: Tensor, log_p: Tensor, music: Tensor) -> None:
        """Add `(melodies, tokens)` tokens, their log p and their rewards; the buffer becomes as wide as they are."""
        self._widen(tokens.shape[1])
        padding = self.tensors["tokens"].shape[1] - tokens.shape[1]
        tokens, log_p, music = (F.pad(values, (0, padding)) for values in (tokens, log_p, music))
        indices = self.add_rows({"tokens": tokens, "log_p": log_p, "music": music})
        self.priority[indices] = max(float(self.priority.max()), _MIN_PRIORITY)

    def sample(self, melodies: int, generator: torch.Generator, correction: float = 1.0) -> ReplayBatch:
        """Sample melodies with replacement; `correction` is beta, the exponent of the importance weights."""
        device = generator.device
        weight = torch.ones(melodies)
        if self.alpha == 0.0:
            indices = self.uniform_indices(melodies, generator)
        else:
            chance = self.priority[: len(self)].pow(self.alpha)
            chance = chance / chance.sum()
            indices = torch.multinomial(chance.to(device), melodies, replacement=True, generator=generator).cpu()
            weight = (len(self) * chance[indices]).pow(-correction)
            weight = weight / weight.max()
        tokens, log_p, music = (self.tensors[name][indices].to(device) for name in ("tokens", "log_p", "music"))
        return ReplayBatch(tokens, log_p, music, indices, weight.to(device))

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self._widen(state["tokens"].shape[1])
        super().restore(state)

    def _widen(self, width: int) -> None:
        """Give all melodies room for so many tokens."""
        more = width - self.tensors["tokens"].shape[1]
        for name in ("tokens", "log_p", "music") if more > 0 else ():
            self.tensors[name] = F.pad(self.tensors[name], (0, more))

    def set_priority(self, indices: Tensor, error: Tensor) -> None:
        """Set the priority of melodies to their `(melodies,)` mean absolute errors."""
        if self.alpha > 0.0:
            self.priority[indices] = error.cpu().clamp(min=_MIN_PRIORITY)
