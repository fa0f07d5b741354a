"""A growing cache of keys and values, in torch or numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_INITIAL_CAPACITY = 32


class _Buffer:
    """`(2, melodies, heads, capacity, size)` keys and values, `filled` steps of them written; shared by caches."""

    __slots__ = ("array", "filled")

    def __init__(self, array: Any, filled: int) -> None:  # noqa: ANN401  (numpy or torch)
        self.array, self.filled = array, filled


@dataclass(frozen=True, slots=True)
class KVCache:
    """The keys and values of one layer at the last steps; immutable.

    A step is written behind the last one, where no cache reads yet, so that nothing is copied. Only if that place is
    taken (the cache was continued before) or the buffer is full, the steps are copied to a new buffer.

    Examples:
        >>> one = KVCache.empty(np.zeros((2, 1, 1, 1, 1))).append(np.full((2, 1, 1, 1, 1), 5.0), max_context=2)
        >>> for number in (6.0, 7.0):
        ...     last = one.append(np.full((2, 1, 1, 1, 1), number), max_context=2)
        >>> one.last(2)[0].ravel().tolist(), last.last(2)[0].ravel().tolist()
        ([5.0], [5.0, 7.0])
    """

    buffer: _Buffer
    first: int
    """The first step of the buffer that is read."""
    end: int
    """The step after the last."""

    @classmethod
    def empty(cls, like: Any) -> KVCache:  # noqa: ANN401
        """A cache without steps, of the type and shape of `(2, melodies, heads, any, size)`."""
        return cls(_Buffer(_allocate(like, _INITIAL_CAPACITY), 0), 0, 0)

    def append(self, step: Any, max_context: int) -> KVCache:  # noqa: ANN401
        """The cache with one more step, `(2, melodies, heads, 1, size)`, cut to the last `max_context`."""
        buffer, first, end = self.buffer, max(self.first, self.end + 1 - max_context), self.end
        if buffer.filled != end or end == buffer.array.shape[3]:
            kept = end - first
            array = _allocate(buffer.array, max(_INITIAL_CAPACITY, 2 * (kept + 1)))
            array[:, :, :, :kept] = buffer.array[:, :, :, first:end]
            buffer, first, end = _Buffer(array, kept), 0, kept
        buffer.array[:, :, :, end : end + 1] = step
        buffer.filled = end + 1
        return KVCache(buffer, first, end + 1)

    def last(self, max_context: int) -> Any:  # noqa: ANN401
        """`(2, melodies, heads, past, size)`: keys and values of at most the last `max_context` steps."""
        return self.buffer.array[:, :, :, max(self.first, self.end - max_context) : self.end]


def _allocate(like: Any, steps: int) -> Any:  # noqa: ANN401
    shape = (*like.shape[:3], steps, like.shape[4])
    return like.new_empty(shape) if hasattr(like, "new_empty") else np.empty(shape, dtype=like.dtype)
