"""The procedure of the test: which step comes next for a participant, and which session of the study they get.

The next step follows from the stored steps and answers alone. So a participant continues at the same step after closing
the tab, on another device, or after a restart of the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cantilena.listening.study.study import Clip, Study

Stage = Literal["training", "headphones", "volume", "practice", "ready", "trial", "pause", "end"]
"""The kind of a step; consent comes before, when a participant is created."""

HEADPHONE_ATTEMPTS = 2
"""How often the headphone check may be taken."""

EXPIRY_HOURS, REUSE_HOURS = 24, 2
"""Age from which an unfinished session is given to another participant: always, and if no other session is free."""

_MIN_CORRECT = 5 / 6
_MAX_TRIALS_BETWEEN_PAUSES = 14


@dataclass(frozen=True)
class Participant:
    """What is stored of a participant.

    Args:
        listener: random name.
        steps: completed steps by name, with the answer.
        session: index of their session of the study; None before the trials.
        answered: number of answered trials.
    """

    listener: str
    steps: Mapping[str, str] = field(default_factory=dict)
    session: int | None = None
    answered: int = 0


@dataclass(frozen=True)
class Step:
    """A step of the procedure.

    Args:
        stage: its kind.
        number: its index among the steps of this stage.
        total: number of these steps.
        attempt: index of the attempt at the headphone check.
    """

    stage: Stage
    number: int = 0
    total: int = 1
    attempt: int = 0

    @property
    def name(self) -> str:
        """The name under which the step is stored, unique for a participant.

        Examples:
            >>> Step("headphones", 3, 6, attempt=1).name
            'headphones-1-3'
        """
        attempt = f"{self.attempt}-" if self.stage == "headphones" else ""
        return f"{self.stage}-{attempt}{self.number}"


def next_step(study: Study, participant: Participant) -> Step:
    """Return the next step of a participant.

    Examples:
        >>> next_step(Study("Ours", ("human", "lstm"), (), ()), Participant("listener-1")).stage
        'training'
    """
    if participant.session is not None:
        trials = len(study.sessions[participant.session])
        if participant.answered >= trials:
            return Step("end")
        pause = Step("pause", participant.answered, trials)
        is_due = participant.answered in pauses(trials) and pause.name not in participant.steps
        return pause if is_due else Step("trial", participant.answered, trials)
    checks, practice = (len(clips_with_role(study, role)) for role in ("headphones", "practice"))
    steps = [Step("training")]
    for attempt in range(HEADPHONE_ATTEMPTS):
        if attempt == 0 or not passed_headphones(study, participant):
            steps += [Step("headphones", number, checks, attempt) for number in range(checks)]
    if checks or practice:
        steps.append(Step("volume"))
    steps += [Step("practice", number, practice) for number in range(practice)]
    return next((step for step in steps if step.name not in participant.steps), Step("ready"))


def passed_headphones(study: Study, participant: Participant) -> bool:
    """Return whether one attempt at the headphone check had five of six trials correct (Woods et al. 2017)."""
    clips = clips_with_role(study, "headphones")
    for attempt in range(HEADPHONE_ATTEMPTS if clips else 0):
        correct = [
            participant.steps.get(Step("headphones", number, attempt=attempt).name) == str(clip.about.get("quietest"))
            for number, clip in enumerate(clips)
        ]
        if sum(correct) >= _MIN_CORRECT * len(clips):
            return True
    return False


def clip_of_step(study: Study, participant: Participant, step: Step) -> Clip | None:
    """Return the clip that a step plays; None if it plays none."""
    if step.stage == "trial" and participant.session is not None:
        return study.clip(study.sessions[participant.session][step.number].clip)
    if step.stage == "volume":
        return next(iter([*clips_with_role(study, "practice"), *clips_with_role(study, "headphones")]), None)
    if step.stage == "headphones" or step.stage == "practice":
        return clips_with_role(study, step.stage)[step.number]
    return None


def clips_with_role(study: Study, role: str) -> list[Clip]:
    """Return the clips that every participant hears before the trials."""
    return [clip for clip in study.clips if clip.role == role]


def pauses(trials: int) -> list[int]:
    """Return the trials before which there is a pause: equal parts of at most 14.

    Examples:
        >>> pauses(24), pauses(12)
        ([12], [])
    """
    parts = -(-trials // _MAX_TRIALS_BETWEEN_PAUSES)
    return [trials * part // parts for part in range(1, parts)]


@dataclass(frozen=True)
class Assignment:
    """A session of the study that a participant got.

    Args:
        session: index of the session.
        counts: whether the answers of the participant will count.
        is_finished: whether they answered all trials.
        hour: hour in which they got it, since 1970.
    """

    session: int
    counts: bool
    is_finished: bool
    hour: int


def free_session(assignments: Iterable[Assignment], sessions: int, hour: int) -> int | None:
    """Return the session for the next participant: the first that is free, else the one abandoned longest ago.

    The result is None if every session is finished or in use. `hour` is the current hour since 1970.

    Examples:
        >>> unfinished = Assignment(0, counts=True, is_finished=False, hour=100)
        >>> [free_session([unfinished], sessions, hour) for sessions, hour in ((2, 105), (1, 105), (1, 101))]
        [1, 0, None]
    """
    age: dict[int, int] = {}
    for one in assignments:
        if one.counts:
            hours = 0 if one.is_finished else hour - one.hour
            age[one.session] = min(age.get(one.session, hours), hours)
    for session in range(sessions):
        if age.get(session, EXPIRY_HOURS) >= EXPIRY_HOURS:
            return session
    oldest = max(age, key=lambda session: age[session], default=None)
    return oldest if oldest is not None and age[oldest] >= REUSE_HOURS else None
