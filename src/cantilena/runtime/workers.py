"""Worker processes with limits of time and memory, for untrusted files and for long tasks.

`bounded_map` runs a task on many items in several processes; a `Worker` runs it on one item at a time, and can stream
messages while it runs. An item may crash, hang or exhaust memory: that costs this item alone, and the next one gets a
new process (pools of the standard library break as a whole). Workers are fresh interpreters, not forks: they inherit
no torch, no threads and no locks, and the calling script need not be importable. `worker_process.py` is their side.
`python_command` starts such an interpreter for other modules too, and `describe_exit` says how one ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing.connection import Pipe, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, Self, TypeVar

from cantilena.errors import RunError, UsageError
from cantilena.runtime.worker_process import LAST, MESSAGE, READY, Failure

Item = TypeVar("Item")
Result = TypeVar("Result")
Send = Callable[[Any], None]
"""Sends a message from a task to the parent."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment variables that keep a process on one thread, for processes that run in parallel."""

_AHEAD = 8
"""Items that wait in a worker's pipe, so that short tasks do not wait for the parent."""

_SMALL = 1024
"""Bytes of an item that may wait in a pipe: `_AHEAD` of them fit in any system's pipe, so that no write blocks."""

_LARGE = 2**20
"""Bytes of an item after which no more are drawn until it has been sent."""

_START_SECONDS = 120.0
"""How long a worker may take to start on a busy machine."""

_EXIT_SECONDS = 5.0
"""How long a process may take to exit before it counts as not responding."""

_POLL_SECONDS = 0.1
"""How often a `Worker` checks whether its result is still wanted."""

_CANCELLED = Failure("it was cancelled")


def bounded_map(
    task: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int = 0,
    seconds: float = 10.0,
    memory: int = 2**30,
) -> Iterator[tuple[int, Result | Failure]]:
    """Run a task on each item in worker processes, and yield outcomes as they come, with the index of the item.

    A worker that crashes, is killed, exceeds a limit or raises costs only its own item, which becomes a `Failure`.
    When the iterator is closed or interrupted, all workers are killed.

    Args:
        task: a function that can be pickled by name: a top-level function of an importable module.
        items: what to run it on; each is pickled. They are drawn as workers need them, a few ahead, so that an iterator
            may make many large ones.
        jobs: number of worker processes; 0 takes one a processor.
        seconds: time limit of one item.
        memory: bytes that one item may map above what the process has when the item begins (enforced on Linux).

    Raises:
        UsageError: a limit is out of range.
        RunError: workers cannot start at all.

    Examples:
        >>> import math
        >>> sorted(bounded_map(math.sqrt, [4.0, 9.0, -1.0], jobs=1))[:2]
        [(0, 2.0), (1, 3.0)]
    """
    if jobs < 0 or not seconds > 0 or memory < 2**20:
        raise UsageError(
            f"cannot run {jobs} jobs with {seconds:g} s and {memory} bytes each",
            "jobs must be at least 0, seconds above 0, memory at least 1048576 bytes",
        )
    pickled = ((index, ForkingPickler.dumps(item)) for index, item in enumerate(items))
    # Pickled here, so that a lambda is an error at the caller and not in each worker.
    order = ForkingPickler.dumps((task, False, seconds, memory))
    return _outcomes(order, pickled, jobs or cpu_count(), seconds)


