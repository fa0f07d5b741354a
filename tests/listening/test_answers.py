"""Tables of answers: the same from CSV and SQLite, every wrong cell said in a line, people and simulated ones apart."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from cantilena.errors import InputError
from cantilena.listening import SCHEMA, Answers, Given, Listener, Study, read_answers, screen, write_answers


def test_csv_holds_everything(answers: Answers, tmp_path: Path) -> None:
    write_answers(answers, tmp_path)
    assert read_answers(tmp_path) == answers


def test_sqlite_holds_the_same(answers: Answers, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "answers.sqlite")
    database.executescript(SCHEMA)
    database.executemany("INSERT INTO listeners VALUES (?,?,?,?,?,?,?)", map(astuple, answers.listeners))
    database.executemany("INSERT INTO answers VALUES (?,?,?,?,?,?,?,?,?,?)", map(astuple, answers.given))
    database.commit()
    database.close()
    assert read_answers(tmp_path / "answers.sqlite") == answers


@pytest.mark.parametrize(
    ("column", "cell"),
    [("confidence", "5"), ("confidence", "2.5"), ("confidence", "nan"), ("answer", "maybe"), ("knows_piece", "yes"),
     ("seconds_heard", "-1"), ("seconds_heard", "inf"), ("position", ""), ("liking", "8"), ("kind", "other")],
)  # fmt: skip
def test_a_wrong_cell_is_named(answers: Answers, tmp_path: Path, column: str, cell: str) -> None:
    write_answers(answers, tmp_path)
    lines = (tmp_path / "answers.csv").read_text().splitlines()
    row = lines[3].split(",")
    row[lines[0].split(",").index(column)] = cell
    (tmp_path / "answers.csv").write_text("\n".join([*lines[:3], ",".join(row), *lines[4:]]))
    with pytest.raises(InputError, match=rf"row 3 of answers: {column} is"):
        read_answers(tmp_path)


def test_people_and_simulated_listeners_are_never_counted_together(answers: Answers) -> None:
    mixed = (replace(answers.listeners[0], simulated=False), *answers.listeners[1:])
    with pytest.raises(InputError, match="stand in one table"):
        replace(answers, listeners=mixed)


def test_answers_of_nobody_and_twice_are_refused(answers: Answers) -> None:
    with pytest.raises(InputError, match="not among the listeners"):
        replace(answers, listeners=answers.listeners[1:])
    with pytest.raises(InputError, match="answered one trial twice"):
        replace(answers, given=(*answers.given, answers.given[0]))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"not a database at all"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.sqlite").write_bytes(content)
    with pytest.raises(InputError, match="holds no answers"):
        read_answers(tmp_path / "x.sqlite")
    with pytest.raises(InputError, match="cannot read"):
        read_answers(tmp_path)
    with pytest.raises(InputError, match="there are no answers"):
        read_answers(tmp_path / "missing")


def one_listener(study: Study, answers: Answers, **changes: object) -> Answers:
    """Two listeners who are not careless, the first one changed: fields of `Listener`, or of every `Given`."""
    left_out = screen(study, answers).left_out
    first, second = [one for one in answers.listeners if one.listener not in left_out][:2]
    names = {first.listener, second.listener}
    of_listener = {name: value for name, value in changes.items() if name in Listener.__dataclass_fields__}
    of_given = {name: value for name, value in changes.items() if name not in of_listener}
    given = [one for one in answers.given if one.listener in names]
    changed = [replace(one, **of_given) if one.listener == first.listener else one for one in given]  # type: ignore[arg-type]
    return Answers((replace(first, **of_listener), second), tuple(changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"consent": False}, "did not consent"),
        ({"headphones": False}, "did not pass the headphone check"),
        ({"answer": "human"}, "missed the attention check"),
        ({"answer": "computer", "confidence": 4}, "gave one answer to everything"),
    ],
)
def test_a_listener_is_left_out_with_the_reason(
    study: Study, answers: Answers, changes: dict[str, object], reason: str
) -> None:
    screened = screen(study, one_listener(study, answers, **changes))
    assert list(screened.left_out.values()) == [reason]
    assert screened.trials.listeners == 1


def test_who_stops_early_or_calls_anchors_human_is_left_out(study: Study, answers: Answers) -> None:
    both = one_listener(study, answers)
    name = both.listeners[0].listener
    early = replace(both, given=tuple(one for one in both.given if one.listener != name or one.position < 5))
    assert screen(study, early).left_out == {name: "answered 5 of 22 trials"}

    def fooled(one: Given) -> Given:
        return replace(one, answer="human") if one.listener == name and one.kind == "anchor" else one

    anchors = replace(both, given=tuple(map(fooled, both.given)))
    assert screen(study, anchors).left_out == {name: "called 2 negative anchors human"}


def test_where_nothing_is_left_it_is_said_why(study: Study, answers: Answers) -> None:
    deaf = replace(answers, listeners=tuple(replace(one, headphones=False) for one in answers.listeners))
    with pytest.raises(InputError, match="no answer is left after screening: 40 did not pass the headphone check"):
        screen(study, deaf)


def test_trials_of_known_pieces_and_unheard_clips_do_not_count(study: Study, answers: Answers) -> None:
    both = one_listener(study, answers)
    before = len(screen(study, both).trials)
    first, second = (n for n, one in enumerate(both.given) if one.kind == "item" and n < 3 and not one.knows_piece), 1
    known, unheard = list(first)[:2]
    given = list(both.given)
    given[known] = replace(given[known], knows_piece=True)
    given[unheard] = replace(given[unheard], seconds_heard=1.0)
    screened = screen(study, replace(both, given=tuple(given)))
    assert screened.dropped["the piece is known"] >= second
    assert screened.dropped["too little was heard"] == 1
    assert len(screened.trials) == before - 2


def test_answers_to_another_study_or_another_order_are_refused(study: Study, answers: Answers) -> None:
    others = tuple(replace(one, study="f" * 64) for one in answers.listeners)
    with pytest.raises(InputError, match="answered another study"):
        screen(study, replace(answers, listeners=others))
    given = (replace(answers.given[0], clip=answers.given[1].clip), *answers.given[1:])
    with pytest.raises(InputError, match="is not what the study played"):
        screen(study, replace(answers, given=given))
