"""Screening: exclude listeners and trials by the rules of the study, and count how many each rule excludes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cantilena.errors import InputError
from cantilena.listening.analysis.answers import Answer, AnswerTables, Listener
from cantilena.listening.study.study import Study
from cantilena.listening.trials import Trials


@dataclass(frozen=True)
class Screened:
    """The answers that remain.

    Args:
        trials: the remaining answers to items.
        listeners: names of the remaining listeners, by their index.
        clips: IDs of the items, by their index.
        excluded_listeners: the reason for each excluded listener.
        excluded_trials: number of excluded trials of the remaining listeners, by reason.
        answers: the remaining answers to items as rows, with their ratings.
        anchors: how often the remaining listeners called anchors human, and the number of these trials.
        repeats: how often they answered a repeat as before, and the number of these trials.
    """

    trials: Trials
    listeners: tuple[str, ...]
    clips: tuple[str, ...]
    excluded_listeners: dict[str, str]
    excluded_trials: dict[str, int]
    answers: tuple[Answer, ...]
    anchors: tuple[int, int]
    repeats: tuple[int, int]


def screen(study: Study, tables: AnswerTables) -> Screened:
    """Apply the rules of a study to the answers.

    Raises:
        InputError: the answers belong to another study or do not fit its sessions, or none remain.
    """
    by_listener = _answers_by_listener(study, tables)
    excluded_listeners: dict[str, str] = {}
    excluded_trials: Counter[str] = Counter()
    included: list[str] = []
    answers: list[Answer] = []
    anchors: list[bool] = []
    repeats: list[bool] = []
    for listener in tables.listeners:
        given = by_listener[listener.listener]
        if reason := _reason_to_exclude_listener(study, listener, given):
            excluded_listeners[listener.listener] = reason
            continue
        included.append(listener.listener)
        for answer in given:
            if answer.kind == "item":
                if reason := _reason_to_exclude_trial(study, answer):
                    excluded_trials[reason] += 1
                else:
                    answers.append(answer)
        first = {answer.clip: answer.answer for answer in given if answer.kind == "item"}
        anchors += [answer.answer == "human" for answer in given if answer.kind == "anchor"]
        repeats += [
            answer.answer == first[answer.clip] for answer in given if answer.kind == "repeat" and answer.clip in first
        ]
    if not answers:
        reasons = Counter([*excluded_listeners.values(), *excluded_trials.elements()]).most_common(3)
        why = "; ".join(f"{count} {reason}" for reason, count in reasons)
        raise InputError(f"no answers remain after screening{f': {why}' if why else ''}", "collect more answers")
    clip_index = {clip.id: index for index, clip in enumerate(study.items)}
    listener_index = {name: index for index, name in enumerate(included)}
    trials = Trials(
        listener=np.array([listener_index[answer.listener] for answer in answers], np.int64),
        clip=np.array([clip_index[answer.clip] for answer in answers], np.int64),
        said_human=np.array([answer.answer == "human" for answer in answers], np.bool_),
        confidence=np.array([answer.confidence for answer in answers], np.int64),
        arm_of_clip=np.array([study.arms.index(clip.arm) for clip in study.items], np.int64),
        arms=study.arms,
        n_listeners=len(included),
    )
    return Screened(
        trials, tuple(included), tuple(clip_index), excluded_listeners, dict(excluded_trials), tuple(answers),
        (sum(anchors), len(anchors)), (sum(repeats), len(repeats)),
    )  # fmt: skip


def _answers_by_listener(study: Study, tables: AnswerTables) -> dict[str, list[Answer]]:
    """Group the answers in the order of trials, and check that they fit the sessions of the study."""
    sessions: dict[str, int] = {}
    for listener in tables.listeners:
        if listener.study != study.digest:
            raise InputError(
                f"{listener.listener[:40]!r} answered another study ({listener.study[:12]})",
                f"give the study file with that digest; this one has {study.digest[:12]}",
            )
        if listener.session >= len(study.sessions):
            raise InputError(f"the study has no session {listener.session}", "check the column `session`")
        sessions[listener.listener] = listener.session
    grouped: dict[str, list[Answer]] = defaultdict(list)
    for answer in sorted(tables.answers, key=lambda answer: answer.position):
        session = study.sessions[sessions[answer.listener]]
        trial = session[answer.position] if answer.position < len(session) else None
        if trial is None or (trial.kind, trial.clip) != (answer.kind, answer.clip):
            raise InputError(
                f"trial {answer.position} of {answer.listener[:40]!r} differs from the session of the study",
                "check the columns `position`, `kind` and `clip`",
            )
        grouped[answer.listener].append(answer)
    return grouped


def _reason_to_exclude_listener(study: Study, listener: Listener, answers: Sequence[Answer]) -> str:
    rules, n_trials = study.screening, len(study.sessions[listener.session])
    items = {(answer.answer, answer.confidence) for answer in answers if answer.kind == "item"}
    anchors = sum(answer.answer == "human" for answer in answers if answer.kind == "anchor")
    inattentive = any(
        (answer.answer, answer.confidence) != ("computer", 4) for answer in answers if answer.kind == "attention"
    )
    reasons = (
        (not listener.consent, "did not consent"),
        (rules.headphones and not listener.headphones, "did not pass the headphone check"),
        (len(answers) < rules.least_answered * n_trials, f"answered {len(answers)} of {n_trials} trials"),
        (rules.attention and inattentive, "failed the attention check"),
        (anchors > rules.most_anchors, f"called {anchors} negative anchors human"),
        (rules.one_answer and len(items) <= 1, "gave the same answer to everything"),
    )
    return next((reason for applies, reason in reasons if applies), "")


def _reason_to_exclude_trial(study: Study, answer: Answer) -> str:
    if study.screening.known and answer.knows_piece:
        return "the piece is known"
    if answer.seconds_heard < study.screening.least_heard * study.clip(answer.clip).seconds:
        return "too little was heard"
    return ""
