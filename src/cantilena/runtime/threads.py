"""Threads of numpy's matrix products."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import LibController, ThreadpoolController


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Compute matrix products of numpy on one thread.

    Those of a model that composes are so small that a second thread gains nothing, and BLAS threads spin while they
    wait: beside two busy processes on two cores, 16 melodies at once took 55 times as long with two threads.

    Examples:
        >>> import numpy as np
        >>> with one_blas_thread():
        ...     np.ones((2, 2)) @ np.ones(2)
        array([2., 2.])
    """
    before = [(library, library.get_num_threads()) for library in _libraries()]
    wide = [(library, threads) for library, threads in before if threads > 1]
    for library, _ in wide:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, threads in wide:
            library.set_num_threads(threads)


@functools.cache
def _libraries() -> list[LibController]:
    """The BLAS libraries; numpy loads its own before anything is computed."""
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)
