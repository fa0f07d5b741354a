"""From answers to trials that count: the rules of the study file, each with how many it left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cantilena.errors import InputError
from cantilena.listening.analysis.answers import Answers, Given, Listener
from cantilena.listening.study.study import Study
from cantilena.listening.trials import Trials


@dataclass(frozen=True)
class Screened:
    """What counts.

    Args:
        trials: the answers to items by listeners who count.
        listeners: names of those listeners, in the order of their numbers.
        clips: ids of the items, in the order of their numbers.
        left_out: why each listener who does not count does not.
        dropped: how many trials of the others were left out, by reason.
        kept: their answers that count, for ratings.
        anchors: how often negative anchors were called human by those who count, and of how many.
        repeats: how often a repeat was answered as before, and of how many.
    """

    trials: Trials
    listeners: tuple[str, ...]
    clips: tuple[str, ...]
    left_out: dict[str, str]
    dropped: dict[str, int]
    kept: tuple[Given, ...]
    anchors: tuple[int, int]
    repeats: tuple[int, int]


def screen(study: Study, answers: Answers) -> Screened:
    """Apply the rules that the study fixed.

    Args:
        study: the study.
        answers: to it.

    Raises:
        InputError: answers to another study, to clips or sessions that it has not, or nothing is left.
    """
    by_listener = _checked(study, answers)
    left_out: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    kept: list[Given] = []
    names: list[str] = []
    for listener in answers.listeners:
        given = by_listener[listener.listener]
        reason = _why_not(study, listener, given)
        if reason:
            left_out[listener.listener] = reason
            continue
        names.append(listener.listener)
        for one in given:
            if one.kind == "item":
                trouble = _what_is_wrong(study, one)
                dropped[trouble] += bool(trouble)
                kept += [] if trouble else [one]
    if not kept:
        raise _nothing_left([*left_out.values(), *dropped.elements()])
    del dropped[""]
    items = [clip for clip in study.items if clip.arm in study.arms]
    number = {clip.id: place for place, clip in enumerate(items)}
    who = {name: place for place, name in enumerate(names)}
    trials = Trials(
        listener=np.array([who[one.listener] for one in kept], np.int64),
        clip=np.array([number[one.clip] for one in kept], np.int64),
        said_human=np.array([one.answer == "human" for one in kept], np.bool_),
        confidence=np.array([one.confidence for one in kept], np.int64),
        arm_of_clip=np.array([study.arms.index(clip.arm) for clip in items], np.int64),
        arms=study.arms,
        listeners=len(names),
    )
    counted = {name: by_listener[name] for name in names}
    anchors = [one.answer == "human" for given in counted.values() for one in given if one.kind == "anchor"]
    again = [same for given in counted.values() for same in _repeats(given)]
    return Screened(
        trials, tuple(names), tuple(number), left_out, dict(dropped), tuple(kept),
        (sum(anchors), len(anchors)), (sum(again), len(again)),
    )  # fmt: skip


def _checked(study: Study, answers: Answers) -> dict[str, list[Given]]:
    """Answers by listener in the order of trials, all of which the study asked."""
    sessions: dict[str, int] = {}
    for listener in answers.listeners:
        if listener.study != study.digest:
            raise InputError(
                f"{listener.listener[:40]!r} answered another study ({listener.study[:12]})",
                f"name the study file whose digest that is; this one's is {study.digest[:12]}",
            )
        if listener.session >= len(study.sessions):
            raise InputError(f"the study has no session {listener.session}", "check the column `session`")
        sessions[listener.listener] = listener.session
    found: dict[str, list[Given]] = defaultdict(list)
    for one in sorted(answers.given, key=lambda one: one.position):
        session = study.sessions[sessions[one.listener]]
        asked = session[one.position] if one.position < len(session) else None
        if asked is None or (asked.kind, asked.clip) != (one.kind, one.clip):
            raise InputError(
                f"trial {one.position} of {one.listener[:40]!r} is not what the study played there",
                "check the columns `position`, `kind` and `clip`",
            )
        found[one.listener].append(one)
    return found


def _nothing_left(reasons: Sequence[str]) -> InputError:
    counts = Counter(filter(None, reasons)).most_common(3)
    why = "; ".join(f"{count} {reason}" for reason, count in counts)
    return InputError(f"no answer is left after screening{f': {why}' if why else ''}", "ask more listeners")


def _why_not(study: Study, listener: Listener, given: list[Given]) -> str:
    """Why a listener does not count; nothing where they do."""
    rules, session = study.screening, study.sessions[listener.session]
    items = {(one.answer, one.confidence) for one in given if one.kind == "item"}
    anchors = sum(one.answer == "human" for one in given if one.kind == "anchor")
    inattentive = any((one.answer, one.confidence) != ("computer", 4) for one in given if one.kind == "attention")
    reasons = (
        (not listener.consent, "did not consent"),
        (rules.headphones and not listener.headphones, "did not pass the headphone check"),
        (len(given) < rules.least_answered * len(session), f"answered {len(given)} of {len(session)} trials"),
        (rules.attention and inattentive, "missed the attention check"),
        (anchors > rules.most_anchors, f"called {anchors} negative anchors human"),
        (rules.one_answer and len(items) <= 1, "gave one answer to everything"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def _what_is_wrong(study: Study, one: Given) -> str:
    if study.screening.known and one.knows_piece:
        return "the piece is known"
    if one.seconds_heard < study.screening.least_heard * study.clip(one.clip).seconds:
        return "too little was heard"
    return ""


def _repeats(given: list[Given]) -> list[bool]:
    """For each repeat, whether the answer is that of the first time."""
    first = {one.clip: one.answer for one in given if one.kind == "item"}
    return [first[one.clip] == one.answer for one in given if one.kind == "repeat" and one.clip in first]
