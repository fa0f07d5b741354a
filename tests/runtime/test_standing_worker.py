"""A worker that stays: the same process for one item after another, until one costs it."""

from __future__ import annotations

import operator
import os
import signal
import threading
import time
from functools import partial
from typing import Any

import pytest

from cantilena.runtime import Failure, Worker

Asked = Worker[Any, Any]


@pytest.fixture
def worker() -> Any:
    worker: Asked = Worker(operator.call, seconds=1.0, memory=2**28)
    yield worker
    worker.close()


def test_one_process_answers_one_item_after_another(worker: Asked) -> None:
    worker.start()
    assert len({worker.run(os.getpid) for _ in range(5)}) == 1
    assert worker.run(partial(len, b"x" * 10**7)) == 10**7
    assert len(worker.run(partial(bytes, 10**7))) == 10**7


@pytest.mark.parametrize(
    ("costly", "word"),
    [
        (os.abort, "crashed (SIGABRT)"),
        (partial(os._exit, 3), "exit status 3"),
        (partial(time.sleep, 60), "longer than 1 s"),
        (partial(bytearray, 2**29), "MB of memory"),
    ],
)
def test_what_costs_the_process_is_a_failure_and_the_next_one_is_answered(
    worker: Asked, costly: Any, word: str
) -> None:
    first = worker.run(os.getpid)
    outcome = worker.run(costly)
    assert isinstance(outcome, Failure)
    assert word in outcome.reason
    assert worker.run(os.getpid) not in (first, os.getpid())


def test_a_process_that_died_while_nobody_asked_is_replaced(worker: Asked) -> None:
    first = worker.run(os.getpid)
    os.kill(first, signal.SIGKILL)
    time.sleep(0.2)
    assert worker.run(partial(len, "four")) == 4


def test_what_is_no_longer_wanted_is_ended(worker: Asked) -> None:
    worker.run(os.getpid)
    began = time.monotonic()
    outcome = worker.run(partial(time.sleep, 60), lambda: time.monotonic() - began < 0.2)
    assert isinstance(outcome, Failure)
    assert time.monotonic() - began < 0.9
    assert worker.run(partial(len, "four")) == 4


def test_threads_wait_for_each_other(worker: Asked) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(worker.run(partial(len, b"x" * n)))) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) == list(range(20))


def test_closing_ends_the_process_and_whoever_waits_for_it(worker: Asked) -> None:
    process = worker.run(os.getpid)
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(worker.run(partial(time.sleep, 60))))
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    worker.close()
    thread.join(5)
    assert time.monotonic() - began < 0.9
    assert isinstance(outcomes[0], Failure)
    assert isinstance(worker.run(os.getpid), Failure)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
