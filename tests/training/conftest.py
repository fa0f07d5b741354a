"""How the tests of several processes start them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def surroundings() -> dict[str, str]:
    """The environment of a process that belongs to no group, on one thread."""
    unset = {"WORLD_SIZE", "RANK"}
    return {**{name: value for name, value in os.environ.items() if name not in unset}, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def torchrun(surroundings: dict[str, str]) -> Started:
    """Starts a program in two processes with torchrun: `torchrun(folder, program, *words, VARIABLE=value)`."""

    def started(folder: Path, program: str, *words: str, **variables: str) -> subprocess.Popen[str]:
        script = folder / "program.py"
        script.write_text(program)
        two = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        return subprocess.Popen(
            [sys.executable, *two, str(script), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**surroundings, **variables},
        )

    return started
