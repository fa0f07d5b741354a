"""Items that crash, hang, exhaust memory or raise fail alone; a `Worker` lives on and streams messages."""

from __future__ import annotations

import ctypes
import functools
import importlib
import math
import operator
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import types

import pytest

from cantilena.errors import RunError, ScoreError, UsageError
from cantilena.music import Key
from cantilena.runtime import Failure, Worker, bounded_map

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces limits on the address space")
sleep = functools.partial(time.sleep, 60)
LATE = Failure("it took longer than 0.3 s", "allow it more time")


def good(number=4.0):
    return functools.partial(math.sqrt, number)


def run(calls, **limits):
    """Outcomes of functions without arguments, in order."""
    outcomes = dict(bounded_map(operator.call, calls, **{"jobs": 2, **limits}))
    assert sorted(outcomes) == list(range(len(calls)))
    return [outcomes[index] for index in range(len(calls))]


def test_results_come_with_their_index():
    outcomes = dict(bounded_map(math.sqrt, [float(n * n) for n in range(500)], jobs=2))
    assert outcomes == {n: float(n) for n in range(500)}
    assert list(bounded_map(math.sqrt, [], jobs=2)) == []


def test_items_are_drawn_as_they_are_needed():
    drawn = []

    def items():
        for number in range(1000):
            drawn.append(number)
            yield float(number)

    outcomes = bounded_map(math.sqrt, items(), jobs=1)
    assert not drawn
    assert next(outcomes) == (0, 0.0)
    assert len(drawn) < 60
    outcomes.close()

    large = bounded_map(len, (drawn.append(-1) or bytes(2**21) for _ in range(9)), jobs=1)
    assert next(large) == (0, 2**21)
    assert drawn.count(-1) < 4
    assert len(list(large)) == 8


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_crash_costs_one_item(jobs):
    deaths = [
        functools.partial(os._exit, 3),
        functools.partial(signal.raise_signal, signal.SIGKILL),
        functools.partial(ctypes.string_at, 0),
        os.abort,
        functools.partial(sys.exit, 0),
    ]
    calls = [good() for _ in range(40)]
    for place, death in zip((0, 1, 17, 18, 39), deaths, strict=True):
        calls[place] = death
    outcomes = run(calls, jobs=jobs)
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Failure)]
    assert reasons == [
        "its worker process ended (exit status 3)",
        "its worker process crashed (SIGKILL)",
        "its worker process crashed (SIGSEGV)",
        "its worker process crashed (SIGABRT)",
        "its worker process ended (exit status 0)",
    ]
    assert outcomes.count(2.0) == 35


def test_a_hang_costs_one_item_even_if_it_holds_the_interpreter_lock():
    backtracking = functools.partial(re.match, "(a+)+$", "a" * 40 + "b")
    outcomes = run([good(), sleep, good(9.0), backtracking, good(16.0)], jobs=1, seconds=0.3)
    assert outcomes == [2.0, LATE, 3.0, LATE, 4.0]


def test_a_slow_reader_of_the_outcomes_is_no_hang():
    seen = []
    for index, outcome in bounded_map(math.sqrt, [1.0] * 12, jobs=2, seconds=0.2):
        seen.append(outcome)
        if index == 0:
            time.sleep(0.4)
    assert seen == [1.0] * 12


@linux
def test_a_memory_error_costs_one_item_and_memory_within_the_limit_is_granted_again():
    big, small = functools.partial(bytearray, 200 * 2**20), functools.partial(eval, "len(bytearray(60 * 2**20))")
    outcomes = run([good(), big, small, small, small, big, good(16.0)], jobs=1, memory=128 * 2**20)
    failure = "it needs more than 128 MB of memory"
    size = 60 * 2**20
    assert [getattr(outcome, "reason", outcome) for outcome in outcomes] == [
        2.0, failure, size, size, size, failure, 4.0,
    ]  # fmt: skip


def test_errors_become_failures():
    ours, other, unsendable, fine = run(
        [
            functools.partial(Key.parse, "H"),
            functools.partial(math.sqrt, -1.0),
            functools.partial(open, os.devnull),
            good(),
        ]
    )
    assert ours == Failure("'H' is not the name of a note", "write a letter and an accidental: C, F#, Bb")
    assert other.reason.startswith("ValueError: ")
    assert "\n" not in other.reason
    assert "Traceback" in other.trace
    assert "cannot be sent" in unsendable.reason
    assert fine == 2.0
    error = pickle.loads(pickle.dumps(ScoreError("bad", "mend it")))
    assert (error.text, error.hint) == ("bad", "mend it")


def test_large_items_and_results_pass():
    texts = ["x" * size for size in (10, 300_000, 5, 2_000_000, 300_000)]
    assert [len(text) for text in run([functools.partial(str.upper, text) for text in texts])] == [
        len(text) for text in texts
    ]


def test_closing_the_iterator_kills_all_workers():
    outcomes = bounded_map(operator.call, [os.getpid, *[sleep] * 6], jobs=2)
    _, process = next(outcomes)
    outcomes.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_workers_import_no_torch_and_print_nothing(capfd):
    outcomes = run([functools.partial(eval, "'torch' in __import__('sys').modules"), functools.partial(print, "noise")])
    assert outcomes == [False, None]
    assert capfd.readouterr().out == ""


