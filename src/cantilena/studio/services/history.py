"""The history: what was composed, kept on this computer across restarts.

One SQLite file in WAL mode: what was answered is on the disk, whatever ends the process. A file that cannot be read is
moved aside, never deleted, and a new one begun.

Rows of the history: an entry as it lies in the database, and as it is answered.
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
from cantilena.server import LateError, RefusalError, UnknownError
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.responses import Entry

Row = tuple[int, str, int, str, bytes, bytes]
"""id, made, kept, title, candidate and settings, the last two packed."""

DEEPEST = 32
"""Lists and objects within each other in an entry; what is much deeper cannot be answered again."""


def packed(value: Mapping[str, Any]) -> bytes:
    """A JSON object as it is stored.

    Raises:
        UsageError: it is no JSON, or nested too deeply.

    Example:
        >>> zlib.decompress(packed({"title": "Étude"})).decode()
        '{"title":"Étude"}'
    """
    _check_depth(value)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise UsageError(
            "this cannot be remembered: it is no JSON", "send numbers that are finite, and UTF-8"
        ) from error
    return zlib.compress(text, 6)


def entry_of(row: Row) -> Entry:
    """An entry from its row.

    Raises:
        RefusalError: the row is damaged.
    """
    number, made, kept, title, candidate, settings = row
    try:
        return Entry(
            id=number,
            made=made,
            kept=bool(kept),
            title=title,
            candidate=_unpacked(candidate),
            settings=_unpacked(settings),
        )
    except (ValueError, TypeError, zlib.error, UsageError) as error:
        raise RefusalError(f"entry {number} of the history is damaged", "delete it") from error


def _unpacked(stored: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(zlib.decompress(stored))
    _check_depth(value)
    return value


def _check_depth(value: object) -> None:
    """Refuse what is nested too deeply, looking at one level after the other."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, Mapping | list)
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        if not level:
            return
    raise UsageError("this cannot be remembered: it is nested too deeply", f"send {DEEPEST} levels or fewer")


_VERSION = 1
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
_COLUMNS = ("id", "made", "kept", "title", "candidate", "settings")
_ONE = "SELECT id, made, kept, title, candidate, settings FROM entries WHERE id = ?"
_COUNT = "SELECT count(*) FROM entries WHERE ? IS NULL OR kept = ?"
_SOME = "SELECT id, made, kept, title, candidate, settings FROM entries WHERE id < ? AND (? IS NULL OR kept = ?)"


