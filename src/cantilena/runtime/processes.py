"""How a process of ours is started: another Python that finds modules where this one does."""

from __future__ import annotations

import sys

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""What of its environment keeps a process on one thread: where several run, they are what runs in parallel."""


def command_of(module: str, *words: str) -> list[str]:
    """The command that calls `main` of a module, which finds the words in `sys.argv[1:]`, before other things.

    Args:
        module: its full name.
        words: what it is told.

    Example:
        >>> command_of("cantilena.runtime.worker_process", "3", "4")[3:5]
        ['3', '4']
    """
    program = f"import sys; sys.path[:] = sys.argv[{len(words) + 1}:]; from {module} import main; main()"
    return [sys.executable, "-c", program, *words, *sys.path]