def test_a_script_without_a_main_guard_may_call(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import math\nfrom cantilena.runtime import bounded_map\nprint(list(bounded_map(math.sqrt, [4.0], jobs=1)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[(0, 2.0)]\n", "")


@pytest.mark.e2e
def test_control_c_ends_the_workers():
    script = (
        "import os, time, functools, operator\n"
        "from cantilena.runtime import bounded_map\n"
        "calls = [os.getpid, *[functools.partial(time.sleep, 60)] * 3]\n"
        "for index, outcome in bounded_map(operator.call, calls, jobs=2):\n"
        "    print(outcome, flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.send_signal(signal.SIGINT)
    _, complaint = parent.communicate(timeout=10)
    assert "KeyboardInterrupt" in complaint
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.e2e
@pytest.mark.parametrize("second", ["os.getpid", "functools.partial(time.sleep, 60)"], ids=["idle", "busy"])
def test_workers_end_with_their_parent(second):
    script = (
        "import functools, os, operator, time\n"
        "from cantilena.runtime import bounded_map\n"
        f"for index, outcome in bounded_map(operator.call, [os.getpid, {second}], jobs=1, seconds=600):\n"
        "    print(outcome, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    worker = int(parent.stdout)
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker outlived its parent")


def test_workers_that_cannot_start_are_an_error(monkeypatch):
    here_alone = types.ModuleType("known_to_this_process_alone")
    exec("def task(item): return item", here_alone.__dict__)
    monkeypatch.setitem(sys.modules, here_alone.__name__, here_alone)
    with pytest.raises(RunError, match="cannot start"):
        list(bounded_map(here_alone.task, [1], jobs=1))
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(RunError, match="cannot start"):
        list(bounded_map(math.sqrt, [1.0], jobs=1))


@pytest.mark.parametrize("limits", [{"jobs": -1}, {"seconds": 0}, {"memory": 1000}])
def test_limits_out_of_range_are_refused(limits):
    with pytest.raises(UsageError):
        bounded_map(math.sqrt, [1.0], **limits)


@pytest.fixture(scope="module")
def worker():
    with Worker(operator.call, seconds=0.3, memory=2**28) as worker:
        yield worker


def test_one_process_runs_one_item_after_another(worker):
    worker.start()
    assert len({worker.run(os.getpid) for _ in range(5)}) == 1
    assert worker.run(functools.partial(len, b"x" * 10**7)) == 10**7
    assert len(worker.run(functools.partial(bytes, 10**7))) == 10**7


@pytest.mark.parametrize(
    ("costly", "word"),
    [
        (os.abort, "crashed (SIGABRT)"),
        (functools.partial(os._exit, 3), "exit status 3"),
        (sleep, "longer than 0.3 s"),
        pytest.param(functools.partial(bytearray, 2**29), "MB of memory", marks=linux),
    ],
)
def test_a_failure_of_a_worker_replaces_its_process(worker, costly, word):
    first = worker.run(os.getpid)
    outcome = worker.run(costly)
    assert isinstance(outcome, Failure)
    assert word in outcome.reason
    assert worker.run(os.getpid) not in (first, os.getpid())


def test_a_process_that_died_between_two_items_is_replaced(worker):
    os.kill(worker.run(os.getpid), signal.SIGKILL)
    time.sleep(0.1)
    assert worker.run(functools.partial(len, "four")) == 4


def test_an_item_that_is_no_longer_wanted_is_cancelled():
    with Worker(operator.call) as worker:
        worker.start()
        began = time.monotonic()
        outcome = worker.run(sleep, lambda: time.monotonic() - began < 0.2)
        assert outcome == Failure("it was cancelled")
        assert worker.run(functools.partial(len, "four")) == 4


def test_threads_take_turns(worker):
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(worker.run(functools.partial(len, b"x" * n))))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) == list(range(20))


def test_closing_a_worker_kills_its_process_and_fails_its_item():
    worker = Worker(operator.call)
    process = worker.run(os.getpid)
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(worker.run(sleep)))
    thread.start()
    time.sleep(0.1)
    worker.close()
    thread.join(5)
    assert isinstance(outcomes[0], Failure)
    assert isinstance(worker.run(os.getpid), Failure)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_messages_are_streamed_before_the_result(tmp_path, monkeypatch):
    (tmp_path / "streaming_task.py").write_text(
        "import os, time\ndef task(text, send):\n    return eval(text, {'send': send, 'os': os, 'time': time})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    task = importlib.import_module("streaming_task").task
    with Worker(task, streams=True, seconds=None, memory=None, environment={"TOLD": "yes"}) as worker:
        assert list(worker.stream("[send(n) for n in range(3)], os.environ['TOLD']")) == [0, 1, 2, ([None] * 3, "yes")]
        assert worker.run("send('ignored')") is None
        process, failure = worker.stream("[send(os.getpid()), 1 / 0]")
        assert failure.reason == "ZeroDivisionError: division by zero"
        messages = worker.stream("[send(os.getpid()), time.sleep(60)]")
        assert next(messages) == process
        messages.close()
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
        process, failure = worker.stream("[send(os.getpid()), os._exit(3)]")
        assert failure.reason == "its worker process ended (exit status 3)"
