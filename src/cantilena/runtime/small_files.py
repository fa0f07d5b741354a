"""Files that a user names on the command line: ordinary ones, and small."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cantilena.errors import UsageError

_MOST_BYTES = 2**20


def small_file(path: Path) -> bytes:
    """The content of an ordinary file of at most 1 MB, opened so that neither a pipe nor a device makes us wait.

    Args:
        path: the file.

    Raises:
        UsageError: it is missing, may not be read, is a folder or a device, or is larger.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{path} is not an ordinary file", "name a file, not a folder, a pipe or a device")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(_MOST_BYTES + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", "check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be opened: {reason}", "check the path and your rights") from error
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{path} is larger than 1 MB", "such files are short: name the right one")
    return content
