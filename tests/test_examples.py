"""The worked examples run as they are printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_a_torch_module_of_ones_own_is_tuned(tmp_path: Path) -> None:
    words = [sys.executable, str(EXAMPLES / "own_model.py"), "--batches", "2", "--updates", "2", "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "nats a step" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"before.mid", "after.mid"}
