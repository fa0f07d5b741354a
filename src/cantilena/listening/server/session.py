"""The course of a sitting: what a listener does next follows from what is written down, and from nothing else.

So a sitting goes on after a closed tab, on another device, or after the server was killed, exactly where it was.

Which session the next listener gets: the first that is free, else the one that was left the longest ago.

What a listener is told at the end: how often they were right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cantilena.listening.analysis.answers import Given
from cantilena.listening.study.study import Clip, Study
from cantilena.listening.trials import HUMAN

Stage = Literal["training", "headphones", "volume", "practice", "ready", "trial", "pause", "end"]
"""What a listener is asked for; consent comes before there is a sitting."""

TURNS = 2
"""How often the headphone check may be taken."""

_RIGHT_AT_LEAST = 5 / 6
_BETWEEN_PAUSES = 14


@dataclass(frozen=True)
class Done:
    """What is written down of a sitting.

    Args:
        steps: what was done, by name, with what was said.
        session: which session of the study; None before the trials begin.
        answered: how many trials were answered.
    """

    steps: Mapping[str, str] = field(default_factory=dict)
    session: int | None = None
    answered: int = 0


@dataclass(frozen=True)
class Place:
    """Where a listener is.

    Args:
        stage: what they are asked for.
        number: which of them, from 0.
        of: how many there are.
        turn: which turn of the headphone check, from 0.
    """

    stage: Stage
    number: int = 0
    of: int = 1
    turn: int = 0

    @property
    def name(self) -> str:
        """A name for it that is unique in the sitting: of the step that is written down when it is done.

        Example:
            >>> Place("headphones", 3, 6, turn=1).name
            'headphones-1-3'
        """
        parts = [self.stage, *([self.turn] if self.stage == "headphones" else []), self.number]
        return "-".join(map(str, parts))


def place_of(study: Study, done: Done) -> Place:
    """Where a listener is who has done so much.

    Args:
        study: the study.
        done: what is written down.

    Example:
        >>> place_of(Study("Ours", ("human", "lstm"), (), ()), Done()).stage
        'training'
    """
    if done.session is not None:
        return _among_trials(study, done, done.session)
    if Place("training").name not in done.steps:
        return Place("training")
    checks = len(clips_for(study, "headphones"))
    for turn in range(TURNS if checks else 0):
        if turn and passed_headphones(study, done):
            break
        for number in range(checks):
            place = Place("headphones", number, checks, turn)
            if place.name not in done.steps:
                return place
    if Place("volume").name not in done.steps and sound_of(study, done, Place("volume")) is not None:
        return Place("volume")
    practice = len(clips_for(study, "practice"))
    for number in range(practice):
        if Place("practice", number).name not in done.steps:
            return Place("practice", number, practice)
    return Place("ready")


def passed_headphones(study: Study, done: Done) -> bool:
    """Whether one of the turns of the headphone check was right in five of six trials (Woods et al. 2017).

    Args:
        study: the study.
        done: what is written down.
    """
    clips = clips_for(study, "headphones")
    for turn in range(TURNS if clips else 0):
        right = [
            done.steps.get(Place("headphones", number, turn=turn).name) == str(clip.about.get("quietest"))
            for number, clip in enumerate(clips)
        ]
        if sum(right) >= _RIGHT_AT_LEAST * len(clips):
            return True
    return False


def sound_of(study: Study, done: Done, place: Place) -> Clip | None:
    """What sounds at a place; None where nothing does."""
    if place.stage == "trial" and done.session is not None:
        return study.clip(study.sessions[done.session][place.number].clip)
    if place.stage == "volume":
        return next(iter([*clips_for(study, "practice"), *clips_for(study, "headphones")]), None)
    if place.stage == "headphones" or place.stage == "practice":
        return clips_for(study, place.stage)[place.number]
    return None


def clips_for(study: Study, role: Literal["headphones", "practice"]) -> list[Clip]:
    """The clips that every listener hears before the trials."""
    return [clip for clip in study.clips if clip.role == role]


def pauses(trials: int) -> list[int]:
    """Before which trials there is a pause: a sitting in equal parts of up to 14.

    Example:
        >>> pauses(24), pauses(12)
        ([12], [])
    """
    parts = -(-trials // _BETWEEN_PAUSES)
    return [trials * part // parts for part in range(1, parts)]


def _among_trials(study: Study, done: Done, session: int) -> Place:
    trials = len(study.sessions[session])
    if done.answered >= trials:
        return Place("end")
    pause = Place("pause", done.answered, trials)
    if done.answered in pauses(trials) and pause.name not in done.steps:
        return pause
    return Place("trial", done.answered, trials)


A_DAY, LEFT_FOR_GOOD = 24, 2
"""Hours of the clock after which a session that was left unfinished is free again: always, and where no other is."""


@dataclass(frozen=True)
class Seat:
    """Who has a session, and how far they are.

    Args:
        session: from 0.
        counts: whether their answers will.
        is_finished: whether they answered all trials.
        since: hour of the clock in which they began, since 1970.
    """

    session: int
    counts: bool
    is_finished: bool
    since: int


def free_session(seats: Iterable[Seat], sessions: int, hour: int) -> int | None:
    """The session that is given to whoever comes now; None where none is free.

    Args:
        seats: of those who came before.
        sessions: how many there are.
        hour: of now.

    Example:
        >>> left = Seat(0, counts=True, is_finished=False, since=100)
        >>> free_session([left], 2, 105), free_session([left], 1, 105), free_session([left], 1, 101)
        (1, 0, None)
    """
    left: dict[int, int] = {}
    for seat in seats:
        if seat.counts:
            hours = 0 if seat.is_finished else hour - seat.since
            left[seat.session] = min(left.get(seat.session, hours), hours)
    free = next((session for session in range(sessions) if left.get(session, A_DAY) >= A_DAY), None)
    if free is not None or not left:
        return free
    longest = max(left, key=lambda session: left[session])
    return longest if left[longest] >= LEFT_FOR_GOOD else None


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
