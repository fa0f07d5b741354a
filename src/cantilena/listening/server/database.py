"""The book of answers: one SQLite file to which rows are added and in which none is ever changed.

What was answered is on the disk before the listener is told so (WAL mode, `synchronous=FULL`); triggers refuse every
update and delete, whoever asks. `listeners` and `answers` are the tables that the analysis reads. Of a listener nothing
is kept but a random name; of their key only its hash, so that the file lets nobody sit in their place.

The file of a book of answers: its tables, whose rows no statement can change, and how it is opened.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from cantilena.errors import InputError
from cantilena.listening.analysis.answers import SCHEMA, Given, Listener
from cantilena.listening.server.session import Done, Seat, free_session
from cantilena.server import NotFoundError, TooManyRequestsError, UnavailableError

_OURS = 0x43414E54
"""SQLite's `application_id` of our files."""

_TABLES = ("study", "sittings", "steps", "listeners", "answers")
_MORE = """
CREATE TABLE study (digest TEXT NOT NULL, ticket_key BLOB NOT NULL);
CREATE TABLE sittings (key_hash TEXT PRIMARY KEY, listener TEXT NOT NULL UNIQUE);
CREATE TABLE steps (
    listener TEXT NOT NULL, step TEXT NOT NULL, said TEXT NOT NULL, PRIMARY KEY (listener, step));
"""
_NEVER = """
CREATE TRIGGER {table}_never_{what} BEFORE {what} ON {table}
BEGIN SELECT RAISE(ABORT, 'rows are added and never changed'); END;
"""


