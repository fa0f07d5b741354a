"""The history of composed melodies, kept across restarts in an SQLite file in WAL mode.

A file that cannot be read is renamed, never deleted, and a new one is created.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cantilena.errors import UsageError
from cantilena.runtime import log
from cantilena.server import HTTPError, NotFoundError, UnavailableError
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.responses import Entry

MAX_DEPTH = 32
"""How deeply lists and objects in an entry may be nested; much deeper ones cannot be encoded as JSON."""

_VERSION = 1
_WAIT = 5.0
"""Seconds to wait for another studio that writes into the same file."""
_COLUMNS = ("id", "made", "kept", "title", "candidate", "settings")
_TABLES = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    made TEXT NOT NULL,
    kept INTEGER NOT NULL,
    title TEXT NOT NULL,
    candidate BLOB NOT NULL,
    settings BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS kept_entries ON entries (kept, id);
"""
_SELECT = "SELECT id, made, kept, title, candidate, settings FROM entries"
_SELECT_ONE = f"{_SELECT} WHERE id = ?"
_SELECT_PAGE = f"{_SELECT} WHERE id < ? AND (? IS NULL OR kept = ?) ORDER BY id DESC LIMIT ?"
_COUNT = "SELECT count(*) FROM entries WHERE ? IS NULL OR kept = ?"
_DELETE_OLDEST = """
DELETE FROM entries WHERE id IN (
    SELECT id FROM entries WHERE NOT kept AND id <> ? ORDER BY id
    LIMIT max(0, (SELECT count(*) FROM entries) - ?)
)
"""

_Row = tuple[int, str, int, str, bytes, bytes]


