"""`cantilena doctor`: does everything work on this machine, and if not, what to do.

Each check does the thing in small, in a worker process: a library that crashes its process is a row of the table.
"""

from __future__ import annotations

import importlib
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags
from cantilena.errors import CantilenaError, CorpusError, MissingError, RunError

REINSTALL = "reinstall it: pip install --force-reinstall cantilena; in a checkout: make clean set-up"
_MODULES = {"scikit-learn": "sklearn"}
"""Libraries that are imported under another name than they are installed by."""
_EXTRAS = {"sweep": "searches for the best training"}
"""What each extra is for."""
_DISK = 2 * 2**30
"""Bytes that the whole experiment with its report, models and sound may take."""
_SECONDS = 120.0  # compiling the rules for the first time on a slow machine
_MEMORY = 2**45  # bytes of address space, of which libraries for graphics cards reserve a lot: no real limit


@dataclass(frozen=True)
class Check:
    """One thing to try.

    Args:
        name: what is checked, as a user would call it.
        attempt: does it and returns what it found; raises if it does not work.
        advice: what to do if it does not work.
        required: whether Cantilena needs it.
    """

    name: str
    attempt: Callable[[], str]
    advice: str
    required: bool = True


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Args:
        name: what was checked.
        state: `broken` if it is required, else `missing`.
        found: what is there, or what went wrong.
        advice: what to do, "" if all is well.
        required: whether Cantilena needs it.
    """

    name: str
    state: Literal["ok", "broken", "missing"]
    found: str
    advice: str
    required: bool


def run(*, flags: Flags) -> Answer:
    """Check that everything works on this machine, and say what to do where something does not.

    The exit status is 0 if all that is required works; what is optional may be missing.

    Example:
        cantilena doctor
    """
    findings = examine(list(checks()))
    ok = not any(finding.state == "broken" for finding in findings)
    last = "Everything that is required works." if ok else "Something that is required is broken: see above."
    value = {"ok": ok, "checks": [vars(finding) for finding in findings]}
    return Answer(value, f"{table(findings)}\n\n{last}", status=0 if ok else 1)


def examine(all_checks: Sequence[Check]) -> list[Finding]:
    """Run checks, each in a worker process.

    Args:
        all_checks: checks whose names `attempt` knows.
    """
    from cantilena.runtime import Failure, bounded_map, progress

    outcomes: dict[int, str | Failure] = {}
    try:
        with progress("Looking", total=len(all_checks), unit="checks") as bar:
            names = [check.name for check in all_checks]
            for index, outcome in bounded_map(attempt, names, seconds=_SECONDS, memory=_MEMORY):
                outcomes[index] = outcome
                bar.advance()
    except RunError as error:
        workers = Finding("worker processes", "broken", error.text, error.hint, required=True)
        return [workers, *(finding(check, _in_this_process(check)) for check in all_checks)]
    return [finding(check, outcomes[index]) for index, check in enumerate(all_checks)]


def attempt(name: str) -> str:
    """Run the check of that name; it raises whatever a broken library raises.

    Example:
        >>> attempt("Python").startswith("3.")
        True
    """
    return next(check for check in checks() if check.name == name).attempt()


def finding(check: Check, outcome: object) -> Finding:
    """The finding of a check: its outcome is text if it went well, else a failure with reason and hint."""
    if isinstance(outcome, str):
        return Finding(check.name, "ok", outcome, "", check.required)
    reason, hint = getattr(outcome, "reason", str(outcome)), getattr(outcome, "hint", "")
    return Finding(check.name, "broken" if check.required else "missing", reason, hint or check.advice, check.required)


def table(findings: Sequence[Finding]) -> str:
    """The findings as lines for a terminal, each advice under its finding."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for one in findings:
        lines.append(f"{one.state:<8} {one.name:<{width}}  {one.found}")
        if one.advice:
            lines.append(f"{'':<8} {'':<{width}}  -> {one.advice}")
    return "\n".join(lines)


def _in_this_process(check: Check) -> object:
    from cantilena.runtime import Failure

    try:
        return check.attempt()
    except Exception as error:  # a broken library raises anything
        return Failure(f"{type(error).__name__}: {error}")


def checks() -> Iterator[Check]:
    """All checks, in the order of the table."""
    yield Check("Python", _python, "install Python 3.11, 3.12, 3.13 or 3.14")
    yield from (_library(line, required=True) for line in _requirements(extra=""))
    yield Check("where networks compute", _devices, REINSTALL)
    yield Check("compiled rules", _rules, REINSTALL)
    yield Check(
        "compiled code is kept", _compiled_code, "set NUMBA_CACHE_DIR to a folder you may write", required=False
    )
    yield Check("MIDI written and read", lambda: _written_and_read(".mid"), REINSTALL)
    yield Check("MusicXML written and read", lambda: _written_and_read(".musicxml"), REINSTALL)
    yield Check("ABC written and read", lambda: _written_and_read(".abc"), REINSTALL)
    yield Check("engraved score", _score, REINSTALL)
    yield Check("sound", _sound, REINSTALL)
    yield Check("built-in corpus", _corpus, REINSTALL)
    yield Check("the model 'tunes' composes", _bundle, REINSTALL)
    yield Check("room on the disk", _disk, f"free {_DISK / 2**30:.0f} GB before long runs", required=False)
    for extra, use in _EXTRAS.items():
        yield from (_library(line, required=False, use=use) for line in _requirements(extra=extra))
    yield Check(
        "browser for the tests", _browser, "needed to develop only; Debian: apt install chromium", required=False
    )


