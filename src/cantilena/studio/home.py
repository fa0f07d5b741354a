"""The studio's own folder: its history and the models that were tuned in it."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from cantilena.errors import InputError


def usual_home() -> Path:
    """Where a studio keeps its things unless it is told otherwise: the folder that the system has for such."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "cantilena" / "studio"
    told = os.environ.get("XDG_DATA_HOME", "")
    data = Path(told) if Path(told).is_absolute() else Path.home() / ".local" / "share"
    return data / "cantilena" / "studio"


class Home:
    """A folder that one or several studios share.

    Args:
        folder: where it is; it is made if it is not there.

    Raises:
        InputError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.history = folder / "history.sqlite3"
        self._lock: IO[bytes] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InputError(
                f"cannot make the studio's folder {folder}: {error.strerror or error}", "give another one: --home DIR"
            ) from error

    def take(self) -> bool:
        """Say that a studio is open here; whether it is the only one, and may clear away what a killed one left."""
        self.leave()
        try:
            self._lock = (self.folder / "open").open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def share(self) -> None:
        """Let other studios open here too."""
        if self._lock is not None:
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Say that this studio is closed."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
