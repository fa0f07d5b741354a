"""Reading small files, and writing files atomically: a file is complete or not there."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cantilena.errors import InputError, RunError, UsageError

_LARGEST_TEXT, _LARGEST_JSON = 2**20, 64 * 2**20


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and move it into place when the block ends without an error.

    Args:
        path: the file to write; its folder is made.
        overwrite: whether an existing file may be replaced.

    Raises:
        RunError: it exists and `overwrite` is off.
        InputError: it cannot be written (disk full, read-only, no permission, not a folder).

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "song.txt"
        >>> with atomic_file(target) as draft:
        ...     _ = draft.write_text("la")
        >>> target.read_text()
        'la'
    """
    if not overwrite and path.exists():
        raise RunError(f"{path} exists already", "give another --out, or --force to replace it")
    draft = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}", "check the free space and the rights of that folder"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def check_folder(out: Path, *, force: bool = False) -> None:
    """Check that new files may be written to a folder, before work on them begins.

    Raises:
        RunError: it is a file, or it is not empty and `force` is off.
    """
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, not a folder", "give another --out")
    if out.exists() and not force and any(out.iterdir()):
        raise RunError(f"{out} exists already", "give another --out, or --force to replace what is there")


def write_bytes(path: Path, content: bytes, *, overwrite: bool = True) -> None:
    """Write bytes atomically, as `atomic_file` does."""
    with atomic_file(path, overwrite=overwrite) as draft:
        draft.write_bytes(content)


def write_text(path: Path, text: str, *, overwrite: bool = True) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"), overwrite=overwrite)


def json_text(value: Any) -> str:  # noqa: ANN401  (anything JSON can hold)
    """Return JSON that is the same for the same value; NaN is an error.

    Examples:
        >>> print(json_text({"b": 1, "a": 0.5}), end="")
        {
          "b": 1,
          "a": 0.5
        }
    """
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: Any, *, overwrite: bool = True) -> None:  # noqa: ANN401
    """Write a value as JSON atomically."""
    write_text(path, json_text(value), overwrite=overwrite)


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Read a JSON file of at most 64 MB.

    Raises:
        InputError: it is missing, too large, or not JSON.
    """
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise InputError(f"{path} is larger than {_LARGEST_JSON // 2**20} MB", "name a file that Cantilena wrote")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "check the path") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON", "name a file that Cantilena wrote") from error


def read_small_file(path: Path) -> bytes:
    """Read an ordinary file of at most 1 MB that the user named.

    Raises:
        UsageError: it is missing, may not be read, is a folder or a device, or is larger.
    """
    try:
        content = read_regular_file(path, _LARGEST_TEXT + 1)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", "check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be opened: {reason}", "check the path and your rights") from error
    if content is None:
        raise UsageError(f"{path} is not an ordinary file", "name a file, not a folder, a pipe or a device")
    if len(content) > _LARGEST_TEXT:
        raise UsageError(f"{path} is larger than 1 MB", "such files are short: name the right one")
    return content


def read_regular_file(path: Path, most: int) -> bytes | None:
    """Read up to `most` bytes of a file without blocking on a pipe or device; None if it is not a regular file.

    Raises:
        OSError, ValueError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(descriptor)
