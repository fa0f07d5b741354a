"""Starting another Python process, and describing how one ended."""

from __future__ import annotations

import signal
import subprocess
import sys

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment variables that keep a process on one thread, for processes that run in parallel."""

_EXIT_SECONDS = 5.0


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that calls `main` of a module in a new interpreter with this one's `sys.path`.

    Args:
        module: its full name.
        arguments: what `main` finds in `sys.argv[1:]`, before the entries of the path.

    Examples:
        >>> python_command("cantilena.runtime.worker_process", "3", "4")[3:5]
        ['3', '4']
    """
    program = f"import sys; sys.path[:] = sys.argv[{len(arguments) + 1}:]; from {module} import main; main()"
    return [sys.executable, "-c", program, *arguments, *sys.path]


def describe_exit(process: subprocess.Popen[bytes] | int, *, by_signal: str = "was killed") -> str:
    """Describe the end of a process: `ended (exit status 3)`, `was killed (SIGKILL)`, `stopped responding`.

    Args:
        process: the process, which is given 5 s to exit; or an exit status, negative for a signal.
        by_signal: the verb for a process that a signal ended.

    Examples:
        >>> describe_exit(1), describe_exit(-9), describe_exit(-11, by_signal="crashed")
        ('ended (exit status 1)', 'was killed (SIGKILL)', 'crashed (SIGSEGV)')
    """
    try:
        status = process if isinstance(process, int) else process.wait(timeout=_EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        return "stopped responding"
    if status >= 0:
        return f"ended (exit status {status})"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"{by_signal} ({name})"
