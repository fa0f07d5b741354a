"""Compiling loops with numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """Compile a function when it is first called, and cache the result on disk where a folder can be written.

    Examples:
        >>> @compiled
        ... def sum_to(n):
        ...     return n * (n + 1) // 2
        >>> sum_to(4)
        10
    """
    try:
        kernel: Kernel = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder for the cache
        kernel = numba.njit(nogil=True)(function)
    return kernel
