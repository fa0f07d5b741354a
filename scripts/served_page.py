"""Serve a page of Cantilena while a screenshot of it is taken."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def served(*words: str) -> Iterator[str]:
    """Run `cantilena WORDS --port 0` for the duration of the block, and return its URL."""
    command = [sys.executable, "-m", "cantilena", *words, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            yield next(found[0] for line in server.stderr if (found := re.search(r"http://\S+", line)))
        finally:
            server.terminate()
