"""The file of a book of answers: its tables, whose rows no statement can change, and how it is opened."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from cantilena.errors import InputError
from cantilena.listening.analysis.answers import SCHEMA

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
