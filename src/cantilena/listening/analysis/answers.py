"""The answers of listeners as two tables, `listeners` and `answers`, in CSV files or in SQLite.

CSV: `listeners.csv` and `answers.csv` in a folder. SQLite: tables of these names in one file. `docs/listening.md`
describes every column; other columns are ignored. Answers refer to clips, not to arms, so the tables alone do not
reveal which clips were human.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from cantilena.errors import InputError
from cantilena.listening.study.study import TrialKind
from cantilena.runtime import write_text

SCHEMA = """
CREATE TABLE listeners (
    study TEXT NOT NULL, listener TEXT PRIMARY KEY, session INTEGER NOT NULL, simulated INTEGER NOT NULL,
    consent INTEGER NOT NULL, years_of_training REAL, headphones INTEGER NOT NULL);
CREATE TABLE answers (
    listener TEXT NOT NULL REFERENCES listeners, position INTEGER NOT NULL, kind TEXT NOT NULL, clip TEXT NOT NULL,
    answer TEXT NOT NULL CHECK (answer IN ('human', 'computer')),
    confidence INTEGER NOT NULL CHECK (confidence BETWEEN 1 AND 4), knows_piece INTEGER NOT NULL,
    seconds_heard REAL NOT NULL, liking INTEGER, classical INTEGER, PRIMARY KEY (listener, position));
"""
"""The two tables in SQLite."""

_MAX_ROWS = 1_000_000
_MAX_BYTES = 256 * 2**20

_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Flag = Annotated[bool, Field(strict=True), BeforeValidator(lambda cell: {"0": False, "1": True}.get(str(cell), cell))]
_Rating = Annotated[int, Field(ge=1, le=7)]


@dataclass(frozen=True)
class Listener:
    """A row of `listeners`: digest of the study, random name, session, and properties of the listener."""

    study: _Text
    listener: _Text
    session: Annotated[int, Field(ge=0, le=10**6)]
    simulated: _Flag
    consent: _Flag
    years_of_training: Annotated[float, Field(ge=0, le=120, allow_inf_nan=False)] | None
    headphones: _Flag


@dataclass(frozen=True)
class Answer:
    """A row of `answers`: one trial of one listener; the ratings are optional."""

    listener: _Text
    position: Annotated[int, Field(ge=0, le=10**4)]
    kind: TrialKind
    clip: _Text
    answer: Literal["human", "computer"]
    confidence: Annotated[int, Field(ge=1, le=4)]
    knows_piece: _Flag
    seconds_heard: Annotated[float, Field(ge=0, le=10**5, allow_inf_nan=False)]
    liking: _Rating | None = None
    classical: _Rating | None = None


@dataclass(frozen=True)
class AnswerTables:
    """Both tables.

    Args:
        listeners: the listeners who took part.
        answers: their answers.

    Raises:
        InputError: human and simulated listeners are mixed, or rows are duplicate or inconsistent.
    """

    listeners: tuple[Listener, ...]
    answers: tuple[Answer, ...]

    def __post_init__(self) -> None:
        names = {row.listener for row in self.listeners}
        if len(names) < len(self.listeners):
            raise InputError("a listener is in the table `listeners` twice", "give every listener another name")
        if len({row.simulated for row in self.listeners}) > 1:
            raise InputError("human and simulated listeners are in one table", "analyse them separately")
        if unknown := {row.listener for row in self.answers} - names:
            raise InputError(
                f"the table `answers` has answers of {min(unknown)[:40]!r}, who is not in `listeners`",
                "add the listener",
            )
        if len({(row.listener, row.position) for row in self.answers}) < len(self.answers):
            raise InputError("a listener answered a trial twice", "keep the first answer to each trial")

    @property
    def simulated(self) -> bool:
        """Whether the listeners are simulated."""
        return any(row.simulated for row in self.listeners)


def read_answers(path: Path) -> AnswerTables:
    """Read answers from a folder with two CSV files, or from an SQLite file.

    Raises:
        InputError: there are none, or a row is invalid; the text says which.
    """
    if path.is_dir():
        listeners, answers = _csv_rows(path / "listeners.csv"), _csv_rows(path / "answers.csv")
    else:
        listeners, answers = _sqlite_rows(path)
    return AnswerTables(_validate(listeners, Listener, "listeners"), _validate(answers, Answer, "answers"))


def write_answers(tables: AnswerTables, folder: Path, *, overwrite: bool = False) -> None:
    """Write `listeners.csv` and `answers.csv`.

    Raises:
        RunError: a file exists and `overwrite` is off.
        InputError: a file cannot be written.
    """
    write_text(folder / "listeners.csv", csv_text(Listener, tables.listeners), overwrite=overwrite)
    write_text(folder / "answers.csv", csv_text(Answer, tables.answers), overwrite=overwrite)


def csv_text(kind: type[Listener] | type[Answer], rows: Iterable[Listener | Answer]) -> str:
    """Return rows of one kind as CSV, with truth values as 0 and 1."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([field.name for field in fields(kind)])
    writer.writerows([int(cell) if isinstance(cell, bool) else cell for cell in astuple(row)] for row in rows)
    return file.getvalue()


def _csv_rows(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is too large for a table of answers", "give another file")
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [row for _, row in zip(range(_MAX_ROWS + 1), csv.DictReader(file), strict=False)]
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "give a folder with listeners.csv and answers.csv"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not CSV in UTF-8", "export it again") from error


def _sqlite_rows(path: Path) -> tuple[Sequence[Mapping[str, Any]], ...]:
    if not path.is_file():
        raise InputError(f"there are no answers at {path}", "give a folder of CSV files, or an SQLite file")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return tuple(
                [dict(row) for row in database.execute(f"SELECT * FROM {table} LIMIT {_MAX_ROWS + 1}")]  # noqa: S608
                for table in ("listeners", "answers")
            )
    except sqlite3.Error as error:
        raise InputError(
            f"{path} has no tables of answers: {error}", "give the file that `listen serve` wrote"
        ) from error


T = TypeVar("T", Listener, Answer)


def _validate(rows: Sequence[Mapping[str, Any]], kind: type[T], table: str) -> tuple[T, ...]:
    if not rows:
        raise InputError(f"the table {table} is empty", "collect answers before the analysis")
    if len(rows) > _MAX_ROWS:
        raise InputError(f"the table {table} has more than {_MAX_ROWS:,} rows", "give a table of answers")
    names = [field.name for field in fields(kind)]
    cells = [{name: _stripped(row.get(name)) for name in names} for row in rows]
    try:
        return TypeAdapter(tuple[kind, ...]).validate_python(cells)  # type: ignore[valid-type]
    except ValidationError as error:
        first = error.errors()[0]
        row, column = first["loc"][:2]
        raise InputError(
            f"row {int(row) + 1} of {table}: {column} is {str(first['input'])[:20]!r}: {first['msg']}",
            "docs/listening.md describes the columns",
        ) from error


def _stripped(cell: Any) -> Any:  # noqa: ANN401  (what a table holds)
    """A cell without surrounding space; None if it is empty."""
    return cell.strip() or None if isinstance(cell, str) else cell
