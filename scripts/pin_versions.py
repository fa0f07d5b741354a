"""Update `constraints.txt` to the newest versions that install together on this Python.

    python scripts/pin_versions.py

Torch stays at the installed version: `pip install` finds small builds of some versions only. Run it with the oldest
supported Python, whose versions the newer ones can install too, and check `git diff` before use.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
FILE = CHECKOUT / "constraints.txt"
GPU = re.compile(r"nvidia-|cuda-|triton")
HEAD = """\
# The versions that Cantilena is tested with: the commands of the README install exactly these, on every Python from
# 3.11 to 3.14. `make pins` writes this file anew. On Linux some builds of torch bring the CUDA libraries at the end.
"""


def main() -> None:
    """Pin what pip would install; libraries for NVIDIA GPUs, which only some builds require, keep their versions."""
    torch = metadata.version("torch").partition("+")[0]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), f"torch=={torch}", ".[dev,docs,hub]"]
        subprocess.run(command, cwd=CHECKOUT, check=True)
        wanted = [entry["metadata"] for entry in json.loads(report.read_text(encoding="utf-8"))["install"]]
    pins = {normal(one["name"]): one["version"].partition("+")[0] for one in wanted}
    del pins["cantilena"]
    earlier = dict(line.split("==") for line in FILE.read_text(encoding="utf-8").splitlines() if "==" in line)
    pins = {name: version for name, version in earlier.items() if GPU.match(name)} | pins
    lines = [f"{name}=={pins[name]}" for name in sorted(pins) if not GPU.match(name)]
    gpu = [f"{name}=={pins[name]}" for name in sorted(pins) if GPU.match(name)]
    FILE.write_text(HEAD + "\n".join([*lines, "# With torch for NVIDIA cards", *gpu]) + "\n", encoding="utf-8")


def normal(name: str) -> str:
    """Return the normalized name of a distribution."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
