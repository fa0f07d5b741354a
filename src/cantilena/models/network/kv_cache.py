"""A growing cache of keys and values, in torch or numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_LEAST_CAPACITY = 32
"""Steps that there is room for at first."""


class _Room:
    """An array with room for more steps than it holds.

    Args:
        array: `(2, melodies, heads, room, size)` keys and values, of numpy or torch.
        filled: steps that are written.
    """

    __slots__ = ("array", "filled")

    def __init__(self, array: Any, filled: int) -> None:  # noqa: ANN401  (of numpy or torch)
        self.array, self.filled = array, filled


@dataclass(frozen=True, slots=True)
class KeysAndValues:
    """The keys and values of one layer at the last steps; never changed in place.

    A step more is written behind the last one, where no state looks yet, so that it costs no copy of all before it.
    Only who goes on from a state that has been gone on from already, or finds no room, copies once.

    Example:
        >>> nothing = KeysAndValues.nothing(np.zeros((2, 1, 1, 1, 1)))
        >>> one = nothing.after(np.full((2, 1, 1, 1, 1), 5.0), reach=2)
        >>> for number in (6.0, 7.0):
        ...     last = one.after(np.full((2, 1, 1, 1, 1), number), reach=2)
        >>> one.last(2)[0].ravel().tolist(), last.last(2)[0].ravel().tolist()
        ([5.0], [5.0, 7.0])
    """

    room: _Room
    first: int
    """The first step of the array that can still be looked at."""
    end: int
    """The step behind the last."""

    @classmethod
    def nothing(cls, like: Any) -> KeysAndValues:  # noqa: ANN401
        """Before anything has sounded.

        Args:
            like: `(2, melodies, heads, any, size)`, of numpy or torch: what there will be one of at each step.
        """
        return cls(_Room(_with_room(like, _LEAST_CAPACITY), 0), 0, 0)

    def after(self, step: Any, reach: int) -> KeysAndValues:  # noqa: ANN401
        """One step more, `(2, melodies, heads, 1, size)`; at most the last `reach` are kept."""
        room, first, end = self.room, max(self.first, self.end + 1 - reach), self.end
        if room.filled != end or end == room.array.shape[3]:
            kept = end - first
            wider = _with_room(room.array, max(_LEAST_CAPACITY, 2 * (kept + 1)))
            wider[:, :, :, :kept] = room.array[:, :, :, first:end]
            room, first, end = _Room(wider, kept), 0, kept
        room.array[:, :, :, end : end + 1] = step
        room.filled = end + 1
        return KeysAndValues(room, first, end + 1)

    def last(self, reach: int) -> Any:  # noqa: ANN401
        """`(2, melodies, heads, past, size)`: keys and values of the last steps, at most `reach` of them."""
        return self.room.array[:, :, :, max(self.first, self.end - reach) : self.end]


def _with_room(like: Any, steps: int) -> Any:  # noqa: ANN401
    shape = (*like.shape[:3], steps, like.shape[4])
    return like.new_empty(shape) if hasattr(like, "new_empty") else np.empty(shape, dtype=like.dtype)