class History:
    """The melodies that were composed, the newest first.

    Args:
        path: of the database; it is made when it is first asked for.
        tell: is told where something happened that a person should know.
    """

    def __init__(self, path: Path, tell: Callable[[str], None] = log) -> None:
        self.path = path
        self.tell = tell
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._left_out: set[int] = set()

    def add(self, candidate: Mapping[str, Any], settings: Mapping[str, Any], *, kept: bool, title: str) -> Entry:
        """Remember a melody; where there are too many, the oldest that is not kept goes.

        Raises:
            UsageError: it cannot be stored: no JSON, or too large.
            RefusalError: as many are kept as may be.
            LateError: the disk says no.
        """
        contents = packed(candidate), packed(settings)
        made = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._open() as database:
            (kept_already,) = database.execute("SELECT count(*) FROM entries WHERE kept").fetchone()
            if kept_already >= LIMITS.history:
                raise RefusalError(f"{LIMITS.history} melodies are kept already", "let go of some of them")
            cursor = database.execute(
                "INSERT INTO entries (made, kept, title, candidate, settings) VALUES (?, ?, ?, ?, ?)",
                (made, int(kept), title, *contents),
            )
            database.execute(
                "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE NOT kept AND id <> ? ORDER BY id"
                " LIMIT max(0, (SELECT count(*) FROM entries) - ?))",
                (cursor.lastrowid, LIMITS.history),
            )
            return entry_of(database.execute(_ONE, (cursor.lastrowid,)).fetchone())

    def entries(self, *, limit: int, before: int | None = None, kept: bool | None = None) -> tuple[list[Entry], int]:
        """Some entries, the newest first, and how many there are; damaged ones are left out, and told of.

        Args:
            limit: how many at the most.
            before: only older ones than this.
            kept: only those that are kept, or only the others.
        """
        flag = None if kept is None else int(kept)
        with self._open() as database:
            rows = database.execute(
                f"{_SOME} ORDER BY id DESC LIMIT ?",
                (2**62 if before is None else before, flag, flag, limit),
            ).fetchall()
            (total,) = database.execute(_COUNT, (flag, flag)).fetchone()
        return [entry for row in rows if (entry := self._read(row)) is not None], int(total)

    def change(self, number: int, *, kept: bool | None = None, title: str | None = None) -> Entry:
        """Keep an entry or let it go, or call it otherwise.

        Raises:
            UnknownError: there is none of that number.
            RefusalError: it is damaged.
        """
        with self._open() as database:
            database.execute(
                "UPDATE entries SET kept = coalesce(?, kept), title = coalesce(?, title) WHERE id = ?",
                (None if kept is None else int(kept), title, number),
            )
            row = database.execute(_ONE, (number,)).fetchone()
        if row is None:
            raise _unknown()
        return entry_of(row)

    def delete(self, number: int) -> None:
        """Forget an entry.

        Raises:
            UnknownError: there is none of that number.
        """
        with self._open() as database:
            gone = database.execute("DELETE FROM entries WHERE id = ?", (number,)).rowcount
        if not gone:
            raise _unknown()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._database is not None:
                with suppress(sqlite3.Error):
                    self._database.close()
                self._database = None

    def _read(self, row: Row) -> Entry | None:
        try:
            return entry_of(row)
        except RefusalError as error:
            if row[0] not in self._left_out:
                self._left_out.add(row[0])
                self.tell(f"{error.text[0].upper()}{error.text[1:]} and left out")
            return None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The database inside one transaction, which is kept whole or not at all."""
        with self._lock:
            try:
                if self._database is not None and not self.path.exists():  # somebody took it away
                    self._database.close()
                    self._database = None
                if self._database is None:
                    self._database = self._connected()
                with self._database as database:
                    yield database
            except sqlite3.OperationalError as error:
                raise _sentence(error) from error
            except sqlite3.DatabaseError as error:
                self._move_aside(error)
                raise LateError(
                    "the history could not be read and was put aside", "try it again: a new one is begun"
                ) from error

    def _connected(self) -> sqlite3.Connection:
        """A connection, to a new file if the one that is there is damaged."""
        try:
            return self._checked()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self._move_aside(error)
            return self._checked()

    def _checked(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=5.0, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            (state,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if state != "ok":
                raise sqlite3.DatabaseError(state)
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise LateError(
                    "the history was written by a newer Cantilena", "update Cantilena, or give another --home"
                )
            with database:
                columns = [name for _, name, *_ in database.execute("PRAGMA table_info(entries)")]
                if columns and not {*_COLUMNS} <= {*columns}:
                    raise sqlite3.DatabaseError("it is not a history")
                database.executescript(_TABLES)
                database.execute(f"PRAGMA user_version={_VERSION}")
        except BaseException:
            database.close()
            raise
        return database

    def _move_aside(self, error: Exception) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        aside = self.path.with_name(f"{self.path.stem}-damaged-{time.time_ns()}{self.path.suffix}")
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                self.path.with_name(self.path.name + ending).rename(aside.with_name(aside.name + ending))
        self.tell(f"The history could not be read ({error}); it lies in {aside.name} now, and a new one is begun")


def _unknown() -> UnknownError:
    return UnknownError("there is no such entry in the history", "GET /api/history lists them")


def _sentence(error: sqlite3.OperationalError) -> LateError:
    said = str(error)
    if "full" in said:
        return LateError("the disk is full: this is not remembered", "make room, and try again")
    if "locked" in said:
        return LateError("the history is busy", "try again in a moment")
    return LateError(
        f"the history cannot be used: {said}", "check the rights of the studio's folder, or give another --home"
    )
