"""How loops that arrays say badly are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """A function compiled by numba when it first runs, and kept for the next time where there is a place.

    Example:
        >>> @compiled
        ... def sum_to(n):
        ...     return n * (n + 1) // 2
        >>> sum_to(4)
        10
    """
    try:
        kernel: Kernel = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder to keep compiled code in: compile anew each time
        kernel = numba.njit(nogil=True)(function)
    return kernel
