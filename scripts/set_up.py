"""Create `.venv` and install Cantilena into it with the versions of `constraints.txt`; `make` calls it first.

    python scripts/set_up.py [EXTRA ...]

It uses the standard library only. If everything is installed it prints nothing. An interrupted installation is
restarted; two calls at once wait for each other; a changed `pyproject.toml` or `constraints.txt`, a moved checkout or
another Python is detected. Then it compiles what the first use would have to wait for.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
VENV = CHECKOUT / ".venv"
DISCARDED = CHECKOUT / ".venv-old"
STAMP = VENV / ".cantilena"
UNFINISHED = VENV / ".cantilena-unfinished"
LOG = VENV / "install.log"


class SetUpError(Exception):
    """What is wrong and what to do, one line each."""


def main(extras: list[str]) -> int:
    """Set up, and return the exit status."""
    try:
        with one_at_a_time() as lock:
            set_up(set(extras), lock)
    except SetUpError as error:
        print("\n".join(("error: {}", "hint: {}")).format(*error.args), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error}\nhint: check the free space and the rights of {CHECKOUT}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted\nhint: run the same command again", file=sys.stderr)
        return 130
    return 0


def set_up(extras: set[str], lock: int) -> None:
    """Bring `.venv` up to date, unless its stamp says that it is."""
    if DISCARDED.exists():
        shutil.rmtree(DISCARDED)
    found = stamp()
    broken = UNFINISHED.exists() or (found and found[0] != place())
    if not broken and found and found[1] == content() and extras <= set(found[2:]):
        return
    if broken:
        log("Removing an environment that is incomplete, was moved, or is of another Python")
        VENV.rename(DISCARDED)
        shutil.rmtree(DISCARDED)
    if not (VENV / "bin" / "python").exists():
        create(lock)
    UNFINISHED.touch()
    wanted = sorted(extras | set(found[2:]))
    named = f"Cantilena, with {' and '.join(wanted)}," if wanted else "Cantilena"
    log(f"Installing {named} into .venv: one to five minutes the first time (log: .venv/install.log)")
    try:
        pip(lock, "setuptools")
        pip(lock, "--no-build-isolation", "--editable", f".[{','.join(wanted)}]" if wanted else ".")
    except SetUpError:
        UNFINISHED.unlink()  # pip ended regularly: what it installed can be kept
        raise
    STAMP.write_text("\n".join([place(), content(), *wanted]) + "\n", encoding="utf-8")
    UNFINISHED.unlink()
    compile_ahead(lock)


@contextmanager
def one_at_a_time() -> Iterator[int]:
    """Hold a lock, so that one set-up runs in this checkout at a time, and yield its file descriptor.

    The processes of pip and venv inherit the lock: if this process is killed, they hold it until they end.
    """
    with (CHECKOUT / ".venv.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            log("Another set-up is running in this folder: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def place() -> str:
    """Return a hash of what an environment depends on: its folder, whose path is in its scripts, and its Python."""
    return digest(f"{CHECKOUT}\0{sys.version}".encode("utf-8", "surrogateescape"))


def content() -> str:
    """Return a hash of the files that decide which packages are installed."""
    return digest(*((CHECKOUT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")))


def digest(*parts: bytes) -> str:
    """Return a short hash."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def stamp() -> list[str]:
    """Return place, content and extras of the existing environment; empty if it was never completed."""
    python = VENV / "bin" / "python"
    return STAMP.read_text(encoding="utf-8").split() if STAMP.is_file() and python.exists() else []


def create(lock: int) -> None:
    """Create an empty environment."""
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetUpError(
            f"the Python at {sys.executable} has no venv",
            f"on Debian or Ubuntu: apt install python{version}-venv; or name another one: make PYTHON=/path/to/python3",
        )
    VENV.mkdir(exist_ok=True)
    UNFINISHED.touch()
    command = [sys.executable, "-m", "venv", str(VENV)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=[lock])
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise SetUpError(f"python -m venv failed: {said}", "name another Python: make PYTHON=/path/to/python3")


def pip(lock: int, *what: str) -> None:
    """Install with the pinned versions; pip's output goes to the log, and its end to stderr if it fails."""
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off", "--constraint", "constraints.txt", *what]
    with LOG.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=own_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", pass_fds=[lock],
        )  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            show_passing(line)
        show_passing("")
        if process.wait():
            log.flush()
            tail = [line for line in LOG.read_text(encoding="utf-8").splitlines() if not line.startswith("WARNING")]
            print("\n".join(tail[-12:]), file=sys.stderr)
            raise SetUpError("pip could not install", "check the network and the lines above, then run it again")


def compile_ahead(lock: int) -> None:
    """Compile the package's modules and its loops; what fails is compiled by the first process that needs it."""
    for words in (["-m", "compileall", "-q", "src/cantilena"], ["scripts/compile_kernels.py"]):
        with LOG.open("a", encoding="utf-8") as log:
            subprocess.run(
                [str(VENV / "bin" / "python"), *words], cwd=CHECKOUT, env=own_environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, check=False, pass_fds=[lock],
            )  # fmt: skip


def own_environment() -> dict[str, str]:
    """Return the variables for a process that must find the packages of `.venv` and no others."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def show_passing(line: str) -> None:
    """On a terminal, show pip's progress, each line in place of the one before."""
    if sys.stderr.isatty():
        width = max(shutil.get_terminal_size().columns - 3, 10)
        print(f"\r\x1b[K{'  ' + line.strip()[:width] if line else ''}", end="", file=sys.stderr, flush=True)


def log(text: str) -> None:
    """Print one line on stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
