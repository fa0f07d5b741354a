"""The set-up script: once is enough, an interrupted install is made anew, two at once wait for each other."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "set_up.py"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, at home in an empty checkout with a space in its path, whose pip only takes notes."""
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
    return module


def asked_by(script: ModuleType, *extras: str) -> list[str]:
    script.asked.clear()
    assert script.main(list(extras)) == 0
    return list(script.asked)


def test_a_second_call_does_nothing_and_says_nothing(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked_by(script) == ["create", "setuptools", "."]
    assert "Installing Cantilena into .venv" in capsys.readouterr().err
    assert asked_by(script) == []
    assert capsys.readouterr().err == ""


def test_extras_are_added_to_what_is_there(script: ModuleType) -> None:
    asked_by(script)
    assert asked_by(script, "dev", "notation") == ["setuptools", ".[dev,notation]"]
    assert asked_by(script) == []
    assert asked_by(script, "dev") == []


def test_changed_versions_are_installed_over_what_is_there(script: ModuleType) -> None:
    asked_by(script, "dev")
    (script.CHECKOUT / "constraints.txt").write_text("numpy==3\n")
    assert asked_by(script) == ["setuptools", ".[dev]"]
    assert asked_by(script) == []


def test_an_interrupted_install_is_made_anew(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(lock: int, *what: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(script, "pip", interrupted)
        assert script.main([]) == 130
    assert asked_by(script) == ["create", "setuptools", "."]


def test_a_removal_that_was_interrupted_is_finished(script: ModuleType) -> None:
    asked_by(script)
    script.VENV.rename(script.DISCARDED)
    assert asked_by(script) == ["create", "setuptools", "."]
    assert not script.DISCARDED.exists()


def test_a_moved_checkout_gets_a_new_environment(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_by(script)
    monkeypatch.setattr(script, "place", lambda: "elsewhere")
    assert asked_by(script) == ["create", "setuptools", "."]


def test_an_environment_of_the_user_is_not_removed(script: ModuleType) -> None:
    (script.VENV / "bin").mkdir(parents=True)
    (script.VENV / "bin" / "python").touch()
    (script.VENV / "mine").touch()
    assert asked_by(script) == ["setuptools", "."]
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
    assert asked_by(script) == ["setuptools", "."]


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
        assert asked_by(script) == ["create", "setuptools", "."]
    assert "waiting for it" in capsys.readouterr().err
