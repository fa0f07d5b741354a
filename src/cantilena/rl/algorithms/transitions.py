"""A memory of single transitions with the recurrent states of their time, for the reference mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Drawn:
    """Transitions, one a row.

    Args:
        rows: `(transitions, columns)`, what the network was told before the token.
        state: `(transitions, width)`, its recurrent state then.
        action: `(transitions,)`, the token.
        reward: `(transitions,)`.
        next_rows: `(transitions, columns)`, what it was told after the token.
        next_state: `(transitions, width)`.
        next_prior_state: `(transitions, width)`, the reward network's.
    """

    rows: Tensor
    state: Tensor
    action: Tensor
    reward: Tensor
    next_rows: Tensor
    next_state: Tensor
    next_prior_state: Tensor


class Transitions:
    """A ring of the latest transitions, drawn from evenly.

    Args:
        capacity: transitions kept.
        columns: of what a network is told.
        width: of a recurrent state as one row.

    Example:
        >>> memory = Transitions(capacity=2, columns=1, width=1)
        >>> for token in (1, 2, 3):
        ...     one, nothing = torch.tensor([[token]]), torch.zeros(1, 1)
        ...     memory.add(one, nothing, one[0], torch.ones(1), one, nothing, nothing)
        >>> len(memory), sorted(memory.kept.action.tolist())
        (2, [2, 3])
    """

    def __init__(self, capacity: int, columns: int, width: int) -> None:
        self.kept = Drawn(
            rows=torch.zeros(capacity, columns, dtype=torch.int64),
            state=torch.zeros(capacity, width),
            action=torch.zeros(capacity, dtype=torch.int64),
            reward=torch.zeros(capacity),
            next_rows=torch.zeros(capacity, columns, dtype=torch.int64),
            next_state=torch.zeros(capacity, width),
            next_prior_state=torch.zeros(capacity, width),
        )
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, len(self.kept.action))

    def add(self, *values: Tensor) -> None:
        """Keep transitions, in the order of `Drawn`, forgetting the oldest."""
        places = torch.arange(self.added, self.added + len(values[0])) % len(self.kept.action)
        for name, new in zip(_NAMES, values, strict=True):
            kept: Tensor = getattr(self.kept, name)
            kept[places] = new.detach().cpu().to(kept.dtype)
        self.added += len(values[0])

    def draw(self, count: int, generator: torch.Generator) -> Drawn:
        """So many transitions, with replacement, on the generator's device."""
        places = torch.randint(len(self), (count,), generator=generator, device=generator.device).cpu()
        return Drawn(*(getattr(self.kept, name)[places].to(generator.device) for name in _NAMES))

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs: what has been filled."""
        filled = {name: getattr(self.kept, name)[: len(self)] for name in _NAMES}
        return {**filled, "added": torch.tensor(self.added)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        for name in _NAMES:
            getattr(self.kept, name)[: len(state[name])] = state[name]
        self.added = int(state["added"])


_NAMES = tuple(field.name for field in fields(Drawn))