def cpu_count() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Worker(Generic[Item, Result]):
    """A process that stays alive and runs a task on one item at a time; threads that share it take turns.

    Args:
        task: a top-level function of an importable module, called with an item; if it streams, also with a function
            that sends a message to the parent: `task(item, send)`.
        streams: whether the task sends messages.
        seconds: time limit of one item; None for no limit.
        memory: bytes that one item may map above what the process has when the item begins (enforced on Linux); None
            for no limit.
        environment: environment variables to set in the process; by default those that keep it on one thread.

    Examples:
        >>> import math
        >>> with Worker(math.sqrt) as worker:
        ...     worker.run(4.0), worker.run(-1.0).reason
        (2.0, 'ValueError: math domain error')
    """

    def __init__(
        self,
        task: Callable[[Item], Result] | Callable[[Item, Send], Result],
        *,
        streams: bool = False,
        seconds: float | None = 10.0,
        memory: int | None = 2**30,
        environment: Mapping[str, str] = ONE_THREAD,
    ) -> None:
        self._order = ForkingPickler.dumps((task, streams, seconds, memory))
        self._seconds, self._environment = seconds, environment
        self._process: _Process | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to start the process, so that the first item need not wait for all of that.

        Raises:
            RunError: it cannot start at all.
        """
        with self._lock:
            if not self._is_closed:
                self._started()

    def run(self, item: Item, wanted: Callable[[], bool] = lambda: True) -> Result | Failure:
        """Run the task on an item and wait for the result.

        Args:
            item: what to run it on.
            wanted: polled while waiting; the process is killed as soon as it returns False.

        Returns:
            The result; a `Failure` where the task crashed, exceeded a limit, raised, or is no longer wanted.

        Raises:
            RunError: the process cannot start at all.
        """
        *_, outcome = self.stream(item, wanted)
        return outcome  # type: ignore[no-any-return]

    def stream(self, item: Item, wanted: Callable[[], bool] = lambda: True) -> Iterator[Any]:
        """Run the task on an item; yield each message that it sends, and last what `run` returns.

        The process is killed when the iterator is closed before its end.
        """
        pickled = ForkingPickler.dumps(item)
        with self._lock:
            process = None
            try:
                while wanted() and not self._is_closed:
                    if process is None or process.is_dead:  # not yet given, or the process died before it began
                        process = self._started()
                        waiting = deque([(0, pickled)])
                    process.fill(waiting, 1)
                    process.wait(_POLL_SECONDS)
                    for _, value, is_outcome in process.received():
                        if is_outcome:
                            process = None
                        yield value
                        if is_outcome:
                            return
                yield _CANCELLED
            finally:
                if process is not None:
                    process.kill()

    def close(self) -> None:
        """Kill the process; an item that it works on fails, and so does every later one."""
        self._is_closed = True
        process = self._process
        if process is None:
            return
        process.process.kill()
        if self._lock.acquire(timeout=5 * _POLL_SECONDS):  # a thread that waits for it has noticed by then
            process.kill()
            self._process = None
            self._lock.release()

    def _started(self) -> _Process:
        if self._process is not None and not self._process.is_dead and self._process.process.poll() is not None:
            self._process.kill()  # it died between two items
        if self._process is None or self._process.is_dead:
            self._process = _Process(self._order, self._seconds, self._environment)
        return self._process


def _outcomes(
    order: memoryview, pickled: Iterator[tuple[int, Any]], jobs: int, seconds: float
) -> Iterator[tuple[int, Any]]:
    processes: list[_Process] = []
    waiting: deque[tuple[int, Any]] = deque()
    try:
        while True:
            while len(waiting) < 4 * _AHEAD * jobs and not (waiting and len(waiting[-1][1]) > _LARGE):
                drawn = next(pickled, None)
                if drawn is None:
                    break
                waiting.append(drawn)
            unfinished = len(waiting) + sum(len(process.pending) for process in processes)
            if not unfinished:
                return
            while waiting and len(processes) < min(jobs, unfinished):
                processes.append(_Process(order, seconds, ONE_THREAD))
            depth = min(_AHEAD, 1 + len(waiting) // (4 * jobs))
            for process in processes:
                process.fill(waiting, depth)
            patience = min(process.deadline for process in processes) - time.monotonic()
            wait([process.results for process in processes], timeout=min(max(patience, 0.0), 3600.0))
            for process in [*processes]:
                for index, outcome, _ in process.received():
                    yield index, outcome
                if process.is_dead:
                    processes.remove(process)
                    waiting.extendleft(reversed(process.pending))
    finally:
        for process in processes:
            process.kill()


class _Process:
    """A worker process as its parent sees it.

    Args:
        order: the task and its limits, pickled.
        seconds: time limit of one item; None for no limit.
        environment: environment variables to set.
    """

    def __init__(self, order: memoryview, seconds: float | None, environment: Mapping[str, str]) -> None:
        self.seconds = float("inf") if seconds is None else seconds
        self.pending: deque[tuple[int, Any]] = deque()
        """Items given to it, with their indices; it works on the first."""
        self.is_ready = self.is_dead = False
        self.deadline = time.monotonic() + _START_SECONDS
        child_items, self.items = Pipe(duplex=False)
        self.results, child_results = Pipe(duplex=False)
        pipes = (child_items.fileno(), child_results.fileno())
        try:
            self.process = subprocess.Popen(  # noqa: S603  (our own interpreter, no shell)
                python_command("cantilena.runtime.worker_process", *map(str, pipes)),
                pass_fds=pipes,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # libraries print; the command's own output must stay clean
                stderr=subprocess.DEVNULL,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        except OSError as error:
            raise _cannot_start(error.strerror or str(error)) from error
        finally:
            child_items.close()
            child_results.close()
        try:
            self.items.send_bytes(order)
        except OSError:
            self.kill()
            raise _cannot_start("it ended at once") from None

    def fill(self, waiting: deque[tuple[int, Any]], depth: int) -> None:
        """Send items until `depth` of them are pending; a large one only to a worker that waits for it."""
        while self.is_ready and waiting and len(self.pending) < depth:
            index, pickled = waiting[0]
            if self.pending and len(pickled) > _SMALL:
                return
            if not self.pending:
                self.deadline = time.monotonic() + self.seconds
            self.pending.append((index, pickled))
            waiting.popleft()
            try:
                self.items.send_bytes(pickled)
            except OSError:
                return  # it died; `received` finds that out and reports why

    def wait(self, most: float) -> None:
        """Wait for a message, the deadline or so many seconds."""
        wait([self.results], timeout=min(max(self.deadline - time.monotonic(), 0.0), most))

    def received(self) -> Iterator[tuple[int, Any, bool]]:
        """Yield what has arrived: the index of the item, a value, and whether it is the outcome or a message."""
        try:
            while self.results.poll():
                answer = self.results.recv()
                if not self.is_ready:
                    if answer != READY:
                        raise _cannot_start(answer)
                    self.is_ready, self.deadline = True, float("inf")
                    continue
                (kind, value), (index, _) = answer, self.pending[0]
                if kind == MESSAGE:
                    yield index, value, False
                    continue
                self.pending.popleft()
                self.deadline = time.monotonic() + self.seconds if self.pending else float("inf")
                if kind == LAST:
                    self.kill()
                yield index, value, True
                if kind == LAST:
                    return
        except (EOFError, OSError):
            yield from self._failed(f"its worker process {describe_exit(self.process, by_signal='crashed')}")
            return
        if time.monotonic() > self.deadline:
            yield from self._failed(f"it took longer than {self.seconds:g} s", "allow it more time")

    def kill(self) -> None:
        """End the process now."""
        self.is_dead = True
        self.process.kill()
        self.process.wait()
        self.items.close()
        self.results.close()

    def _failed(self, reason: str, hint: str = "") -> Iterator[tuple[int, Any, bool]]:
        self.kill()
        if not self.is_ready:
            raise _cannot_start(reason)
        if self.pending:
            index, _ = self.pending.popleft()
            yield index, Failure(reason, hint), True


def _cannot_start(why: str) -> RunError:
    return RunError(
        f"worker processes cannot start: {why}",
        "check that `python -c 'import cantilena.runtime'` works here, and the memory that is free",
    )


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
