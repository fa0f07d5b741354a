"""How a process of ours is started: another Python that finds modules where this one does.

How a process ended, in words.
"""

from __future__ import annotations

import signal
import subprocess
import sys

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""What of its environment keeps a process on one thread: where several run, they are what runs in parallel."""


def python_command(module: str, *words: str) -> list[str]:
    """The command that calls `main` of a module, which finds the words in `sys.argv[1:]`, before other things.

    Args:
        module: its full name.
        words: what it is told.

    Example:
        >>> python_command("cantilena.runtime.worker_process", "3", "4")[3:5]
        ['3', '4']
    """
    program = f"import sys; sys.path[:] = sys.argv[{len(words) + 1}:]; from {module} import main; main()"
    return [sys.executable, "-c", program, *words, *sys.path]


_PATIENCE = 5.0
"""Seconds until a process that no longer answers is said to have fallen silent."""


def how_it_ended(process: subprocess.Popen[bytes], *, by_signal: str = "was killed") -> str:
    """The end of a process as a sentence goes on: it `ended (exit status 3)`, `was killed (SIGKILL)`, `fell silent`.

    Args:
        process: that answers no more.
        by_signal: how to put it that a signal ended it.

    Example:
        >>> import sys
        >>> how_it_ended(subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]))
        'ended (exit status 3)'
    """
    try:
        code = process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return "fell silent"
    return end_in_words(code, by_signal=by_signal)


def end_in_words(code: int, *, by_signal: str = "was killed") -> str:
    """The same of a process that has ended, by its exit status, which is below 0 where a signal ended it.

    Example:
        >>> end_in_words(-9), end_in_words(1)
        ('was killed (SIGKILL)', 'ended (exit status 1)')
    """
    if code >= 0:
        return f"ended (exit status {code})"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{by_signal} ({name})"
