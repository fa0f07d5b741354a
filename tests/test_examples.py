"""The examples run as printed."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cantilena
from cantilena.cli import main
from cantilena.data import load_builtin
from cantilena.tokenizers import GridEncoding

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_needs_the_root_and_at_most_one_package(example: Path) -> None:
    packages = re.findall(r"^(?:import|from) (cantilena\.\S+)", example.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(packages) <= 1


@pytest.mark.e2e
def test_a_user_module_is_tuned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--batches", "2", "--updates", "2", "--melodies", "16"]
    monkeypatch.setattr(sys, "argv", ["own_model.py", *sizes, "--out", str(tmp_path)])
    monkeypatch.setattr(cantilena, "open_corpus", lambda _: load_builtin("chorales"))  # the smallest
    monkeypatch.setattr(cantilena, "tune_module", partial(cantilena.tune_module, look=0))
    runpy.run_path(str(EXAMPLES / "own_model.py"), run_name="__main__")
    assert "nats a step" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"before.mid", "after.mid"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("exported") / "tunes.onnx"
    assert main(["export", "tunes+rl-tuner", "--out", str(model)]) == 0
    return model


def test_an_exported_model_composes_without_cantilena(exported: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "onnx_step.py"), str(exported)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    tokens = done.stdout.split()
    assert len(tokens) == 64
    assert set(tokens) <= set(GridEncoding().vocabulary)
    text = (EXAMPLES / "onnx_step.py").read_text(encoding="utf-8")
    assert re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE) == ["json", "sys", "numpy", "onnxruntime"]


def test_the_lines_in_the_documentation_compose_the_same(
    exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = (EXAMPLES.parent / "docs" / "models.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    (lines,) = [block for block in blocks if "onnxruntime" in block]
    assert f"cantilena export tunes+rl-tuner --out {exported.name}\n" in document  # what the lines read
    monkeypatch.chdir(exported.parent)
    exec(lines, {"__name__": "page"})
    documented = capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["onnx_step.py", exported.name])
    runpy.run_path(str(EXAMPLES / "onnx_step.py"), run_name="__main__")
    assert documented == capsys.readouterr().out != ""


def test_the_lines_for_an_exported_model_of_notes_compose_as_the_model_does() -> None:
    document = (EXAMPLES.parent / "docs" / "models.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^  ```python\n(.*?)^  ```", document, re.MULTILINE | re.DOTALL)
    (lines,) = [textwrap.dedent(block) for block in blocks if "OnnxNotes" in block]
    page: dict[str, Any] = {"__name__": "page"}
    exec(lines, page)
    assert page["melody"] == cantilena.load("tunes+rl").compose(bars=4, form="AA'", seed=1)