def _requirements(extra: str) -> list[str]:
    """The libraries that the installed package requires, such as `numpy>=1.26`."""
    mark = f'extra == "{extra}"' if extra else "extra =="
    lines = [line.replace("'", '"') for line in metadata.requires("cantilena") or []]
    return [line.partition(";")[0].strip() for line in lines if (mark in line) == bool(extra)]


def _library(requirement: str, *, required: bool, use: str = "") -> Check:
    distribution = re.split(r"[^A-Za-z0-9._-]", requirement)[0]
    least = re.search(r">=([\d.]+)", requirement)

    def version_of() -> str:
        importlib.import_module(_MODULES.get(distribution, distribution.lower().replace("-", "_")))
        version = metadata.version(distribution)
        if least and _numbers(version) < _numbers(least[1]):
            raise CantilenaError(f"version {version}, too old", f"pip install '{requirement}'")
        return version

    what_for = "" if required else f"optional, {use}: "
    return Check(distribution, version_of, f"{what_for}pip install '{requirement}'", required)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])


def _python() -> str:
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        raise CantilenaError(f"{platform.python_version()} is not supported", "install Python 3.11 to 3.14")
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _devices() -> str:
    import torch

    from cantilena.models import choose_device, choose_precision
    from cantilena.runtime import cpu_count

    def seconds(kind: torch.dtype) -> float:
        matrix, best = torch.zeros(512, 512, dtype=kind), 9.0
        for _ in range(5):
            start = time.perf_counter()
            matrix @ matrix
            best = min(best, time.perf_counter() - start)
        return best

    device = choose_device("auto")
    also = ", also mps" if torch.backends.mps.is_available() else ""
    precision = str(choose_precision("auto", device)).removeprefix("torch.")
    gain = seconds(torch.float32) / seconds(torch.bfloat16)
    return f"{device}{also}, {cpu_count()} processors, trains in {precision} (bfloat16 is {gain:.1f}x as fast)"


def _rules() -> str:
    import numpy as np

    from cantilena.rules import RULE_SETS
    from cantilena.tokenizers import GridEncoding

    line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 14, 0]]))
    return f"nine rules rewarded a melody ({float(RULE_SETS['rl-tuner'].total(line).sum()):g})"


def _compiled_code() -> str:
    import numba

    def nothing() -> None: ...

    numba.njit(cache=True)(nothing)  # raises if there is no folder to keep it in
    return "compiled once, kept for next time"


def _written_and_read(suffix: str) -> str:
    from cantilena.data import read_melody
    from cantilena.io import write
    from cantilena.music import Melody

    melody = Melody.from_pitches([(60, 24), (64, 24), (67, 48)])
    with tempfile.TemporaryDirectory() as folder:
        write(melody, Path(folder) / f"doctor{suffix}")
        again = read_melody(Path(folder) / f"doctor{suffix}")
    if again.notes != melody.notes:
        raise CantilenaError("the notes that were read are not those that were written", REINSTALL)
    return "3 notes, and the same back"


def _score() -> str:
    heads = _file_of_three_notes(".svg").count(b'class="note"')
    if heads != 3:
        raise CantilenaError(f"the score shows {heads} notes instead of 3", REINSTALL)
    return "3 notes of 3"


def _sound() -> str:
    content = _file_of_three_notes(".wav")
    if not any(content[44:]):
        raise CantilenaError("the sound is silence", REINSTALL)
    return f"{len(content) / 1000:.0f} kB of WAV"


def _file_of_three_notes(ending: str) -> bytes:
    from cantilena.io import write
    from cantilena.music import Melody

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"doctor{ending}"
        write(Melody.from_pitches([(60, 24), (64, 24), (67, 48)]), path)
        return path.read_bytes()


def _corpus() -> str:
    from cantilena.data import load_builtin

    corpus = load_builtin("tunes")
    if not len(corpus):
        raise CorpusError("the built-in corpus is empty", REINSTALL)
    return f"{len(corpus):,} melodies"


def _bundle() -> str:
    from cantilena.generation import load

    start = time.perf_counter()
    melody = load("tunes").compose(bars=2, seed=1)
    return f"{len(melody.notes)} notes in {time.perf_counter() - start:.1f} s"


def _disk() -> str:
    free = shutil.disk_usage(Path.cwd()).free
    if free < _DISK:
        raise CantilenaError(f"only {free / 2**30:.1f} GB free here", f"free {_DISK / 2**30:.0f} GB before long runs")
    return f"{free / 2**30:.0f} GB free here"


def _browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if path := shutil.which(name):
            return path
    raise MissingError("no Chromium found", "needed to develop only; Debian: apt install chromium")
