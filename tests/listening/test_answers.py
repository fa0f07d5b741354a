"""Tables of answers: the same from CSV and SQLite, and invalid tables."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from cantilena.errors import InputError
from cantilena.listening import SCHEMA, AnswerTables, read_answers, write_answers


def test_csv_files_are_read_as_written(answers: AnswerTables, tmp_path: Path) -> None:
    write_answers(answers, tmp_path)
    assert read_answers(tmp_path) == answers


def test_sqlite_has_the_same_tables(answers: AnswerTables, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "answers.sqlite")
    database.executescript(SCHEMA)
    database.executemany("INSERT INTO listeners VALUES (?,?,?,?,?,?,?)", map(astuple, answers.listeners))
    database.executemany("INSERT INTO answers VALUES (?,?,?,?,?,?,?,?,?,?)", map(astuple, answers.answers))
    database.commit()
    database.close()
    assert read_answers(tmp_path / "answers.sqlite") == answers


def change_cell(folder: Path, column: str, cell: str) -> None:
    """Change a cell of the third row of answers.csv."""
    lines = (folder / "answers.csv").read_text().splitlines()
    row = lines[3].split(",")
    row[lines[0].split(",").index(column)] = cell
    (folder / "answers.csv").write_text("\n".join([*lines[:3], ",".join(row), *lines[4:]]))


@pytest.mark.parametrize(
    ("column", "cell"),
    [("confidence", "5"), ("confidence", "2.5"), ("confidence", "nan"), ("answer", "maybe"), ("knows_piece", "yes"),
     ("knows_piece", "2"), ("seconds_heard", "-1"), ("seconds_heard", "inf"), ("position", ""), ("clip", " "),
     ("liking", "8"), ("kind", "other")],
)  # fmt: skip
def test_an_invalid_cell_is_named(answers: AnswerTables, tmp_path: Path, column: str, cell: str) -> None:
    write_answers(answers, tmp_path)
    change_cell(tmp_path, column, cell)
    with pytest.raises(InputError, match=rf"row 3 of answers: {column} is"):
        read_answers(tmp_path)


@pytest.mark.parametrize(("column", "cell"), [("confidence", " 3 "), ("confidence", "3.0"), ("liking", " ")])
def test_spaces_and_whole_numbers_with_a_point_are_read(
    answers: AnswerTables, tmp_path: Path, column: str, cell: str
) -> None:
    write_answers(answers, tmp_path)
    change_cell(tmp_path, column, cell)
    assert getattr(read_answers(tmp_path).answers[2], column) == (3 if cell.strip() else None)


def test_other_columns_are_ignored(answers: AnswerTables, tmp_path: Path) -> None:
    write_answers(answers, tmp_path)
    header, *rows = (tmp_path / "listeners.csv").read_text().splitlines()
    (tmp_path / "listeners.csv").write_text("\n".join([f"{header},age", *(f"{row},30" for row in rows)]))
    assert read_answers(tmp_path) == answers


def test_human_and_simulated_listeners_cannot_be_mixed(answers: AnswerTables) -> None:
    mixed = (replace(answers.listeners[0], simulated=False), *answers.listeners[1:])
    with pytest.raises(InputError, match="human and simulated listeners are in one table"):
        replace(answers, listeners=mixed)


def test_unknown_listeners_and_repeated_answers_are_refused(answers: AnswerTables) -> None:
    with pytest.raises(InputError, match="not in `listeners`"):
        replace(answers, listeners=answers.listeners[1:])
    with pytest.raises(InputError, match="answered a trial twice"):
        replace(answers, answers=(*answers.answers, answers.answers[0]))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"not a database at all"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.sqlite").write_bytes(content)
    with pytest.raises(InputError, match="has no tables of answers"):
        read_answers(tmp_path / "x.sqlite")
    with pytest.raises(InputError, match="cannot read"):
        read_answers(tmp_path)
    with pytest.raises(InputError, match="there are no answers"):
        read_answers(tmp_path / "missing")
