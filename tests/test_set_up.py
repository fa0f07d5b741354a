"""The set-up script: once is enough, an interrupted install is made anew, two at once wait for each other."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "set_up.py"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, at home in an empty checkout with a space in its path, whose pip and compiler only take notes."""
    spec = importlib.util.spec_from_file_location("set_up", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    checkout = tmp_path / "my checkout"
    checkout.mkdir()
    (checkout / "pyproject.toml").write_text("[project]\n")
    (checkout / "constraints.txt").write_text("numpy==2\n")
    monkeypatch.setattr(module, "CHECKOUT", checkout)
    monkeypatch.setattr(module, "VENV", checkout / ".venv")
    monkeypatch.setattr(module, "DISCARDED", checkout / ".venv-old")
    for name, file in [("STAMP", ".cantilena"), ("UNFINISHED", ".cantilena-unfinished"), ("LOG", "install.log")]:
        monkeypatch.setattr(module, name, checkout / ".venv" / file)
    module.asked = []

    def create(lock: int) -> None:
        module.asked.append("create")
        python = module.VENV / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()

    monkeypatch.setattr(module, "create", create)
    monkeypatch.setattr(module, "pip", lambda lock, *what: module.asked.append(what[-1]))
    module.really_compile_ahead = module.compile_ahead
    monkeypatch.setattr(module, "compile_ahead", lambda lock: module.asked.append("compile"))
    return module


def asked_by(script: ModuleType, *extras: str) -> list[str]:
    script.asked.clear()
    assert script.main(list(extras)) == 0
    return list(script.asked)


def test_a_second_call_does_nothing_and_says_nothing(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked_by(script) == ["create", "setuptools", ".", "compile"]
    assert "Installing Cantilena into .venv" in capsys.readouterr().err
    assert asked_by(script) == []
    assert capsys.readouterr().err == ""


def test_extras_are_added_to_what_is_there(script: ModuleType) -> None:
    asked_by(script)
    assert asked_by(script, "dev", "notation") == ["setuptools", ".[dev,notation]", "compile"]
    assert asked_by(script) == []
    assert asked_by(script, "dev") == []


def test_changed_versions_are_installed_over_what_is_there(script: ModuleType) -> None:
    asked_by(script, "dev")
    (script.CHECKOUT / "constraints.txt").write_text("numpy==3\n")
    assert asked_by(script) == ["setuptools", ".[dev]", "compile"]
    assert asked_by(script) == []


def test_an_interrupted_install_is_made_anew(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(lock: int, *what: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(script, "pip", interrupted)
        assert script.main([]) == 130
    assert asked_by(script) == ["create", "setuptools", ".", "compile"]


def test_a_removal_that_was_interrupted_is_finished(script: ModuleType) -> None:
    asked_by(script)
    script.VENV.rename(script.DISCARDED)
    assert asked_by(script) == ["create", "setuptools", ".", "compile"]
    assert not script.DISCARDED.exists()


def test_a_moved_checkout_gets_a_new_environment(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_by(script)
    monkeypatch.setattr(script, "place", lambda: "elsewhere")
    assert asked_by(script) == ["create", "setuptools", ".", "compile"]


def test_an_environment_of_the_user_is_not_removed(script: ModuleType) -> None:
    (script.VENV / "bin").mkdir(parents=True)
    (script.VENV / "bin" / "python").touch()
    (script.VENV / "mine").touch()
    assert asked_by(script) == ["setuptools", ".", "compile"]
    assert (script.VENV / "mine").exists()


def test_when_pip_fails_the_next_call_builds_on_what_is_there(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(lock: int, *what: str) -> None:
        raise script.SetUpError("pip could not install", "check the network")

    with monkeypatch.context() as patch:
        patch.setattr(script, "pip", offline)
        assert script.main([]) == 1
    assert capsys.readouterr().err.endswith("error: pip could not install\nhint: check the network\n")
    assert asked_by(script) == ["setuptools", ".", "compile"]


def test_a_full_disk_is_one_line(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(lock: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(script, "create", full)
    assert script.main([]) == 1
    assert capsys.readouterr().err.startswith("error: [Errno 28] No space left on device\nhint: check the free space")


def test_a_python_without_venv_says_what_to_install(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("set_up_again", SCRIPT)
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    monkeypatch.setattr(fresh.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(fresh.SetUpError) as refusal:
        fresh.create(0)
    assert f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in refusal.value.args[1]


def test_what_cannot_be_compiled_ahead_does_not_fail_the_set_up(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_by(script)
    python = script.VENV / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$*" >> "$0.asked"\necho "no room"\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr(script, "compile_ahead", script.really_compile_ahead)
    assert asked_by(script, "dev") == ["setuptools", ".[dev]"]
    asked = (script.VENV / "bin" / "python.asked").read_text()
    assert asked == "-m compileall -q src/cantilena\nscripts/compile_kernels.py\n"
    assert script.LOG.read_text() == "no room\n" * 2
    assert asked_by(script, "dev") == []


def test_every_loop_is_compiled_ahead() -> None:
    source = SCRIPT.parents[1] / "src" / "cantilena"
    marked = {
        f"{path.relative_to(source)} {name}"
        for path in source.rglob("*.py")
        for name in re.findall(r"^@compiled\ndef (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    note_calls = (
        "import runpy, sys\n"
        "called = set()\n"
        "sys.setprofile(lambda frame, event, _: called.add((frame.f_code.co_filename, frame.f_code.co_name)))\n"
        "runpy.run_path(sys.argv[1], run_name='__main__')\n"
        "sys.setprofile(None)\n"
        "print(*(f'{file}\\t{name}' for file, name in called), sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", note_calls, SCRIPT.with_name("compile_kernels.py")], capture_output=True, text=True,
        check=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    called = {line.removeprefix(f"{source}/").replace("\t", " ") for line in done.stdout.splitlines()}
    assert len(marked) > 20
    assert marked - called == set()


def test_two_at_once_wait_for_each_other(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    holder = (
        "import fcntl, sys\n"
        "with open(sys.argv[1], 'w') as lock:\n"
        "    fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", holder, str(script.CHECKOUT / ".venv.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        threading.Timer(0.3, process.stdin.close).start()
        assert asked_by(script) == ["create", "setuptools", ".", "compile"]
    assert "waiting for it" in capsys.readouterr().err
