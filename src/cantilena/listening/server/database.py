"""The database of answers: an SQLite file to which rows are added and in which none is changed.

An answer is on disk before it is acknowledged (WAL mode, `synchronous=FULL`), and triggers reject every update and
delete. The analysis reads the tables `listeners` and `answers`. Of a participant only a random name is stored, and of
the key with which they return only a hash, so nobody who reads the file can continue in their place.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, fields, replace
from pathlib import Path

from cantilena.errors import InputError
from cantilena.listening.analysis.answers import SCHEMA, Answer, Listener
from cantilena.listening.server.session import Assignment, Participant, free_session
from cantilena.server import NotFoundError, TooManyRequestsError, UnavailableError

_APPLICATION_ID = 0x43414E54
_TABLES = ("study", "sittings", "steps", "listeners", "answers")
_PATIENCE = 10.0
"""Seconds to wait for a lock of another process."""

_SERVER_SCHEMA = """
CREATE TABLE study (digest TEXT NOT NULL, ticket_key BLOB NOT NULL);
CREATE TABLE sittings (key_hash TEXT PRIMARY KEY, listener TEXT NOT NULL UNIQUE);
CREATE TABLE steps (
    listener TEXT NOT NULL, step TEXT NOT NULL, said TEXT NOT NULL, PRIMARY KEY (listener, step));
"""
_TRIGGER = """
CREATE TRIGGER {table}_never_{what} BEFORE {what} ON {table}
BEGIN SELECT RAISE(ABORT, 'rows are added and never changed'); END;
"""
_ANSWER = ", ".join(field.name for field in fields(Answer))
_LISTENER = ", ".join(field.name for field in fields(Listener))


class AnswerStore:
    """The answers to one study; the file is created if it is missing."""

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._database = _open_database(path, digest)
        except sqlite3.Error as error:
            raise InputError(
                f"{path} cannot be used for answers: {error}", "give another file with --answers"
            ) from error

    def add_participant(self, limit: int) -> str:
        """Add a participant who consented, and return the key with which they return."""
        key = secrets.token_urlsafe(24)
        with self._transaction() as database:
            if _count(database, "sittings") >= limit:
                raise TooManyRequestsError("too many participants have begun", "contact the organisers of the study")
            name = f"listener-{secrets.token_hex(6)}"
            database.execute("INSERT INTO sittings VALUES (?, ?)", (_hashed(key), name))
        return key

    def participant(self, key: str) -> Participant:
        """Return the participant with a key."""
        with self._reading() as database:
            row = database.execute("SELECT listener FROM sittings WHERE key_hash = ?", (_hashed(key),)).fetchone()
        if row is None:
            raise NotFoundError("the key of the session is missing or invalid", "open the link of the study and begin")
        return self.reload(str(row[0]))

    def reload(self, listener: str) -> Participant:
        """Return what a participant has completed by now."""
        name = (listener,)
        with self._reading() as database:
            steps = dict(database.execute("SELECT step, said FROM steps WHERE listener = ?", name).fetchall())
            session = database.execute("SELECT session FROM listeners WHERE listener = ?", name).fetchone()
            (answered,) = database.execute("SELECT count(*) FROM answers WHERE listener = ?", name).fetchone()
        return Participant(listener, steps, None if session is None else int(session[0]), int(answered))

    def add_step(self, listener: str, step: str, value: str) -> None:
        """Store a completed step; the first value is kept."""
        with self._transaction() as database:
            database.execute("INSERT INTO steps VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (listener, step, value))

    def assign_session(self, listener: Listener, trials: list[int], *, all_count: bool, hour: int) -> bool:
        """Give a listener the next free session, once; return whether there was one.

        A listener who failed the headphone check gets one too, but does not occupy it unless `all_count`. `trials` has
        the number of trials of each session; `hour` is the current hour since 1970.
        """
        with self._transaction() as database:
            if database.execute("SELECT 1 FROM listeners WHERE listener = ?", (listener.listener,)).fetchone():
                return True
            rows = database.execute(
                "SELECT session, headphones, (SELECT count(*) FROM answers a WHERE a.listener = l.listener),"
                " (SELECT said FROM steps s WHERE s.listener = l.listener AND s.step = 'seated') FROM listeners l"
            ).fetchall()
            assignments = [
                Assignment(session, bool(headphones or all_count), answered >= trials[session], int(since))
                for session, headphones, answered, since in rows
            ]
            session = free_session(assignments, len(trials), hour)
            if session is None:
                return False
            _insert(database, "listeners", _LISTENER, replace(listener, session=session))
            database.execute("INSERT INTO steps VALUES (?, 'seated', ?)", (listener.listener, str(hour)))
        return True

    def add_answer(self, answer: Answer) -> None:
        """Store an answer; the first answer to a trial is kept."""
        with self._transaction() as database:
            _insert(database, "answers", _ANSWER, answer)

    def listeners(self) -> list[Listener]:
        """Return all who began the trials, in that order."""
        with self._reading() as database:
            rows = database.execute(f"SELECT {_LISTENER} FROM listeners ORDER BY rowid").fetchall()  # noqa: S608
        return [Listener(a, b, c, bool(d), bool(e), f, bool(g)) for a, b, c, d, e, f, g in rows]

    def answers(self, listener: str | None = None) -> list[Answer]:
        """Return all answers, or those of one listener."""
        with self._reading() as database:
            rows = database.execute(
                f"SELECT {_ANSWER} FROM answers WHERE ? IS NULL OR listener = ? ORDER BY rowid",  # noqa: S608
                (listener, listener),
            ).fetchall()
        return [Answer(a, b, c, d, e, f, bool(g), h, i, j) for a, b, c, d, e, f, g, h, i, j in rows]

    def count_participants(self) -> int:
        """Return how many consented."""
        with self._reading() as database:
            return _count(database, "sittings")

    @property
    def signing_key(self) -> bytes:
        """The key of signed tokens."""
        with self._reading() as database:
            return bytes(database.execute("SELECT ticket_key FROM study").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock, suppress(sqlite3.Error):
            self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as error:
                raise _storage_error(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction: when it ends without an error, what was added is on disk."""
        with self._lock:
            if not self.path.exists():
                raise UnavailableError("the file of the answers was removed", "contact the organisers of the study")
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                raise _storage_error(error) from error
            finally:
                if self._database.in_transaction:
                    with suppress(sqlite3.Error):
                        self._database.execute("ROLLBACK")


