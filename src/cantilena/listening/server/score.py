"""What a listener is told at the end: how often they were right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cantilena.listening.analysis.answers import Given
from cantilena.listening.study.study import Study
from cantilena.listening.trials import HUMAN


@dataclass(frozen=True)
class Score:
    """A listener's own score, over the clips of the arms; anchors, repeats and checks are not among them.

    Args:
        people: clips of people's that they heard.
        people_right: how many of them they called human.
        computers: clips of computers' that they heard.
        computers_right: how many of them they called computer.
    """

    people: int
    people_right: int
    computers: int
    computers_right: int


def score_of(study: Study, given: Iterable[Given]) -> Score:
    """The score of one listener.

    Args:
        study: the study.
        given: their answers.
    """
    items = [one for one in given if one.kind == "item"]
    people = [one for one in items if study.clip(one.clip).arm == HUMAN]
    computers = [one for one in items if study.clip(one.clip).arm != HUMAN]
    return Score(
        len(people),
        sum(one.answer == "human" for one in people),
        len(computers),
        sum(one.answer == "computer" for one in computers),
    )
