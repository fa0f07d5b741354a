"""What `cantilena doctor` looks at: each check does the thing in small and says what it found.

Checks run in worker processes, so that a library which takes its process down is a row of the table, not the end of it.
"""

from __future__ import annotations

import importlib
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from cantilena.errors import CantilenaError, CorpusError, MissingError

if TYPE_CHECKING:
    from cantilena.music import Melody

REINSTALL = "install it anew: pip install --force-reinstall cantilena; in a checkout: make clean set-up"
_ROOM = 2 * 2**30
"""Bytes that the whole experiment with its report, models and sound may take."""


_MODULES = {"scikit-learn": "sklearn"}
"""Libraries that are imported under another name than they are installed by."""

_EXTRAS = {"notation": "reads MusicXML, ABC and kern", "sweep": "searches for the best training"}
"""What each extra is for."""


@dataclass(frozen=True)
class Check:
    """One thing to try.

    Args:
        name: what is checked, as a user would call it.
        attempt: does it and says what it found; raises where it does not work.
        advice: what to do if it does not work.
        required: whether Cantilena needs it.
    """

    name: str
    attempt: Callable[[], str]
    advice: str
    required: bool = True


def attempt(name: str) -> str:
    """Do the check of that name: what a worker process is asked.

    Raises:
        Exception: whatever a broken library raises.

    Example:
        >>> attempt("Python").startswith("3.")
        True
    """
    return next(check for check in checks() if check.name == name).attempt()


def checks() -> Iterator[Check]:
    """Everything, in the order of the table."""
    yield Check("Python", _python, "install Python 3.11, 3.12, 3.13 or 3.14")
    yield from (_library(line, required=True) for line in _requirements(extra=""))
    yield Check("where networks compute", _devices, REINSTALL)
    yield Check("compiled rules", _rules, REINSTALL)
    yield Check(
        "compiled code is kept", _compiled_code, "set NUMBA_CACHE_DIR to a folder you may write", required=False
    )
    yield Check("MIDI written and read", _midi, REINSTALL)
    yield Check("engraved score", _score, REINSTALL)
    yield Check("sound", _sound, REINSTALL)
    yield Check("built-in corpus", _corpus, REINSTALL)
    yield Check("the model 'tunes' composes", _bundle, REINSTALL)
    yield Check("room on the disk", _disk, f"free {_ROOM / 2**30:.0f} GB before long runs", required=False)
    for extra, use in _EXTRAS.items():
        yield from (_library(line, required=False, use=use) for line in _requirements(extra=extra))
    yield Check(
        "browser for the tests", _browser, "needed to develop only; Debian: apt install chromium", required=False
    )


def _requirements(extra: str) -> list[str]:
    """The installed package's own list of libraries: `numpy>=1.26`."""
    mark = f'extra == "{extra}"' if extra else "extra =="
    lines = [line.replace("'", '"') for line in metadata.requires("cantilena") or []]
    return [line.partition(";")[0].strip() for line in lines if (mark in line) == bool(extra)]


def _library(requirement: str, *, required: bool, use: str = "") -> Check:
    distribution = re.split(r"[^A-Za-z0-9._-]", requirement)[0]
    wanted = re.search(r">=([\d.]+)", requirement)

    def look() -> str:
        module = importlib.import_module(_MODULES.get(distribution, distribution.lower().replace("-", "_")))
        version = metadata.version(distribution)
        if wanted and _numbers(version) < _numbers(wanted[1]):
            raise CantilenaError(f"version {version}, too old", f"pip install '{requirement}'")
        return version if module.__name__ else ""

    what_for = "" if required else f"optional, {use}: "
    return Check(distribution, look, f"{what_for}pip install '{requirement}'", required)


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

    device = choose_device("auto")
    others = [name for name, there in [("mps", torch.backends.mps.is_available())] if there]
    precision = str(choose_precision("auto", device)).removeprefix("torch.")
    slow, fast = (_seconds_of_products(torch.zeros(512, 512, dtype=kind)) for kind in (torch.float32, torch.bfloat16))
    also = f", also {' '.join(others)}" if others else ""
    return f"{device}{also}, {cpu_count()} processors, trains in {precision} (bfloat16 is {slow / fast:.1f}x as fast)"


def _seconds_of_products(matrix: object) -> float:
    best = 9.0
    for _ in range(5):
        start = time.perf_counter()
        matrix @ matrix  # type: ignore[operator]
        best = min(best, time.perf_counter() - start)
    return best


def _rules() -> str:
    import numpy as np

    from cantilena.rules import RULE_SETS
    from cantilena.tokenizers import GridEncoding

    line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 14, 0]]))
    total = float(RULE_SETS["rl-tuner"].total(line).sum())
    return f"nine rules judged a melody ({total:g})"


def _compiled_code() -> str:
    import numba

    def nothing() -> None: ...

    numba.njit(cache=True)(nothing)  # raises where there is no folder to keep it in
    return "compiled once, kept for next time"


def _midi() -> str:
    from cantilena.data import read_melody

    melody = _three_notes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "doctor.mid"
        _write(melody, path)
        again = read_melody(path)
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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"doctor{ending}"
        _write(_three_notes(), path)
        return path.read_bytes()


def _write(melody: Melody, path: Path) -> None:
    from cantilena.io import write

    write(melody, path)


def _three_notes() -> Melody:
    from cantilena.music import Melody

    return Melody.from_pitches([(60, 24), (64, 24), (67, 48)])


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
    if free < _ROOM:
        raise CantilenaError(f"only {free / 2**30:.1f} GB free here", f"free {_ROOM / 2**30:.0f} GB before long runs")
    return f"{free / 2**30:.0f} GB free here"


def _browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if found := shutil.which(name):
            return found
    raise MissingError("no Chromium found", "needed to develop only; Debian: apt install chromium")
