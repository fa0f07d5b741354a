"""Tuning and composing beside a busy process, in Python and with the settings of the command line.

    python benchmarks/threads.py [--busy 1] [--rounds 3]

Threads that spin while they wait for each other stand still if another process has one of their CPUs. The command line
has them sleep (`OMP_WAIT_POLICY`), which is decided before they start; in Python the package chooses how many there
are. Both make the same call, in turns and each in a process of its own; figures are medians, and at a ratio of 1 Python
is as fast as the command line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

MODEL, UPDATES, MELODIES, BARS = "tunes+rl-tuner", 30, 64, 8
WAYS = ("Python", "command line")

BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
AS_COMMAND_LINE = """
from cantilena.cli import main
main(["--version"])
"""
TUNING = """
from cantilena.models import Bundle, find_bundle
from cantilena.rl import TuningOptions, WatchOptions, tune
options = TuningOptions(updates={updates}, watch=WatchOptions(look=0))
print(tune(Bundle.load(find_bundle({model!r})), options).steps_per_second)
"""
COMPOSING = """
import time, cantilena
composer = cantilena.load({model!r})
composer.compose_many({melodies}, bars={bars}, seed=1)
began = time.perf_counter()
composer.compose_many({melodies}, bars={bars}, seed=2)
print({melodies} / (time.perf_counter() - began))
"""


def rate(program: str, way: str) -> float:
    """What a program prints last, in a process of its own without settings of threads."""
    ours = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    source = program.format(model=MODEL, updates=UPDATES, melodies=MELODIES, bars=BARS)
    source = AS_COMMAND_LINE + source if way == "command line" else source
    run = subprocess.run(
        [sys.executable, "-c", source], env=environment, cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return float(run.stdout.split()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int, default=1, help="busy processes")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(options.busy)]
    try:
        for what, unit, program in (("tuning", "steps", TUNING), ("composing", "melodies", COMPOSING)):
            rates = [[rate(program, way) for way in WAYS] for _ in range(options.rounds)]
            python, command_line = (statistics.median(column) for column in zip(*rates, strict=True))
            ratio = round(python / command_line, 2)
            figures = {"Python": round(python, 1), "command line": round(command_line, 1), "ratio": ratio}
            print(json.dumps({"what": what, "unit": f"{unit} a second", **figures}), flush=True)
    finally:
        for process in busy:
            process.kill()


if __name__ == "__main__":
    main()
