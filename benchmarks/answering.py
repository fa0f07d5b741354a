"""How long an answer takes: call and response must not miss the beat.

    taskset -c 0,1 python benchmarks/answering.py [MODEL] [BARS]

Calls are the first bars of held-out tunes of the built-in corpus. A beat at 120 quarter notes a minute lasts 0.5 s. The
time on the processor is what the answer takes where nothing else runs.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from cantilena.data import load_builtin
from cantilena.generation import answer, load
from cantilena.music import Melody, Meter

ANSWERS = 200
BEAT = 0.5


def main(name: str = "tunes", bars: str = "4") -> None:
    """Measure and print."""
    composer, length = load(name), int(bars) * Meter().ticks_per_bar
    tunes = [tune for tune in load_builtin("tunes").melodies("test") if tune.meter == Meter() and not tune.pickup]
    calls = [tune.until(length) for tune in tunes if tune.length >= length and tune.until(length).sounding]
    calls = [Melody(call.notes, key=call.key, length=length) for call in calls]
    for call in calls[:3]:
        answer(composer, call)  # compiles
    wall, processor = [], []
    for number in range(ANSWERS):
        started, at = time.perf_counter(), time.process_time()
        answer(composer, calls[number % len(calls)], seed=number)
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - at)
    print(f"{name}: {ANSWERS} answers of {bars} to {bars} bars, {len(os.sched_getaffinity(0))} cores, "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    for kind, seconds in (("wall", wall), ("processor", processor)):
        p50, p99 = np.percentile(seconds, [50, 99])
        print(f"{kind}: p50 {p50:.3f} s, p99 {p99:.3f} s, {p99 / BEAT:.2f} of a beat at 120")


if __name__ == "__main__":
    main(*sys.argv[1:3])
