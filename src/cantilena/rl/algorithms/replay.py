"""A memory of whole melodies with their rewards, drawn from evenly or by how much is left to learn.

Prioritised replay (Schaul et al. 2016, arXiv 1511.05952), a melody at a time: its priority is the mean size of its
temporal-difference errors when it was last learned from; it is drawn with probability P proportional to priority^alpha
and weighs (N P)^-beta, divided by the largest weight of the batch. A new melody has the highest priority so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

_SMALLEST = 1e-3
"""No priority is lower, so that every melody can come again."""


@dataclass(frozen=True)
class Drawn:
    """Melodies out of the memory, on the generator's device.

    Args:
        tokens: `(melodies, steps)`.
        log_p: `(melodies, steps)`, of the tokens under the prior.
        music: `(melodies, steps)`, clipped and not divided by c.
        places: `(melodies,)`, where in the memory they lie.
        weight: `(melodies,)`, what each counts in the loss.
    """

    tokens: Tensor
    log_p: Tensor
    music: Tensor
    places: Tensor
    weight: Tensor


class Replay:
    """A ring of the latest melodies.

    Args:
        capacity: melodies kept.
        steps: steps of each.
        priority: alpha; 0 draws evenly.

    Example:
        >>> memory = Replay(capacity=2, steps=3)
        >>> nothing = torch.zeros(3, 3)
        >>> memory.add(torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), nothing, nothing)
        >>> sorted(memory.tokens[:, 0].tolist())
        [4, 7]
    """

    def __init__(self, capacity: int, steps: int, priority: float = 0.0) -> None:
        self.alpha = priority
        self.tokens = torch.zeros(capacity, steps, dtype=torch.int64)
        self.log_p, self.music = torch.zeros(capacity, steps), torch.zeros(capacity, steps)
        self.priority = torch.zeros(capacity)
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, len(self.tokens))

    def add(self, tokens: Tensor, log_p: Tensor, music: Tensor) -> None:
        """Keep `(melodies, steps)` tokens, their log p and their rewards, forgetting the oldest."""
        places = torch.arange(self.added, self.added + len(tokens)) % len(self.tokens)
        newest = slice(-len(self.tokens), None)
        for kept, values in ((self.tokens, tokens), (self.log_p, log_p), (self.music, music)):
            kept[places[newest]] = values[newest].detach().cpu().to(kept.dtype)
        self.priority[places] = max(float(self.priority.max()), _SMALLEST)
        self.added += len(tokens)

    def draw(self, melodies: int, generator: torch.Generator, correction: float = 1.0) -> Drawn:
        """So many melodies, with replacement.

        Args:
            melodies: how many.
            generator: the randomness.
            correction: beta, how far weights make up for uneven drawing.
        """
        device = generator.device
        weight = torch.ones(melodies)
        if self.alpha == 0.0:
            places = torch.randint(len(self), (melodies,), generator=generator, device=device).cpu()
        else:
            chance = self.priority[: len(self)].pow(self.alpha)
            chance = chance / chance.sum()
            places = torch.multinomial(chance.to(device), melodies, replacement=True, generator=generator).cpu()
            weight = (len(self) * chance[places]).pow(-correction)
            weight = weight / weight.max()
        kept = (self.tokens[places], self.log_p[places], self.music[places])
        tokens, log_p, music = (values.to(device) for values in kept)
        return Drawn(tokens, log_p, music, places, weight.to(device))

    def reprioritise(self, places: Tensor, error: Tensor) -> None:
        """Set the priority of melodies by the `(melodies,)` mean size of their errors."""
        if self.alpha > 0.0:
            self.priority[places] = error.cpu().clamp(min=_SMALLEST)

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs: what has been filled."""
        return {
            "tokens": self.tokens[: len(self)],
            "log_p": self.log_p[: len(self)],
            "music": self.music[: len(self)],
            "priority": self.priority[: len(self)],
            "added": torch.tensor(self.added),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.added = int(state["added"])
        kept = {"tokens": self.tokens, "log_p": self.log_p, "music": self.music, "priority": self.priority}
        for name, values in kept.items():
            values[: len(self)] = state[name][: len(self)]
