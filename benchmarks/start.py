"""How long `cantilena --help` takes, which imports nothing heavy.

python benchmarks/start.py
"""

from __future__ import annotations

import subprocess
import sys
import time

RUNS = 5


def main() -> None:
    """Print the best of several runs."""
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "cantilena", "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    print(f"cantilena --help: {min(seconds):.2f} s, best of {RUNS}")


if __name__ == "__main__":
    main()
