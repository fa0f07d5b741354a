"""Each rule excludes the listeners and trials that it should, with the reason."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from cantilena.errors import InputError
from cantilena.listening import AnswerTables, Listener, Study, screen


def two_listeners(study: Study, tables: AnswerTables, **changes: object) -> AnswerTables:
    """Two attentive listeners, the first one changed: fields of the listener, or of every answer."""
    excluded = screen(study, tables).excluded_listeners
    first, second = [row for row in tables.listeners if row.listener not in excluded][:2]
    names = {field.name for field in fields(Listener)}
    of_listener = {name: value for name, value in changes.items() if name in names}
    of_answers = {name: value for name, value in changes.items() if name not in names}
    answers = [row for row in tables.answers if row.listener in (first.listener, second.listener)]
    changed = [replace(row, **of_answers) if row.listener == first.listener else row for row in answers]  # type: ignore[arg-type]
    return AnswerTables((replace(first, **of_listener), second), tuple(changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"consent": False}, "did not consent"),
        ({"headphones": False}, "did not pass the headphone check"),
        ({"answer": "human"}, "failed the attention check"),
        ({"answer": "computer", "confidence": 4}, "gave the same answer to everything"),
    ],
)
def test_a_listener_is_excluded_with_the_reason(
    study: Study, answers: AnswerTables, changes: dict[str, object], reason: str
) -> None:
    screened = screen(study, two_listeners(study, answers, **changes))
    assert list(screened.excluded_listeners.values()) == [reason]
    assert screened.trials.n_listeners == 1


def test_listeners_who_stop_early_or_call_anchors_human_are_excluded(study: Study, answers: AnswerTables) -> None:
    both = two_listeners(study, answers)
    name = both.listeners[0].listener
    early = replace(both, answers=tuple(row for row in both.answers if row.listener != name or row.position < 5))
    assert screen(study, early).excluded_listeners == {name: "answered 5 of 22 trials"}
    fooled = tuple(
        replace(row, answer="human") if row.listener == name and row.kind == "anchor" else row for row in both.answers
    )
    anchors = screen(study, replace(both, answers=fooled))
    assert anchors.excluded_listeners == {name: "called 2 negative anchors human"}


def test_the_reasons_are_named_if_no_answer_remains(study: Study, answers: AnswerTables) -> None:
    failed = replace(answers, listeners=tuple(replace(row, headphones=False) for row in answers.listeners))
    with pytest.raises(InputError, match="no answers remain after screening: 40 did not pass the headphone check"):
        screen(study, failed)


def test_trials_of_known_pieces_and_unheard_clips_are_excluded(study: Study, answers: AnswerTables) -> None:
    both = two_listeners(study, answers)
    before = screen(study, both)
    known, unheard = [n for n, row in enumerate(both.answers) if row.kind == "item" and not row.knows_piece][:2]
    rows = list(both.answers)
    rows[known] = replace(rows[known], knows_piece=True)
    rows[unheard] = replace(rows[unheard], seconds_heard=1.0)
    screened = screen(study, replace(both, answers=tuple(rows)))
    assert screened.excluded_trials["the piece is known"] == before.excluded_trials.get("the piece is known", 0) + 1
    assert screened.excluded_trials["too little was heard"] == 1
    assert len(screened.trials) == len(before.trials) - 2


def test_answers_to_another_study_or_in_another_order_are_refused(study: Study, answers: AnswerTables) -> None:
    others = tuple(replace(row, study="f" * 64) for row in answers.listeners)
    with pytest.raises(InputError, match="answered another study"):
        screen(study, replace(answers, listeners=others))
    rows = (replace(answers.answers[0], clip=answers.answers[1].clip), *answers.answers[1:])
    with pytest.raises(InputError, match="differs from the session"):
        screen(study, replace(answers, answers=rows))
