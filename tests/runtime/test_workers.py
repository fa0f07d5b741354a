"""Tasks that crash, hang, eat memory or raise cost their own item and nothing else."""

from __future__ import annotations

import ctypes
import functools
import math
import operator
import os
import pickle
import re
import signal
import subprocess
import sys
import time
import types

import pytest

from cantilena.errors import RunError, ScoreError, UsageError
from cantilena.music import Key
from cantilena.runtime import Failure, bounded_map


def run(calls, **limits):
    """Outcomes of functions that take nothing, in order."""
    outcomes = dict(bounded_map(operator.call, calls, **{"jobs": 2, **limits}))
    assert sorted(outcomes) == list(range(len(calls)))
    return [outcomes[index] for index in range(len(calls))]


def good(number=4.0):
    return functools.partial(math.sqrt, number)


def test_results_come_with_their_index():
    outcomes = dict(bounded_map(math.sqrt, [float(n * n) for n in range(500)], jobs=2))
    assert outcomes == {n: float(n) for n in range(500)}


def test_no_items_start_no_worker():
    assert list(bounded_map(math.sqrt, [], jobs=2)) == []


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


def test_a_hang_costs_one_item_and_its_time():
    started = time.monotonic()
    outcomes = run([good(), functools.partial(time.sleep, 60), good(9.0), good(16.0)], jobs=1, seconds=0.5)
    assert outcomes == [2.0, Failure("it took longer than 0.5 s", "allow it more time"), 3.0, 4.0]
    assert time.monotonic() - started < 20


def test_a_hang_that_holds_the_interpreter_is_ended():
    backtracking = functools.partial(re.match, "(a+)+$", "a" * 40 + "b")
    assert run([backtracking, good()], jobs=1, seconds=0.5) == [
        Failure("it took longer than 0.5 s", "allow it more time"),
        2.0,
    ]


def test_a_slow_reader_of_the_outcomes_is_no_hang():
    seen = []
    for index, outcome in bounded_map(math.sqrt, [1.0] * 12, jobs=2, seconds=0.2):
        seen.append(outcome)
        if index < 2:
            time.sleep(0.5)
    assert seen == [1.0] * 12


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces limits on the address space")
def test_eaten_memory_costs_one_item():
    big = functools.partial(bytearray, 400 * 2**20)
    outcomes = run([good(), big, good(9.0), big, good(16.0)], jobs=1, memory=200 * 2**20)
    failure = "it needs more than 200 MB of memory"
    assert [getattr(outcome, "reason", outcome) for outcome in outcomes] == [2.0, failure, 3.0, failure, 4.0]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces limits on the address space")
def test_memory_within_the_limit_is_granted_again_and_again():
    outcomes = run([functools.partial(eval, "len(bytearray(60 * 2**20))")] * 6, jobs=1, memory=128 * 2**20)
    assert outcomes == [60 * 2**20] * 6


def test_an_error_of_ours_keeps_its_text_and_hint():
    (failure,) = run([functools.partial(Key.parse, "H")])
    assert failure == Failure("'H' is not the name of a note", "write a letter and an accidental: C, F#, Bb")


def test_another_error_becomes_one_line_and_keeps_its_trace():
    outcome, fine = run([functools.partial(math.sqrt, -1.0), good()])
    assert outcome.reason.startswith("ValueError: ")
    assert "\n" not in outcome.reason
    assert "Traceback" in outcome.trace
    assert fine == 2.0


def test_a_result_that_cannot_be_sent_is_a_failure():
    outcome, fine = run([functools.partial(open, os.devnull), good()])
    assert "cannot be sent" in outcome.reason
    assert fine == 2.0


def test_large_items_and_results_pass():
    texts = ["x" * size for size in (10, 300_000, 5, 2_000_000, 300_000)]
    assert [len(text) for text in run([functools.partial(str.upper, text) for text in texts])] == [
        len(text) for text in texts
    ]


def test_closing_the_iterator_ends_all_workers():
    outcomes = bounded_map(operator.call, [os.getpid, *[functools.partial(time.sleep, 60)] * 6], jobs=2)
    _, process = next(outcomes)
    started = time.monotonic()
    outcomes.close()
    assert time.monotonic() - started < 5
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_workers_know_no_torch_and_print_nothing(capfd):
    outcomes = run([functools.partial(eval, "'torch' in __import__('sys').modules"), functools.partial(print, "noise")])
    assert outcomes == [False, None]
    assert capfd.readouterr().out == ""


def test_a_script_without_a_main_guard_may_ask(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import math\nfrom cantilena.runtime import bounded_map\nprint(list(bounded_map(math.sqrt, [4.0], jobs=1)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[(0, 2.0)]\n", "")


def test_control_c_ends_the_workers(tmp_path):
    script = (
        "import os, time, functools, operator\n"
        "from cantilena.runtime import bounded_map\n"
        "calls = [os.getpid, *[functools.partial(time.sleep, 60)] * 3]\n"
        "for index, outcome in bounded_map(operator.call, calls, jobs=2):\n"
        "    print(outcome, flush=True)\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    worker = int(asking.stdout.readline())
    asking.send_signal(signal.SIGINT)
    _, complaint = asking.communicate(timeout=10)
    assert "KeyboardInterrupt" in complaint
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_workers_end_with_their_parent():
    script = (
        "import os, operator\n"
        "from cantilena.runtime import bounded_map\n"
        "for index, outcome in bounded_map(operator.call, [os.getpid] * 400, jobs=1):\n"
        "    print(outcome, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    asking = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    worker = int(asking.stdout)
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker outlived its parent")


def test_workers_that_cannot_start_say_so(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(RunError, match="cannot start"):
        list(bounded_map(math.sqrt, [1.0], jobs=1))


def test_a_task_that_workers_cannot_import_says_so(monkeypatch):
    here_alone = types.ModuleType("known_to_this_process_alone")
    exec("def task(item): return item", here_alone.__dict__)
    monkeypatch.setitem(sys.modules, here_alone.__name__, here_alone)
    with pytest.raises(RunError, match="cannot start"):
        list(bounded_map(here_alone.task, [1], jobs=1))


def test_limits_that_allow_nothing_are_refused():
    with pytest.raises(UsageError):
        bounded_map(math.sqrt, [1.0], jobs=-1)
    with pytest.raises(UsageError):
        bounded_map(math.sqrt, [1.0], seconds=0)


def test_errors_of_ours_survive_pickling():
    error = pickle.loads(pickle.dumps(ScoreError("bad", "mend it")))
    assert (error.text, error.hint) == ("bad", "mend it")
