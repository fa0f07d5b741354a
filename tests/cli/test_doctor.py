"""The doctor: a broken library is a row with advice, whatever it does to its process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cantilena.cli import doctor, main
from cantilena.cli.doctor import Check
from cantilena.errors import CantilenaError, RunError
from cantilena.runtime import Failure


def test_the_table_is_complete_and_names_are_unique() -> None:
    names = [check.name for check in doctor.checks()]
    assert len(set(names)) == len(names)
    assert {"Python", "torch", "numpy", "verovio", "ABC written and read", "compiled rules", "sound"} <= set(names)
    assert not any(name in names for name in ("pytest", "ruff"))
    assert all(check.advice for check in doctor.checks())


def test_a_broken_requirement_fails_and_an_absent_extra_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: list[tuple[str, bool, object]] = [
        ("numbers", True, "1.2"),
        ("engraver", True, Failure("its worker process crashed (SIGSEGV)")),
        ("notation", False, Failure("no module", "pip install notation")),
    ]
    findings = [doctor.finding(Check(name, str, "fetch a plumber", needed), found) for name, needed, found in outcomes]
    monkeypatch.setattr(doctor, "examine", lambda checks: findings)
    assert main(["doctor"]) == 1
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:2] == ["ok", "numbers"]
    assert lines[1][:2] == ["broken", "engraver"]
    assert "SIGSEGV" in " ".join(lines[1])
    assert lines[2] == ["->", "fetch", "a", "plumber"]
    assert lines[3][:2] == ["missing", "notation"]
    assert lines[4] == ["->", "pip", "install", "notation"]
    findings[1] = findings[0]
    assert main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"]
    assert said["checks"][2] == {
        "name": "notation",
        "state": "missing",
        "found": "no module",
        "advice": "pip install notation",
        "required": False,
    }


def test_an_absent_or_old_library_says_what_to_install() -> None:
    absent = doctor._library("not-a-library>=2", required=True)
    with pytest.raises(ModuleNotFoundError):
        absent.attempt()
    assert absent.advice == "pip install 'not-a-library>=2'"
    with pytest.raises(CantilenaError, match="too old") as refusal:
        doctor._library("numpy>=999", required=True).attempt()
    assert refusal.value.hint == "pip install 'numpy>=999'"
    assert doctor._library("numpy>=1.26", required=True).attempt()[0].isdigit()


def test_without_worker_processes_it_still_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise RunError("worker processes cannot start", "look at the memory")

    monkeypatch.setattr("cantilena.runtime.bounded_map", refuse)
    workers, python, broken = doctor.examine(
        [
            Check("Python", lambda: "3", "upgrade"),
            Check("sum", lambda: str(1 // 0), "count again"),
        ]
    )
    assert (workers.state, python.state, broken.state) == ("broken", "ok", "broken")
    assert broken.found.startswith("ZeroDivisionError")
    assert broken.advice == "count again"


@pytest.mark.e2e
def test_the_whole_table_on_this_machine(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cantilena", "doctor", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = json.loads(done.stdout)
    broken = [check for check in said["checks"] if check["state"] == "broken"]
    assert broken == []
    assert done.returncode == 0


def test_an_engraver_that_kills_its_process_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "verovio.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    some = [check for check in doctor.checks() if check.name in ("verovio", "numpy", "Python")]
    rows = {row.name: row for row in doctor.examine(some)}
    assert rows["verovio"].state == "broken"
    assert "crashed" in rows["verovio"].found
    assert rows["numpy"].state == rows["Python"].state == "ok"
