"""What these tests share: the command line in this process, what was stored, and what an earlier version left behind.

`STORE_CONTRACT=1 pytest tests/contract` writes the stored files anew. Look at the difference before you commit it:
what is gone from them, somebody somewhere relied on.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cantilena.cli import main
from cantilena.metrics import overlaps

HERE = Path(__file__).parent
Stored = Callable[..., Any]


@dataclass
class Shell:
    """The command line, and what it said."""

    capsys: pytest.CaptureFixture[str]

    def text(self, *words: str) -> str:
        """What a command that works prints."""
        self.capsys.readouterr()
        assert main(list(words)) == 0
        return self.capsys.readouterr().out

    def json(self, line: str, status: int = 0) -> Any:
        """The answer of a line of words without spaces in them."""
        self.capsys.readouterr()
        assert main([*line.split(), "--json"]) == status, self.capsys.readouterr().err
        return json.loads(self.capsys.readouterr().out, parse_constant=pytest.fail)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture(scope="session")
def stored() -> Stored:
    """Reads a stored file, or one part of it; where it shall be stored anew, first writes what there is now."""

    def read(name: str, now: Any, part: str = "") -> Any:
        path = HERE / name
        if os.environ.get("STORE_CONTRACT"):
            whole = json.loads(path.read_text(encoding="utf-8")) if part and path.exists() else {}
            path.write_text(pretty({**whole, part: now} if part else now), encoding="utf-8")
        whole = json.loads(path.read_text(encoding="utf-8"))
        return whole[part] if part else whole

    return read


def pretty(value: Any, indent: str = "") -> str:
    """JSON with sorted keys, and whatever fits in one line in one line."""
    flat = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if not value or not isinstance(value, dict | list) or (len(indent) + len(flat) <= 110 and indent):
        return flat
    deeper = indent + "  "
    if isinstance(value, dict):
        rows = [f"{deeper}{json.dumps(key, ensure_ascii=False)}: {pretty(value[key], deeper)}" for key in sorted(value)]
    else:
        rows = [deeper + pretty(entry, deeper) for entry in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return f"{first}\n" + ",\n".join(rows) + f"\n{indent}{last}" + ("\n" if not indent else "")


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what an earlier version left behind, as the working folder: its records name files from there."""
    copy = tmp_path / "before"
    shutil.copytree(HERE / "before", copy)
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture(autouse=True)
def _few_melodies_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty melodies a side, and 20 subsamples, go the way that a thousand and 200 would."""
    monkeypatch.setattr("cantilena.workflows.tune.run.COUNTED", 30)
    monkeypatch.setattr("cantilena.workflows.evaluate.compare.overlaps", partial(overlaps, draws=20))
