"""A study while it is served: what routes need, and the dependencies that give it to them."""

from __future__ import annotations

import hmac
import secrets
import time
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cantilena.listening.analysis.answers import Answer, Listener
from cantilena.listening.server.auth import RateLimit, sign_token, token_time
from cantilena.listening.server.database import AnswerStore
from cantilena.listening.server.schemas import About, OwnScore, State, TrialAnswer
from cantilena.listening.server.session import Participant, Step, clip_of_step, next_step, passed_headphones
from cantilena.listening.server.sounds import EqualSounds
from cantilena.listening.study.study import Study
from cantilena.listening.text import study_texts
from cantilena.listening.trials import HUMAN
from cantilena.server import HTTPError, NotFoundError

MIN_HEARD = 0.5
"""Share of a clip that must be heard before an answer is accepted, unless the study requires more."""

MAX_PARTICIPANTS = 200_000
"""Participants that a database may have: about 30 megabytes."""

_SECONDS_TO_ANSWER, _SECONDS_PER_CHECK, _SECONDS_TO_READ = 6, 4, 60


class ConflictError(HTTPError):
    """The request does not fit the current step of the participant."""

    status = 409


class ForbiddenError(HTTPError):
    """The key is invalid."""

    status = 403


class ServedStudy:
    """A study, its sounds, and the file of its answers."""

    def __init__(self, path: Path, study: Study, answers: Path) -> None:
        self.study = study
        self.texts = study_texts(study.words)
        self.sounds = EqualSounds(path, study)
        self.store = AnswerStore(answers, study.digest)
        self.signing_key = self.store.signing_key
        self.admin_key = secrets.token_urlsafe(24)
        self.min_heard = max(MIN_HEARD, study.screening.least_heard)
        self.rate_limit = RateLimit()

    def about(self) -> About:
        """Return what is public before consent."""
        roles = {clip.role for clip in self.study.clips}
        trials = len(self.study.sessions[0]) if self.study.sessions else 0
        return About(
            title=self.study.title,
            words=self.texts,
            trials=trials,
            minutes=self._minutes(trials),
            headphones="headphones" in roles,
            attention="attention" in roles,
            least_heard=self.min_heard,
        )

    def state_of(self, participant: Participant) -> State:
        """Return the next step of a participant; nothing in it depends on the arm of a clip."""
        step = next_step(self.study, participant)
        return State(
            place=step.name,
            stage=step.stage,
            number=step.number,
            of=step.total,
            turn=step.attempt,
            answered=participant.answered,
            trials=len(self.study.sessions[participant.session or 0]) if self.study.sessions else 0,
            score=self._score(participant) if step.stage == "end" else None,
        )

    def sound(self, participant: Participant) -> tuple[bytes, str]:
        """Return the sound of the next step, and its token."""
        step = next_step(self.study, participant)
        clip = clip_of_step(self.study, participant, step)
        if clip is None:
            raise ConflictError("this step has no sound", "continue with the test")
        return self.sounds[clip.id], sign_token(self.signing_key, participant.listener, step.name, time.time())

    def complete(self, participant: Participant, step: Step, value: str = "") -> None:
        """Store a step; a step that is complete already is not changed."""
        if step.name not in participant.steps:
            self._require(participant, step)
            self.store.add_step(participant.listener, step.name, value)

    def begin_trials(self, participant: Participant) -> None:
        """Give a participant a session of the study."""
        if participant.session is not None:
            return
        self._require(participant, Step("ready"))
        years = participant.steps[Step("training").name]
        listener = Listener(
            self.study.digest, participant.listener, 0, simulated=False, consent=True,
            years_of_training=float(years) if years else None,
            headphones=passed_headphones(self.study, participant),
        )  # fmt: skip
        trials = [len(session) for session in self.study.sessions]
        all_count = not self.study.screening.headphones
        if not self.store.assign_session(listener, trials, all_count=all_count, hour=int(time.time() // 3600)):
            raise ConflictError("the study has enough participants", "thank you for your interest")

    def answer(self, participant: Participant, position: int, sent: TrialAnswer) -> None:
        """Store an answer; the first answer to a trial is kept."""
        if participant.session is not None and position < participant.answered:
            return
        step = Step("trial", position)
        self._require(participant, step)
        assert participant.session is not None
        trial = self.study.sessions[participant.session][position]
        sent_at = token_time(self.signing_key, participant.listener, step.name, sent.ticket)
        heard = 0.0 if sent_at is None else min(sent.seconds_heard, time.time() - sent_at)
        if heard < self.min_heard * self.study.clip(trial.clip).seconds:
            raise HTTPError("too little of the clip was heard", "play it again before you answer")
        self.store.add_answer(
            Answer(participant.listener, position, trial.kind, trial.clip, sent.answer, sent.confidence,
                   sent.knows_piece, round(heard, 2), sent.liking, sent.classical)
        )  # fmt: skip

    def _require(self, participant: Participant, step: Step) -> None:
        if next_step(self.study, participant).name != step.name:
            raise ConflictError("this is not the next step", "reload the page")

    def _score(self, participant: Participant) -> OwnScore:
        """The participant's correct answers to items."""
        items = [answer for answer in self.store.answers(participant.listener) if answer.kind == "item"]
        human = [answer.answer for answer in items if self.study.clip(answer.clip).arm == HUMAN]
        generated = [answer.answer for answer in items if self.study.clip(answer.clip).arm != HUMAN]
        return OwnScore(
            people=len(human),
            people_right=human.count("human"),
            computers=len(generated),
            computers_right=generated.count("computer"),
        )

    def _minutes(self, trials: int) -> int:
        """The expected duration: every clip once, the answers, the checks, and reading."""
        seconds = [clip.seconds for clip in self.study.items]
        mean = sum(seconds) / len(seconds) if seconds else 0.0
        checks = [clip.seconds for clip in self.study.clips if clip.role in ("headphones", "practice")]
        before = sum(duration + _SECONDS_PER_CHECK for duration in checks)
        return round((trials * (mean + _SECONDS_TO_ANSWER) + before + _SECONDS_TO_READ) / 60)


_BEARER = HTTPBearer(auto_error=False, description="The key of a participant, or that of the organisers.")


def _served_study(request: Request) -> ServedStudy:
    served = request.app.state.served
    assert isinstance(served, ServedStudy)
    return served


Served = Annotated[ServedStudy, Depends(_served_study)]
"""A parameter of a route: the study of the application."""

Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
"""A parameter of a route: the key of the request."""


def _current_participant(served: Served, credentials: Credentials) -> Participant:
    if credentials is None:
        raise NotFoundError("the key of the session is missing or invalid", "open the link of the study and begin")
    return served.store.participant(credentials.credentials)


def _require_admin(served: Served, credentials: Credentials) -> None:
    key = "" if credentials is None else credentials.credentials
    if not hmac.compare_digest(key.encode("utf-8", "replace"), served.admin_key.encode()):
        raise ForbiddenError("this page needs the key of the organisers", "open the link in the terminal")


CurrentParticipant = Annotated[Participant, Depends(_current_participant)]
"""A parameter of a route: the participant whose key was sent."""

ADMIN = Depends(_require_admin)
"""A dependency of a route: the request has the key of the organisers."""
