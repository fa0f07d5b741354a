"""The child's side of a worker process: run the task on one item after another, within limits.

A worker shares nothing with its parent but two pipes, and exits when its parent does. The protocol:

- parent to worker: `(task, streams, seconds, memory)`, then the items;
- worker to parent: `READY`, or the reason why the task cannot be loaded; then for each item any number of
  `(MESSAGE, value)`, if the task streams, and one `(DONE, outcome)`. `(LAST, outcome)` in place of `(DONE, outcome)`
  says that the worker exits: its memory use is too high to go on.
"""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cantilena.errors import CantilenaError

READY = "ready"
MESSAGE, DONE, LAST = range(3)


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why an item has no result.

    Args:
        reason: what went wrong, one line.
        hint: what to do about it, one line, or "".
        trace: the traceback of an unexpected error, for debugging, or "".
    """

    reason: str
    hint: str = ""
    trace: str = ""


def main() -> None:
    """Serve on the two pipes whose descriptors are the first arguments."""
    items, results = (int(argument) for argument in sys.argv[1:3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        _serve(Connection(items, writable=False), Connection(results, readable=False))
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(1)


def _serve(items: Connection, results: Connection) -> None:
    try:
        task, streams, seconds, memory = items.recv()
    except Exception as error:
        results.send(f"{type(error).__name__}: {error}")
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))  # no core files
    threading.Thread(target=_exit_with_parent, args=(items,), daemon=True).start()
    results.send(READY)
    call = (lambda item: task(item, lambda value: results.send((MESSAGE, value)))) if streams else task
    at_start = _address_space()
    kind = DONE
    while kind == DONE:
        try:
            item = items.recv()
        except EOFError:
            return
        outcome, out_of_memory = _run(call, item, seconds, memory)
        if out_of_memory or (memory is not None and _address_space() - at_start > memory // 2):
            kind = LAST
        try:
            answer = pickle.dumps((kind, outcome), pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            answer = pickle.dumps((kind, Failure(_one_line(f"its result cannot be sent: {error}"))))
        results.send_bytes(answer)


def _run(call: Callable[[Any], Any], item: Any, seconds: float | None, memory: int | None) -> tuple[Any, bool]:  # noqa: ANN401
    """Return the result or a failure, and whether memory ran out."""
    _limit_address_space(memory)
    # The parent kills a worker that is late. The alarm ends one whose parent is gone, even inside a C library that
    # holds the interpreter's lock.
    signal.setitimer(signal.ITIMER_REAL, min(seconds * 1.5 + 5, 1e8) if seconds else 0)
    try:
        return call(item), False
    except CantilenaError as error:
        return Failure(_one_line(error.text), _one_line(error.hint)), False
    except MemoryError:
        _limit_address_space(None)
        limit = f"more than {memory // 2**20} MB of" if memory else "more"
        return Failure(f"it needs {limit} memory", "allow it more memory"), True
    except RecursionError:
        return Failure("it is nested too deeply"), False
    except Exception as error:
        _limit_address_space(None)
        return Failure(_one_line(f"{type(error).__name__}: {error}"), trace=traceback.format_exc(limit=-20)), False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _limit_address_space(None)


def _exit_with_parent(items: Connection) -> None:
    """Wait until the parent's end of the pipe is closed, without reading from it, and exit at once."""
    poll = select.poll()
    poll.register(items.fileno(), 0)
    poll.poll()
    os._exit(1)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def _limit_address_space(memory: int | None) -> None:
    """Allow this process to map so many bytes more than it does now; None lifts the limit.

    The limit is on the address space (RLIMIT_AS): it takes effect at once and in C libraries too, where polling the
    resident size would be too late. Linux enforces it, macOS does not.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = resource.RLIM_INFINITY if memory is None else _address_space() + memory
    if hard != resource.RLIM_INFINITY and (soft == resource.RLIM_INFINITY or soft > hard):
        soft = hard
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _address_space() -> int:
    """Return the bytes of address space that this process maps; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 0
