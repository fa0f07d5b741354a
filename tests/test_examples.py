"""The worked examples run as they are printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cantilena.tokenizers import GridEncoding

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_a_torch_module_of_ones_own_is_tuned(tmp_path: Path) -> None:
    few = ["--batches", "2", "--updates", "2", "--melodies", "16"]
    words = [sys.executable, str(EXAMPLES / "own_model.py"), *few, "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "nats a step" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"before.mid", "after.mid"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("exported") / "tunes.onnx"
    words = [sys.executable, "-m", "cantilena", "export", "tunes+rl", "--out", str(model)]
    subprocess.run(words, capture_output=True, timeout=300, check=True)
    return model


def test_an_exported_model_composes_without_cantilena(exported: Path) -> None:
    words = [sys.executable, str(EXAMPLES / "onnx_step.py"), str(exported)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    tokens = done.stdout.split()
    assert len(tokens) == 64
    assert set(tokens) <= set(GridEncoding().vocabulary)
    text = (EXAMPLES / "onnx_step.py").read_text(encoding="utf-8")
    assert re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE) == ["json", "sys", "numpy", "onnxruntime"]


def test_the_few_lines_in_the_document_compose_the_same(exported: Path) -> None:
    document = (EXAMPLES.parent / "docs" / "models.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    (lines,) = [block for block in blocks if "onnxruntime" in block]
    calls = [[sys.executable, "-c", lines], [sys.executable, str(EXAMPLES / "onnx_step.py"), exported.name]]
    said = [subprocess.run(call, cwd=exported.parent, capture_output=True, check=True).stdout for call in calls]
    assert said[0] == said[1] != b""