def _open_database(path: Path, digest: str) -> sqlite3.Connection:
    """Open or create the file; a lock of another process is waited for up to ten seconds."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return _opened(path, digest)
        except sqlite3.OperationalError as error:
            # SQLite does not wait itself where two connections change the journal's mode at once.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _opened(path: Path, digest: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous=FULL")
        if not _has_tables(database, path):
            database.execute("PRAGMA journal_mode=WAL")
            _create_tables(database, path, digest)
        (stored,) = database.execute("SELECT digest FROM study").fetchone() or ("none",)
        if stored != digest:
            raise InputError(
                f"{path} has answers to another study ({str(stored)[:12]})",
                f"give another file with --answers; this study is {digest[:12]}",
            )
    except BaseException:
        database.close()
        raise
    return database


def _has_tables(database: sqlite3.Connection, path: Path) -> bool:
    """Whether the file has all tables; a file with others is refused."""
    # In this order: another server may create all tables between the two queries, and sets the ID in the same
    # transaction.
    tables = {str(name) for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    (application_id,) = database.execute("PRAGMA application_id").fetchone()
    if tables and (application_id != _APPLICATION_ID or not {*_TABLES} <= tables):
        raise InputError(f"{path} is not a file of answers", "give another file with --answers")
    return bool(tables)


def _create_tables(database: sqlite3.Connection, path: Path, digest: str) -> None:
    """Create all tables in one transaction, unless another server has created them in the meantime."""
    triggers = [_TRIGGER.format(table=table, what=what) for table in _TABLES for what in ("UPDATE", "DELETE")]
    database.execute("BEGIN IMMEDIATE")
    if not _has_tables(database, path):
        for statement in (*f"{SCHEMA}{_SERVER_SCHEMA}".split(";"), *triggers):
            database.execute(statement)
        database.execute("INSERT INTO study VALUES (?, ?)", (digest, secrets.token_bytes(32)))
        database.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    database.execute("COMMIT")


def _insert(database: sqlite3.Connection, table: str, columns: str, row: Listener | Answer) -> None:
    values = astuple(row)
    places = ", ".join("?" * len(values))
    database.execute(f"INSERT INTO {table} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING", values)  # noqa: S608


def _count(database: sqlite3.Connection, table: str) -> int:
    return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _storage_error(error: sqlite3.Error) -> UnavailableError:
    if "full" in str(error):
        return UnavailableError("the disk is full", "contact the organisers of the study; no previous answer is lost")
    return UnavailableError("the answer could not be stored", "try again; no previous answer is lost")