def opened_book(path: Path, digest: str) -> sqlite3.Connection:
    """Open a book, or make it where there is none; it waits ten seconds for whoever writes in it.

    Args:
        path: of the file.
        digest: of the study.

    Raises:
        InputError: the file is another's, or of another study.
        sqlite3.Error: it cannot be used.
    """
    database = sqlite3.connect(path, timeout=10.0, check_same_thread=False, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous=FULL")
        if not _tables(database, path):
            database.execute("PRAGMA journal_mode=WAL")
            _make_tables(database, path, digest)
        (found,) = database.execute("SELECT digest FROM study").fetchone() or ("nobody",)
        if found != digest:
            raise InputError(
                f"{path} holds answers to another study ({str(found)[:12]})",
                f"give another file with --answers; this study is {digest[:12]}",
            )
    except BaseException:
        database.close()
        raise
    return database


def _tables(database: sqlite3.Connection, path: Path) -> set[str]:
    """The tables of the file, all of ours or none."""
    # In this order: another server may make all at once between the two, and what has tables has its mark by then.
    tables = {str(name) for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    (ours,) = database.execute("PRAGMA application_id").fetchone()
    if tables and (ours != _OURS or not {*_TABLES} <= tables):
        raise InputError(f"{path} holds something else than answers", "give another file with --answers")
    return tables


def _make_tables(database: sqlite3.Connection, path: Path, digest: str) -> None:
    """Make all tables in one transaction, unless another server that was started with this one has made them."""
    never = [_NEVER.format(table=table, what=what) for table in _TABLES for what in ("UPDATE", "DELETE")]
    database.execute("BEGIN IMMEDIATE")
    if not _tables(database, path):
        for statement in _statements(f"{SCHEMA} {_MORE} {''.join(never)}"):
            database.execute(statement)
        database.execute("INSERT INTO study VALUES (?, ?)", (digest, secrets.token_bytes(32)))
        database.execute(f"PRAGMA application_id={_OURS}")
    database.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script: `executescript` would end the transaction before the first."""
    begun = ""
    for part in script.split(";"):
        begun += f"{part};"
        if sqlite3.complete_statement(begun):
            if begun.strip(" \n;"):
                yield begun
            begun = ""


_GIVEN = ", ".join(field.name for field in fields(Given))
_LISTENER = ", ".join(field.name for field in fields(Listener))


@dataclass(frozen=True)
class Sitting:
    """One listener, as the book has them.

    Args:
        listener: the random name.
        done: what they did.
    """

    listener: str
    done: Done


class Book:
    """The answers to one study.

    Args:
        path: of the file; it is made if it is not there.
        digest: of the study.

    Raises:
        InputError: the file is another's, of another study, or cannot be used.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path, self.digest = path, digest
        self._lock = threading.Lock()
        try:
            self._database = opened_book(path, digest)
        except sqlite3.Error as error:
            raise InputError(
                f"{path} cannot be used for answers: {error}", "give another file with --answers"
            ) from error
        except OSError as error:
            raise InputError(f"cannot open {path}: {error.strerror}", "give another file with --answers") from error

    def begin(self, most: int) -> str:
        """Begin a sitting of somebody who consented; gives the key that they come back with.

        Args:
            most: sittings that there may be.

        Raises:
            CrowdedError: there are as many.
        """
        key = secrets.token_urlsafe(24)
        with self._adding() as database:
            (count,) = database.execute("SELECT count(*) FROM sittings").fetchone()
            if count >= most:
                raise TooManyRequestsError("too many have begun", "ask the people who run the study")
            name = f"listener-{secrets.token_hex(6)}"
            database.execute("INSERT INTO sittings VALUES (?, ?)", (_hashed(key), name))
        return key

    def sitting(self, key: str) -> Sitting:
        """The sitting that a key opens.

        Raises:
            UnknownError: none.
        """
        with self._reading() as database:
            row = database.execute("SELECT listener FROM sittings WHERE key_hash = ?", (_hashed(key),)).fetchone()
        if row is None:
            raise NotFoundError("there is no such sitting", "open the study's link and begin")
        return self.of_listener(str(row[0]))

    def of_listener(self, listener: str) -> Sitting:
        """The sitting of a listener, as it is written down now."""
        of = (listener,)
        with self._reading() as database:
            steps = dict(database.execute("SELECT step, said FROM steps WHERE listener = ?", of).fetchall())
            seat = database.execute("SELECT session FROM listeners WHERE listener = ?", of).fetchone()
            (answered,) = database.execute("SELECT count(*) FROM answers WHERE listener = ?", of).fetchone()
        return Sitting(listener, Done(steps, None if seat is None else int(seat[0]), int(answered)))

    def write_step(self, listener: str, step: str, said: str) -> None:
        """Write down that something was done; what was written first stands."""
        with self._adding() as database:
            database.execute("INSERT INTO steps VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (listener, step, said))

    def seat(self, listener: Listener, sessions: int, *, trials: list[int], every: bool, hour: int) -> bool:
        """Give a listener the next free session, once; whether one was free.

        Who failed the headphone check gets one too, and takes it from nobody (`sittings/seats.py`).

        Args:
            listener: what is written down of them; their `session` is not read.
            sessions: how many the study has.
            trials: of each session.
            every: whether listeners count who failed the headphone check.
            hour: of now, since 1970.
        """
        with self._adding() as database:
            if database.execute("SELECT 1 FROM listeners WHERE listener = ?", (listener.listener,)).fetchone():
                return True
            rows = database.execute(
                "SELECT session, headphones, (SELECT count(*) FROM answers a WHERE a.listener = l.listener),"
                " (SELECT said FROM steps s WHERE s.listener = l.listener AND s.step = 'seated') FROM listeners l"
            ).fetchall()
            seats = [
                Seat(session, bool(headphones or every), answered >= trials[session], int(seated))
                for session, headphones, answered, seated in rows
            ]
            free = free_session(seats, sessions, hour)
            if free is None:
                return False
            row = astuple(listener)
            database.execute(f"INSERT INTO listeners ({_LISTENER}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                             (*row[:2], free, *row[3:]))  # fmt: skip
            database.execute("INSERT INTO steps VALUES (?, 'seated', ?)", (listener.listener, str(hour)))
        return True

    def write_answer(self, given: Given) -> None:
        """Write down an answer; the first to a trial stands."""
        with self._adding() as database:
            database.execute(f"INSERT INTO answers ({_GIVEN}) VALUES ({', '.join('?' * 10)}) ON CONFLICT DO NOTHING",  # noqa: S608
                             astuple(given))  # fmt: skip

    def listeners(self) -> list[Listener]:
        """All who began the trials, in that order."""
        with self._reading() as database:
            rows = database.execute(f"SELECT {_LISTENER} FROM listeners ORDER BY rowid").fetchall()  # noqa: S608
        return [Listener(a, b, c, bool(d), bool(e), f, bool(g)) for a, b, c, d, e, f, g in rows]

    def answers(self, listener: str | None = None) -> list[Given]:
        """All answers, or those of one listener."""
        with self._reading() as database:
            rows = database.execute(
                f"SELECT {_GIVEN} FROM answers WHERE ? IS NULL OR listener = ? ORDER BY rowid",  # noqa: S608
                (listener, listener),
            ).fetchall()
        return [Given(a, b, c, d, e, f, bool(g), h, i, j) for a, b, c, d, e, f, g, h, i, j in rows]

    def sittings(self) -> int:
        """How many consented."""
        with self._reading() as database:
            return int(database.execute("SELECT count(*) FROM sittings").fetchone()[0])

    @property
    def ticket_key(self) -> bytes:
        """What tickets are signed with."""
        with self._reading() as database:
            return bytes(database.execute("SELECT ticket_key FROM study").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, suppress(sqlite3.Error):
            self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as error:
                raise _sentence(error) from error

    @contextmanager
    def _adding(self) -> Iterator[sqlite3.Connection]:
        """The file inside one transaction: when this is left without an error, what was added is on the disk."""
        with self._lock:
            if not self.path.exists():
                raise UnavailableError("the file of the answers was taken away", "tell the people who run the study")
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                raise _sentence(error) from error
            finally:
                if self._database.in_transaction:
                    with suppress(sqlite3.Error):
                        self._database.execute("ROLLBACK")


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _sentence(error: sqlite3.Error) -> UnavailableError:
    said = str(error)
    if "full" in said:
        return UnavailableError("the disk is full", "tell the people who run the study; nothing that you said is lost")
    return UnavailableError("the answer could not be written down", "try again; nothing that you said before is lost")
