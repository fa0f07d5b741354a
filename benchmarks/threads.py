"""Tuning and composing beside a busy process, through Python and through the command line.

    python benchmarks/threads.py [--busy 1] [--rounds 3]

Threads that spin while they wait for each other stand still if another process has one of their CPUs. The command line
can have them sleep (`OMP_WAIT_POLICY`), which is decided before they start; in Python the package chooses how many
there are. Each figure is the median of rounds in which both take turns, each in a process of its own; at a ratio of 1
Python is as fast as the command line. Composing is the same call twice, once with the settings of the command line,
which also writes files.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

MODEL, UPDATES, MELODIES, BARS = "tunes+rl-tuner", 12, 256, 8

TUNING = {
    "Python": """
import cantilena
tuned = cantilena.tune({model!r}, updates={updates}, look=0, against="chorales")
print(tuned.report["steps_per_second"])
""",
    "command line": """
import contextlib, io, json, sys
from cantilena.cli import main
answer = io.StringIO()
with contextlib.redirect_stdout(answer):
    flags = "--updates {updates} --look 0 --against chorales --json --out".split()
    main(["tune", {model!r}, *flags, sys.argv[1] + "/tuned"])
print(json.loads(answer.getvalue())["steps_per_second"])
""",
}
COMPOSING = """
import os, sys, time
if sys.argv[2] == "command line":
    os.environ.update(OMP_WAIT_POLICY="PASSIVE", OPENBLAS_NUM_THREADS="1")
import cantilena
composer = cantilena.load({model!r})
composer.compose_many({melodies}, bars={bars}, seed=1)
began = time.perf_counter()
composer.compose_many({melodies}, bars={bars}, seed=2)
print({melodies} / (time.perf_counter() - began))
"""


def rate(program: str, way: str) -> float:
    """What a program prints, in a process of its own without settings of threads."""
    ours = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    source = program.format(model=MODEL, updates=UPDATES, melodies=MELODIES, bars=BARS)
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [sys.executable, "-c", source, folder, way], env=environment, cwd=Path(__file__).parents[1],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    return float(run.stdout.split()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int, default=1, help="busy processes")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
    try:
        for what, unit, programs in (
            ("tuning", "steps", TUNING),
            ("composing", "melodies", dict.fromkeys(TUNING, COMPOSING)),
        ):
            rates: dict[str, list[float]] = {way: [] for way in programs}
            for _ in range(options.rounds):
                for way, program in programs.items():
                    rates[way].append(rate(program, way))
            medians = {way: statistics.median(values) for way, values in rates.items()}
            ratio = round(medians["Python"] / medians["command line"], 2)
            row = {way: round(value, 1) for way, value in medians.items()}
            print(json.dumps({"what": what, "unit": f"{unit} a second", **row, "ratio": ratio}), flush=True)
    finally:
        for process in busy:
            process.kill()


if __name__ == "__main__":
    main()
