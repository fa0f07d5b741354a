"""From an exception to two lines for the user: what is wrong, and what to do about it."""

from __future__ import annotations

import errno
import itertools
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cantilena.cli.output import print_flushed, reader_is_gone
from cantilena.errors import CantilenaError

INTERRUPTED = 130
"""The exit status after Ctrl-C, as in shells (128 + SIGINT)."""

_DISK_HINTS = {
    errno.ENOSPC: "free some space, or give an --out on another disk",
    errno.EDQUOT: "free some of your quota, or give an --out on another disk",
    errno.EROFS: "give an --out on a disk that can be written",
    errno.EACCES: "check the rights of that file and its folder",
    errno.EPERM: "check the rights of that file and its folder",
    errno.ENOENT: "check the path",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or give fewer --jobs",
}


@dataclass(frozen=True)
class Failure:
    """An error as it is printed.

    Args:
        text: what is wrong; nothing is printed if empty.
        hint: what to do about it.
        status: the exit status.
    """

    text: str
    hint: str
    status: int = 1


def describe_error(error: BaseException, words: Sequence[str]) -> Failure:
    """Return what to print about an exception.

    Args:
        error: what was raised.
        words: the command line after `cantilena`.

    Example:
        >>> describe_error(MemoryError(), ["train"]).text
        'not enough memory'
    """
    match error:
        case CantilenaError():
            return Failure(error.text, error.hint or f"{_help(words)} shows how", error.exit_status)
        case KeyboardInterrupt():
            return Failure("interrupted", _how_to_resume(words), INTERRUPTED)
        case SystemExit():
            return Failure("", "", error.code if isinstance(error.code, int) else int(error.code is not None))
        case MemoryError():
            return Failure("not enough memory", "give fewer --jobs, fewer melodies or a smaller model")
        case BrokenPipeError() if reader_is_gone():
            return Failure("", "")
        case OSError() if error.errno in _DISK_HINTS:
            where = f": {error.filename}" if error.filename is not None else ""
            return Failure(f"{error.strerror}{where}", _DISK_HINTS[error.errno])
        case _:
            text = str(error)
            return Failure(
                f"unexpected {type(error).__name__}{': ' + text if text else ''}",
                "this is a bug in Cantilena: run the command again with --debug and report what it prints",
            )


def flag_value(words: Sequence[str], flag: str) -> str | None:
    """Return the value of a flag, written `--out runs` or `--out=runs`; None if it is not given.

    Example:
        >>> flag_value(["train", "--out=runs/a"], "--out")
        'runs/a'
    """
    following = (after for word, after in itertools.pairwise(words) if word == flag)
    joined = (word.removeprefix(f"{flag}=") for word in words if word.startswith(f"{flag}="))
    return next(itertools.chain(following, joined), None)


def print_error(failure: Failure, *, as_json: bool, debug: BaseException | None) -> int:
    """Print a failure on stderr, with `as_json` also on stdout as JSON; return the exit status."""
    text, hint = _one_line(failure.text), _one_line(failure.hint)
    with suppress(OSError):
        if debug is not None and failure.text:
            print_flushed("".join(traceback.format_exception(debug)), sys.stderr)
        if text:
            print_flushed(f"error: {text}\nhint: {hint}\n", sys.stderr)
        if text and as_json:
            from cantilena.runtime import json_text

            print_flushed(json_text({"error": text, "hint": hint}), sys.stdout)
    return failure.status


def _one_line(text: str) -> str:
    """Escape line breaks and control characters, such as those of a hostile file name."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in " ".join(text.split()))


def _help(words: Sequence[str]) -> str:
    command = [word for word in words[:1] if not word.startswith("-")]
    return f"`{' '.join(['cantilena', *command, '--help'])}`"


def _how_to_resume(words: Sequence[str]) -> str:
    from cantilena.runtime import finished

    out = flag_value(words, "--out")
    with suppress(CantilenaError, OSError, ValueError):
        if out and (Path(out) / "run.json").is_file() and not finished(Path(out)):
            if words[0] == "train" and os.environ.get("WORLD_SIZE", "1") != "1":
                return "the same torchrun command with --resume goes on where it stopped"
            again = [word for word in words if word not in ("--resume", "--force")]
            return f"`{shlex.join([_program(), *again, '--resume'])}` goes on where it stopped"
    return "no incomplete file is left; run it again"


def _program() -> str:
    """Return what the user can type: `cantilena` where the shell finds it, else its path beside this Python."""
    beside = Path(sys.executable).with_name("cantilena")
    if shutil.which("cantilena") or not beside.exists():
        return "cantilena"
    return os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else str(beside)