class History:
    """The composed melodies, the newest first.

    Args:
        path: the database file; it is created at the first access.
        warn: called with problems that the user should know about.
    """

    def __init__(self, path: Path, warn: Callable[[str], None] = log) -> None:
        self.path = path
        self.warn = warn
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._reported: set[int] = set()

    def add(self, candidate: Mapping[str, Any], settings: Mapping[str, Any], *, kept: bool, title: str) -> Entry:
        """Add a melody; if there are too many, the oldest that is not kept is deleted.

        Raises:
            UsageError: it cannot be stored as JSON, or is nested too deeply.
            HTTPError: the limit of kept entries is reached.
            UnavailableError: the disk is full or the file cannot be written.
        """
        contents = _compress(candidate), _compress(settings)
        made = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._transaction() as database:
            (count_kept,) = database.execute("SELECT count(*) FROM entries WHERE kept").fetchone()
            if count_kept >= LIMITS.history:
                raise HTTPError(f"{LIMITS.history} melodies are kept already", "stop keeping some of them")
            number = database.execute(
                "INSERT INTO entries (made, kept, title, candidate, settings) VALUES (?, ?, ?, ?, ?)",
                (made, int(kept), title, *contents),
            ).lastrowid
            database.execute(_DELETE_OLDEST, (number, LIMITS.history))
            return _entry(database.execute(_SELECT_ONE, (number,)).fetchone())

    def entries(self, *, limit: int, before: int | None = None, kept: bool | None = None) -> tuple[list[Entry], int]:
        """Return a page of entries, the newest first, and how many there are. Damaged entries are left out.

        Args:
            limit: at most that many.
            before: only entries with a smaller id.
            kept: only entries that are kept, or only the others.
        """
        flag = None if kept is None else int(kept)
        with self._transaction() as database:
            rows = database.execute(_SELECT_PAGE, (2**62 if before is None else before, flag, flag, limit)).fetchall()
            (total,) = database.execute(_COUNT, (flag, flag)).fetchone()
        return [entry for row in rows if (entry := self._readable_entry(row)) is not None], int(total)

    def change(self, number: int, *, kept: bool | None = None, title: str | None = None) -> Entry:
        """Change whether an entry is kept, or its title.

        Raises:
            NotFoundError: no entry has this id.
            HTTPError: the entry is damaged.
        """
        with self._transaction() as database:
            database.execute(
                "UPDATE entries SET kept = coalesce(?, kept), title = coalesce(?, title) WHERE id = ?",
                (None if kept is None else int(kept), title, number),
            )
            row = database.execute(_SELECT_ONE, (number,)).fetchone()
        if row is None:
            raise _not_found(number)
        return _entry(row)

    def delete(self, number: int) -> None:
        """Delete an entry.

        Raises:
            NotFoundError: no entry has this id.
        """
        with self._transaction() as database:
            count = database.execute("DELETE FROM entries WHERE id = ?", (number,)).rowcount
        if not count:
            raise _not_found(number)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._disconnect()

    def _readable_entry(self, row: _Row) -> Entry | None:
        try:
            return _entry(row)
        except HTTPError as error:
            if row[0] not in self._reported:
                self._reported.add(row[0])
                self.warn(f"{error.text[0].upper()}{error.text[1:]} and left out")
            return None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Open the database in one transaction."""
        with self._lock:
            try:
                if self._database is not None and not self.path.exists():  # the file was deleted
                    self._disconnect()
                if self._database is None:
                    self._database = self._connect()
                with self._database as database:
                    yield database
            except sqlite3.OperationalError as error:
                raise _unavailable(error) from error
            except sqlite3.DatabaseError as error:
                self._move_aside(error)
                raise UnavailableError(
                    "the history was damaged and has been moved aside", "try again: a new one is created"
                ) from error

    def _connect(self) -> sqlite3.Connection:
        """Open the file, or create a new one if it is damaged."""
        try:
            return _open(self.path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self._move_aside(error)
            return _open(self.path)

    def _disconnect(self) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None

    def _move_aside(self, error: Exception) -> None:
        self._disconnect()
        aside = self.path.with_name(f"{self.path.stem}-damaged-{time.time_ns()}{self.path.suffix}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                self.path.with_name(self.path.name + suffix).rename(aside.with_name(aside.name + suffix))
        self.warn(f"The history is damaged ({error}): it was renamed to {aside.name}, and a new one is created")


def _use_wal(database: sqlite3.Connection) -> None:
    """Switch to a write-ahead log, for which SQLite does not wait while another connection is open in the middle."""
    deadline = time.monotonic() + _WAIT
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_WAIT, check_same_thread=False)
    try:
        _use_wal(database)
        database.execute("PRAGMA synchronous=FULL")
        (state,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise sqlite3.DatabaseError(state)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise UnavailableError(
                "the history was written by a newer version of Cantilena", "update Cantilena, or give another --home"
            )
        with database:
            columns = {name for _, name, *_ in database.execute("PRAGMA table_info(entries)")}
            if columns and not {*_COLUMNS} <= columns:
                raise sqlite3.DatabaseError("it is not a history")
            database.executescript(_TABLES)
            database.execute(f"PRAGMA user_version={_VERSION}")
    except BaseException:
        database.close()
        raise
    return database


def _compress(value: Mapping[str, Any]) -> bytes:
    _check_depth(value)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise UsageError("the entry cannot be stored as JSON", "send finite numbers and valid Unicode") from error
    return zlib.compress(text, 6)


def _decompress(stored: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(zlib.decompress(stored))
    _check_depth(value)
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, Mapping | list)
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        if not level:
            return
    raise UsageError("the entry is nested too deeply", f"send at most {MAX_DEPTH} levels")


def _entry(row: _Row) -> Entry:
    number, made, kept, title, candidate, settings = row
    try:
        return Entry(
            id=number,
            made=made,
            kept=bool(kept),
            title=title,
            candidate=_decompress(candidate),
            settings=_decompress(settings),
        )
    except (ValueError, TypeError, zlib.error, UsageError) as error:
        raise HTTPError(f"entry {number} of the history is damaged", "delete it") from error


def _not_found(number: int) -> NotFoundError:
    return NotFoundError(f"the history has no entry {number}", "GET /api/history lists the entries")


def _unavailable(error: sqlite3.OperationalError) -> UnavailableError:
    text = str(error)
    if "full" in text:
        return UnavailableError("the disk is full: the melody was not saved", "free some space, and try again")
    if "locked" in text:
        return UnavailableError("the history is in use by another program", "try again in a moment")
    return UnavailableError(
        f"the history cannot be used: {text}", "check the permissions of the studio's folder, or give another --home"
    )
