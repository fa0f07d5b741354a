"""The check of a device compares it with the CPU, and fails if they differ."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check_device.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_device", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "check_device", module)
    spec.loader.exec_module(module)
    tiny = module.Size(width=8, melodies=16, steps=16, repeats=2)
    monkeypatch.setattr(module, "PARITY", tiny)
    monkeypatch.setattr(module, "THROUGHPUT", (tiny,))
    return module


def test_the_cpu_computes_what_it_computes(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "device.json"
    assert script.main(["--device", "cpu", "--seconds", "0", "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    assert {row["difference"] for row in report["parity"].values()} == {0.0}
    assert min(report["steps_per_second"]["8"].values()) > 0
    shown = capsys.readouterr().out
    assert shown.startswith("# cpu: ")
    assert shown.count("passes") == len(script.LIMITS)


def test_other_weights_fail(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = script.Network
    cpu = script.composing(torch.device("cpu"), script.PARITY)
    monkeypatch.setattr(script, "Network", lambda *args, seed: network(*args, seed=seed + 100))
    changed = script.composing(torch.device("cpu"), script.PARITY)
    both = iter([cpu, changed])
    monkeypatch.setattr(script, "composing", lambda *_: next(both))
    out = tmp_path / "device.json"
    assert script.main(["--device", "cpu", "--seconds", "0", "--out", str(out)]) == 1
    assert json.loads(out.read_text())["failed"] == list(script.LIMITS)[-2:]
