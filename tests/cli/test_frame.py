"""The frame of the command line: who gets which words, which exit status, and what stdout carries."""

from __future__ import annotations

import errno
import json
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from cantilena.cli import main, table
from cantilena.cli.output import Answer
from cantilena.errors import BundleError, CantilenaError, UsageError
from cantilena.runtime import write_json

Hum = Callable[[Callable[[], object]], None]


@pytest.fixture
def hum(monkeypatch: pytest.MonkeyPatch) -> Hum:
    """Put a command `hum` into the table that does what the test says."""

    def install(act: Callable[[], object]) -> None:
        from cantilena.cli.parsing import Flags

        def run(*, times: int = 1, out: Path = Path("out"), flags: Flags) -> Answer:
            """Hum.

            Args:
                times: How often.
                out: Where to.
                flags: What all commands share.

            Example:
                cantilena hum --times 3
            """
            sys.stdout.write("noise from below\n")
            act()
            return Answer({"times": times}, f"hummed {times}")

        run.__annotations__ = {"times": int, "out": Path, "flags": Flags, "return": Answer}
        module = ModuleType("humming")
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "humming", module)
        monkeypatch.setattr(table, "COMMANDS", (*table.COMMANDS, table.Command("hum", "hum", "humming:run")))

    return install


def failing(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


def test_an_answer_is_text_for_people_and_one_object_for_machines(hum: Hum, capsys: pytest.CaptureFixture[str]) -> None:
    hum(lambda: None)
    assert main(["hum", "--times", "3"]) == 0
    assert capsys.readouterr().out == "noise from below\nhummed 3\n"
    assert main(["hum", "--times", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"times": 3}
    assert "noise from below" in err


@pytest.mark.parametrize(
    ("error", "status", "text", "hint"),
    [
        (BundleError("x is no bundle", "name a .safetensors file"), 1, "x is no bundle", "name a .safetensors file"),
        (UsageError("no bars", "give --bars 8"), 2, "no bars", "give --bars 8"),
        (CantilenaError("two\nlines \x1b[31m"), 1, "two lines \\x1b[31m", "`cantilena hum --help` shows how"),
        (MemoryError(), 1, "not enough memory", "give fewer --jobs"),
        (OSError(errno.ENOSPC, "No space left on device", "a.mid"), 1, "No space left on device: a.mid", "free some"),
        (PermissionError(errno.EACCES, "Permission denied", "a.mid"), 1, "Permission denied: a.mid", "rights"),
        (ZeroDivisionError("division by zero"), 1, "unexpected ZeroDivisionError: division by zero", "--debug"),
        (KeyboardInterrupt(), 130, "interrupted", "run it again"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, "unexpected BrokenPipeError", "--debug"),
    ],
)
def test_whatever_is_raised_becomes_two_lines_and_a_status(
    hum: Hum, capfd: pytest.CaptureFixture[str], error: BaseException, status: int, text: str, hint: str
) -> None:
    hum(failing(error))
    assert main(["hum"]) == status
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"error: {text}")
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]
    assert main(["hum", "--json"]) == status
    said = json.loads(capfd.readouterr().out)
    assert said["error"].startswith(text)
    assert hint in said["hint"]


