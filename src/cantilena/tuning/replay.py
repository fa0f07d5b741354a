"""A memory of whole melodies with their rewards."""

from __future__ import annotations

import torch
from torch import Tensor


class Replay:
    """A ring of the latest melodies, drawn from evenly.

    Args:
        capacity: melodies kept.
        steps: steps of each.

    Example:
        >>> memory = Replay(capacity=2, steps=3)
        >>> memory.add(torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), torch.zeros(3, 3))
        >>> sorted(memory.tokens[:, 0].tolist())
        [4, 7]
    """

    def __init__(self, capacity: int, steps: int) -> None:
        self.tokens = torch.zeros(capacity, steps, dtype=torch.int64)
        self.rewards = torch.zeros(capacity, steps)
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, len(self.tokens))

    def add(self, tokens: Tensor, rewards: Tensor) -> None:
        """Keep `(melodies, steps)` tokens and rewards, forgetting the oldest."""
        places = torch.arange(self.added, self.added + len(tokens)) % len(self.tokens)
        newest = slice(-len(self.tokens), None)
        self.tokens[places[newest]] = tokens[newest].cpu()
        self.rewards[places[newest]] = rewards[newest].detach().cpu()
        self.added += len(tokens)

    def draw(self, melodies: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Tokens and rewards of so many melodies, drawn with replacement, on the generator's device."""
        places = torch.randint(len(self), (melodies,), generator=generator, device=generator.device).cpu()
        return self.tokens[places].to(generator.device), self.rewards[places].to(generator.device)

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs."""
        return {"tokens": self.tokens, "rewards": self.rewards, "added": torch.tensor(self.added)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.tokens, self.rewards = state["tokens"].clone(), state["rewards"].clone()
        self.added = int(state["added"])
