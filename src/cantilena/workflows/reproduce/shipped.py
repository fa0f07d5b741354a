"""The shipped models of notes, which compose in a process of their own while the models of the run are trained."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.models import Bundle, find_bundle
from cantilena.runtime import Failure, Worker
from cantilena.workflows.evaluate.report import listening_steps
from cantilena.workflows.evaluate.systems import System, composed_system
from cantilena.workflows.reproduce.options import STEPS, ReproduceOptions

SHIPPED = {"notes": "tunes", "notes+rl": "tunes+rl"}
"""Shipped models that are measured beside those of the run, by the names of their systems."""

COUNTED, HEARD = "count", "listen"
"""What melodies are drawn for: the names of their random streams."""


@dataclass(frozen=True)
class Draw:
    """Melodies of a system that are wanted; the arguments are those of `System.draw`."""

    system: str
    seed: int
    melodies: int
    steps: int
    purpose: str


def draw_shipped(draw: Draw) -> NDArray[np.int64]:
    """Compose with a shipped model: the tokens of the melodies."""
    return _system(draw.system, draw.seed).draw(draw.melodies, draw.steps, draw.purpose)


@contextmanager
def shipped_systems(options: ReproduceOptions) -> Iterator[dict[str, System]]:
    """The shipped models, as `compose` uses them; they have learned from the same parts of the corpus.

    They compose what the run will need from now on, and `draw` waits for it.
    """
    systems = {name: _system(name, options.seed) for name in SHIPPED}
    wanted = [Draw(name, options.seed, options.counted, STEPS, COUNTED) for name in SHIPPED]
    wanted += [
        Draw(name, options.seed, options.heard, listening_steps(system.encoding), HEARD)
        for name, system in systems.items()
    ]
    with ThreadPoolExecutor(1) as pool, Worker(draw_shipped, seconds=None, memory=None) as worker:
        jobs = {draw: pool.submit(worker.run, draw) for draw in wanted}

        def drawn(name: str, melodies: int, steps: int, purpose: str) -> NDArray[np.int64]:
            draw = Draw(name, options.seed, melodies, steps, purpose)
            outcome = jobs[draw].result() if draw in jobs else Failure("it was not begun")
            return draw_shipped(draw) if isinstance(outcome, Failure) else outcome

        try:
            yield {
                name: replace(system, draw=lambda *wanted, name=name: drawn(name, *wanted))
                for name, system in systems.items()
            }
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _system(name: str, seed: int) -> System:
    bundle = SHIPPED[name]
    words = f"`{bundle}`, which composes by the note: it ships with Cantilena and was not trained in this run"
    return composed_system(name, words, Bundle.load(find_bundle(bundle)), seed)