def test_a_traceback_is_shown_only_on_request(hum: Hum, capsys: pytest.CaptureFixture[str]) -> None:
    hum(failing(ZeroDivisionError("oops")))
    assert main(["hum", "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "error: unexpected ZeroDivisionError: oops" in err


@pytest.mark.parametrize(
    ("words", "text", "hint"),
    [
        (["hm"], "there is no command 'hm'", "did you mean `cantilena hum`?"),
        (["zzzzzz"], "there is no command 'zzzzzz'", "`cantilena --help` lists the commands"),
        (["--json", "hum"], "--json comes before the command", "cantilena COMMAND [flags]"),
        (["hum", "--tims", "3"], "unknown: --tims 3", "did you mean --times?"),
        (["hum", "--times", "many"], "--times: 'many' is not a whole number", "`cantilena hum --help`"),
        (["hum", "--times"], "--times needs a value", "`cantilena hum --help`"),
        (["hum", "loudly"], "unknown: loudly", "`cantilena hum --help`"),
    ],
)
def test_wrong_usage_is_status_2_and_names_the_remedy(
    hum: Hum, capsys: pytest.CaptureFixture[str], words: list[str], text: str, hint: str
) -> None:
    hum(lambda: None)
    assert main(words) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[0] == f"error: {text}"
    assert hint in err[1]
    assert len(err) == 2


def test_help_lists_every_command_and_ends_with_an_example(hum: Hum, capsys: pytest.CaptureFixture[str]) -> None:
    hum(lambda: None)
    assert main(["--help"]) == 0
    page = capsys.readouterr().out
    for command in table.COMMANDS:
        if " " not in command.name:
            assert f"  {command.name} " in page
            assert command.summary in page
    assert main(["hum", "--help"]) == 0
    page = capsys.readouterr().out
    assert "--times INT" in page
    assert "How often." in page
    assert page.rstrip().endswith("cantilena hum --times 3")
    assert main([]) == 2


def test_every_command_has_help_with_an_example_and_the_shared_flags(capsys: pytest.CaptureFixture[str]) -> None:
    for command in table.COMMANDS:
        assert main([*command.name.split(), "--help"]) == 0
        page = capsys.readouterr().out
        if not command.is_group:
            assert f"\nExample:\n    cantilena {command.name}" in page
            assert "--json" in page
            assert "--debug" in page


def test_groups_know_their_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    group = (table.Command("choir", "many voices"), table.Command("choir sing", "aloud", "cantilena.cli.doctor:run"))
    monkeypatch.setattr(table, "COMMANDS", group)
    assert main(["choir"]) == 2
    assert "sing" in capsys.readouterr().out
    assert main(["choir", "--help"]) == 0
    assert "many voices" in capsys.readouterr().out
    assert main(["choir", "sink"]) == 2
    assert "did you mean `cantilena choir sing`?" in capsys.readouterr().err
    assert main(["choir", "sing", "--help"]) == 0
    assert "usage: cantilena choir sing" in capsys.readouterr().out


def test_an_interrupted_run_says_how_to_resume(
    hum: Hum, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hum(failing(KeyboardInterrupt()))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    folder = tmp_path / "my run"
    write_json(folder / "run.json", {"state": "running"})
    assert main(["hum", "--out", str(folder)]) == 130
    assert f"`cantilena hum --out '{folder}' --resume` goes on" in capsys.readouterr().err
    assert main(["hum", f"--out={folder}"]) == 130
    assert "--resume` goes on" in capsys.readouterr().err
    program = tmp_path / "bin" / "cantilena"
    program.parent.mkdir()
    program.touch()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "which", lambda name: None)
        patch.setattr(sys, "executable", str(program.with_name("python")))
        patch.chdir(tmp_path)
        assert main(["hum", "--out", "my run"]) == 130
    assert "`bin/cantilena hum --out 'my run' --resume` goes on" in capsys.readouterr().err
    write_json(folder / "run.json", {"state": "finished"})
    assert main(["hum", "--out", str(folder)]) == 130
    assert "--resume" not in capsys.readouterr().err


SCRIPT = """
import os, sys, time
from types import ModuleType
from cantilena.cli import main, table
from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags
def run(*, flags: Flags) -> Answer:
    {act}
    return Answer({{"name": "caf\\udce9"}}, "la " * 100_000)
sys.modules["humming"] = module = ModuleType("humming")
module.run = run
table.COMMANDS += (table.Command("hum", "hum", "humming:run"),)
raise SystemExit(main(["hum", *sys.argv[1:]]))
"""


def start(act: str, *words: str, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SCRIPT.format(act=act), *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


def test_a_reader_that_leaves_early_is_no_error() -> None:
    with start("time.sleep(0.3)", stdout=subprocess.PIPE) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert err == b""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_stdout_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full, start("pass", stdout=full) as process:
        err = process.stderr.read().decode()
    assert process.returncode == 1
    assert err.startswith("error: No space left on device\nhint: ")
    assert err.count("\n") == 2


def test_stdout_carries_one_object_even_when_compiled_code_prints() -> None:
    act = "os.write(1, b'from C'); import ctypes; ctypes.CDLL(None).puts(b'buffered in C'); print('from Python')"
    with start(act, "--json", stdout=subprocess.PIPE) as process:
        out, err = process.communicate()
    assert json.loads(out) == {"name": "caf\udce9"}
    assert {b"from C", b"buffered in C", b"from Python"} <= {
        word for word in (b"from C", b"buffered in C", b"from Python") if word in err
    }


def test_control_c_ends_with_130_and_no_traceback() -> None:
    # Where the tests run in the background of a shell, Ctrl-C is ignored from birth.
    act = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); print('ready', flush=True)"
    with start(f"{act}; time.sleep(30)", stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        err = process.stderr.read().decode()
    assert process.returncode == 130
    assert err.startswith("error: interrupted\nhint: ")
    assert "Traceback" not in err


def test_closed_stdout_and_stderr_do_no_harm() -> None:
    script = f"exec {shlex.quote(sys.executable)} -m cantilena doctr >&- 2>&-"
    assert subprocess.run(["sh", "-c", script], check=False).returncode == 2
