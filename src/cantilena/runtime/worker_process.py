"""What a worker process does: take an item, run the task on it within limits, send back what came of it.

A worker is a fresh interpreter that shares nothing with its parent but two pipes. It ends when its parent does.
"""

from __future__ import annotations

import pickle
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cantilena.errors import CantilenaError

READY = "ready"
"""The first message of a worker that can start."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an item has no result.

    Args:
        reason: what went wrong, one line.
        hint: what to do about it, one line, or "".
        trace: the traceback of an error that nobody expected, for those who mend it, or "".
    """

    reason: str
    hint: str = ""
    trace: str = ""


def serve(items: Connection, results: Connection) -> None:
    """Answer items until there are no more; each answer is (outcome, whether this worker goes on).

    The first item is the task itself with its limits: (task, seconds, memory).
    """
    try:
        task, seconds, memory = items.recv()
    except Exception as error:
        results.send(f"{type(error).__name__}: {error}")
        return
    _forbid_core_files()
    results.send(READY)
    at_start = _address_space()
    while True:
        try:
            item = items.recv()
        except EOFError:
            return
        outcome = _attempt(task, item, seconds, memory)
        bloated = _address_space() - at_start > memory // 2
        goes_on = not bloated and not isinstance(outcome, _OutOfMemory)
        results.send_bytes(_packed(outcome, goes_on))
        if not goes_on:
            return


@dataclass(frozen=True, slots=True)
class _OutOfMemory(Failure):
    """The item wanted more memory than it may have; the interpreter is not trusted after that."""


def _attempt(task: Callable[[Any], Any], item: Any, seconds: float, memory: int) -> Any:  # noqa: ANN401
    _limit_address_space(memory)
    # The parent ends a worker that is late. The alarm ends one whose parent is gone, even inside a C library.
    signal.setitimer(signal.ITIMER_REAL, seconds * 1.5 + 5)
    try:
        return task(item)
    except CantilenaError as error:
        return Failure(_one_line(error.text), _one_line(error.hint))
    except MemoryError:
        _limit_address_space(None)
        return _OutOfMemory(f"it needs more than {memory // 2**20} MB of memory", "allow it more memory")
    except RecursionError:
        return Failure("it is nested too deeply")
    except Exception as error:
        _limit_address_space(None)
        return Failure(_one_line(f"{type(error).__name__}: {error}"), trace=traceback.format_exc(limit=-20))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _limit_address_space(None)


def _packed(outcome: Any, goes_on: bool) -> bytes:  # noqa: ANN401
    try:
        return pickle.dumps((outcome, goes_on), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps((Failure(_one_line(f"its result cannot be sent: {error}")), goes_on))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def _limit_address_space(memory: int | None) -> None:
    """Allow this process so many bytes more than it has now; None lifts the limit.

    The limit is on the address space (RLIMIT_AS): it holds at once and for C libraries too, where watching the
    resident size from outside would come too late. What the interpreter and its libraries map already is not
    counted, hence the sum. Linux obeys; macOS accepts the limit and does not enforce it.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = resource.RLIM_INFINITY if memory is None else _address_space() + memory
    if hard != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > hard):
        wanted = hard
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _address_space() -> int:
    """Bytes of address space that this process maps; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        return 0
    return pages * resource.getpagesize()


def _forbid_core_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def main() -> None:
    """Serve on the two pipes whose numbers stand first among the arguments."""
    items, results = (int(argument) for argument in sys.argv[1:3])
    # Ctrl-C is the parent's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        serve(Connection(items, writable=False), Connection(results, readable=False))
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(1)
