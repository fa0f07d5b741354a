"""People's answers as tables: what is kept of a listener, and of each trial.

Two tables, as CSV files `listeners.csv` and `answers.csv` in a folder, or as the tables `listeners` and `answers` of
one SQLite file. `docs/listening.md` describes every column. Answers name clips, never arms: whoever sees them alone
learns nothing of what was what. Further columns are let pass.
"""

from __future__ import annotations

import csv
import io
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from cantilena.errors import InputError
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
"""The two tables in SQLite; rows are added and never changed."""

_MOST_ROWS = 1_000_000
_MOST_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Listener:
    """A row of `listeners`: study (its digest), listener, session, simulated, consent, training, headphones passed."""

    study: str
    listener: str
    session: int
    simulated: bool
    consent: bool
    years_of_training: float | None
    headphones: bool


@dataclass(frozen=True)
class Given:
    """A row of `answers`: one trial of one listener; ratings are 1 to 7 or nothing."""

    listener: str
    position: int
    kind: str
    clip: str
    answer: str
    confidence: int
    knows_piece: bool
    seconds_heard: float
    liking: int | None = None
    classical: int | None = None


@dataclass(frozen=True)
class Answers:
    """Both tables.

    Args:
        listeners: who took part.
        given: what they answered.

    Raises:
        InputError: people's and simulated listeners' answers in one table, a listener twice, or an answer of nobody.
    """

    listeners: tuple[Listener, ...]
    given: tuple[Given, ...]

    def __post_init__(self) -> None:
        names = {one.listener for one in self.listeners}
        if len(names) < len(self.listeners):
            raise InputError("a listener is in the table twice", "give every listener a name of their own")
        if len({one.simulated for one in self.listeners}) > 1:
            raise InputError(
                "people's answers and simulated ones stand in one table",
                "keep them apart: they are never counted together",
            )
        if strange := {one.listener for one in self.given} - names:
            raise InputError(f"answers of {min(strange)[:40]!r}, who is not among the listeners", "add the listener")
        if len({(one.listener, one.position) for one in self.given}) < len(self.given):
            raise InputError("a listener answered one trial twice", "keep the first answer to each trial")

    @property
    def simulated(self) -> bool:
        """Whether nobody was asked."""
        return any(one.simulated for one in self.listeners)


def read_answers(place: Path) -> Answers:
    """Read answers from a folder of two CSV files, or from an SQLite file.

    Raises:
        InputError: there are none, or a row cannot be read; the text says which.
    """
    if place.is_dir():
        rows = _csv_rows(place / "listeners.csv"), _csv_rows(place / "answers.csv")
    else:
        rows = _sqlite_rows(place)
    return Answers(_records(rows[0], Listener, "listeners"), _records(rows[1], Given, "answers"))


def write_answers(answers: Answers, folder: Path, *, overwrite: bool = False) -> None:
    """Write `listeners.csv` and `answers.csv`.

    Raises:
        RunError: they are there and `overwrite` is off.
        InputError: the disk said no.
    """
    for name, kind, rows in (("listeners", Listener, answers.listeners), ("answers", Given, answers.given)):
        write_text(folder / f"{name}.csv", csv_text(kind, rows), overwrite=overwrite)


def csv_text(kind: type[Listener] | type[Given], rows: Iterable[Listener | Given]) -> str:
    """A table as CSV.

    Args:
        kind: of its rows.
        rows: of that kind.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([field.name for field in fields(kind)])
    for row in rows:
        writer.writerow(
            ["" if cell is None else int(cell) if isinstance(cell, bool) else cell for cell in astuple(row)]
        )
    return file.getvalue()


def _csv_rows(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is too large", "name a table of answers")
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [row for _, row in zip(range(_MOST_ROWS + 1), csv.DictReader(file), strict=False)]
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "name a folder with listeners.csv and answers.csv"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not CSV in UTF-8", "export it again") from error


def _sqlite_rows(path: Path) -> tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]:
    if not path.is_file():
        raise InputError(f"there are no answers at {path}", "name a folder of CSV files, or an SQLite file")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            listeners, given = (
                [dict(row) for row in database.execute(f"SELECT * FROM {table} LIMIT {_MOST_ROWS + 1}")]  # noqa: S608
                for table in ("listeners", "answers")
            )
    except sqlite3.Error as error:
        raise InputError(
            f"{path} holds no answers: {error}", "name the file that listeners' answers went to"
        ) from error
    return listeners, given


T = TypeVar("T", Listener, Given)


def _records(rows: Sequence[Mapping[str, Any]], kind: type[T], table: str) -> tuple[T, ...]:
    if not rows:
        raise InputError(f"the table {table} is empty", "collect answers before you analyse")
    if len(rows) > _MOST_ROWS:
        raise InputError(f"the table {table} has more than {_MOST_ROWS:,} rows", "name a table of answers")
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(
                kind(**{field.name: _cell(field.name, row.get(field.name), field.type) for field in fields(kind)})
            )
        except (ValueError, TypeError) as error:
            raise InputError(
                f"row {number} of {table}: {error}", "docs/listening.md says what each column holds"
            ) from error
    return tuple(found)


_RANGES = {"confidence": (1, 4), "liking": (1, 7), "classical": (1, 7), "session": (0, 10**6), "position": (0, 10**4),
           "seconds_heard": (0, 10**5), "years_of_training": (0, 120)}  # fmt: skip
_WORDS = {"answer": ("human", "computer"), "kind": ("item", "anchor", "repeat", "attention")}


def _cell(name: str, cell: Any, kind: Any) -> Any:  # noqa: ANN401  (what a table holds)
    text = "" if cell is None else str(cell).strip()
    if not text:
        if "None" in str(kind):
            return None
        raise ValueError(f"{name} is empty")
    if str(kind) == "str":
        if name in _WORDS and text not in _WORDS[name]:
            raise ValueError(f"{name} is {text[:20]!r}, not one of {', '.join(_WORDS[name])}")
        return text[:200]
    if str(kind) == "bool":
        if text not in ("0", "1"):
            raise ValueError(f"{name} is {text[:20]!r}, not 0 or 1")
        return text == "1"
    number = float(text)
    low, high = _RANGES[name]
    if not (math.isfinite(number) and low <= number <= high):
        raise ValueError(f"{name} is {text[:20]!r}, not from {low} to {high}")
    if "int" not in str(kind):
        return number
    if number != int(number):
        raise ValueError(f"{name} is {text[:20]!r}, not a whole number")
    return int(number)
