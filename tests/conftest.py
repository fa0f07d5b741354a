"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# One thread a test process: pytest-xdist runs as many processes as there are cores, and threads that wait for each
# other's cores are slower than none. It must be said before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data beside the checkout; its tests are skipped where it is missing."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no folder ../shared with development data beside this checkout")
    return folder
