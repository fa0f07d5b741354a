"""`cantilena export`: what it answers, what it never overwrites, and what it leaves when the disk is full."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from cantilena.cli import main
from cantilena.models import Bundle, NetworkOptions, weight_shapes
from cantilena.tokenizers import GridEncoding


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    shape, path = NetworkOptions(width=8, embedding=8), tmp_path / "models" / "small.safetensors"
    weights = {name: np.zeros(size) for name, size in weight_shapes(shape, 38).items()}
    Bundle(shape, weights, GridEncoding().description(), licence="public domain").save(path)
    return path


def refusal(capsys: pytest.CaptureFixture[str], status: int, *words: str) -> str:
    capsys.readouterr()
    assert main(["export", *words, "--json"]) == status
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"error", "hint"}
    assert answer["hint"]
    assert "unexpected" not in answer["error"]
    return str(answer["error"])


def test_the_answer_is_what_the_file_says(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "mélodie 音 %s {x}.onnx"
    assert main(["export", str(bundle), "--out", str(out), "--json"]) == 0
    answer: Any = json.loads(capsys.readouterr().out)
    assert answer["model"] == str(out)
    assert answer["bytes"] == out.stat().st_size
    assert answer["vocabulary"] == list(GridEncoding().vocabulary)
    session = onnxruntime.InferenceSession(out.read_bytes())
    assert session.get_modelmeta().custom_metadata_map["licence"] == answer["licence"] == "public domain"
    assert [port.name for port in session.get_inputs()] == [*answer["inputs"], *answer["state"]]
    assert main(["export", str(bundle.parent), "--out", str(tmp_path / "folder.onnx")]) == 0  # a run's folder
    assert f": {tmp_path / 'folder.onnx'}" in capsys.readouterr().out
    assert (tmp_path / "folder.onnx").read_bytes() == out.read_bytes()


def test_nothing_is_overwritten_unless_it_is_asked(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.onnx"
    out.write_text("mine")
    assert "exists already" in refusal(capsys, 1, str(bundle), "--out", str(out))
    assert out.read_text() == "mine"
    assert main(["export", str(bundle), "--out", str(out), "--force"]) == 0
    assert out.read_bytes() != b"mine"
    before = bundle.read_bytes()
    assert "is the model itself" in refusal(capsys, 2, str(bundle), "--out", str(bundle), "--force")
    assert "is a folder" in refusal(capsys, 2, str(bundle), "--out", str(tmp_path), "--force")
    assert "an empty name" in refusal(capsys, 2, str(bundle), "--out", "", "--force")
    assert bundle.read_bytes() == before


def test_models_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    out = str(tmp_path / "model.onnx")
    for name, status in (("no such model", 1), ("", 2), (str(tmp_path / "bad.safetensors"), 1)):
        refusal(capsys, status, name, "--out", out)
        assert not Path(out).exists()


def test_a_full_disk_leaves_nothing(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "model.onnx").write_text("mine")
    text = refusal(capsys, 1, str(bundle), "--out", str(folder / "model.onnx"), "--force")
    assert "No space left on device" in text
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]
    assert (folder / "model.onnx").read_text() == "mine"
