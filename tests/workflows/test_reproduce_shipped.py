"""The shipped models of a run compose in a process of their own, with the same result."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cantilena.runtime import Failure, Worker
from cantilena.workflows.reproduce.options import STEPS, ReproduceOptions
from cantilena.workflows.reproduce.shipped import COUNTED, Draw, draw_shipped, shipped_systems

OPTIONS = replace(ReproduceOptions(preset="quick"), counted=2, heard=1)


@pytest.mark.parametrize("works", [True, False], ids=["in a process", "the process failed"])
def test_melodies_are_those_of_the_seed(works: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not works:
        monkeypatch.setattr(Worker, "run", lambda *_: Failure("it was killed"))
    with shipped_systems(OPTIONS) as systems:
        assert list(systems) == ["notes", "notes+rl"]
        drawn = systems["notes"].draw(OPTIONS.counted, STEPS, COUNTED)
    np.testing.assert_array_equal(drawn, draw_shipped(Draw("notes", OPTIONS.seed, 2, STEPS, COUNTED)))


def test_a_run_that_ends_early_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    begin = subprocess.Popen.__init__

    def noted(self: subprocess.Popen[bytes], *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        started.append(self)

    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    with suppress(KeyboardInterrupt), shipped_systems(OPTIONS):
        while not started:
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert started[0].wait(10.0) is not None
