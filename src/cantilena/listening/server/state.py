"""All that a listening test has while it is served; one object that every route is given."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cantilena.listening.analysis.answers import Given, Listener
from cantilena.listening.server.auth import Arrivals, given_out_at, ticket
from cantilena.listening.server.database import Book, Sitting
from cantilena.listening.server.session import Place, passed_headphones, place_of, score_of, sound_of
from cantilena.listening.server.sounds import EqualSounds
from cantilena.listening.study.study import Study
from cantilena.listening.text import words_of
from cantilena.server import HTTPError, NotFoundError

LEAST_HEARD = 0.5
"""The share of a clip that must be heard before an answer is taken, unless the study asks for more."""

MOST_SITTINGS = 200_000
"""Sittings that a book may hold: some 30 megabytes."""


class NotNowError(HTTPError):
    """It is not the time for that in this sitting."""

    status = 409


class ForbiddenError(HTTPError):
    """The key is not the right one."""

    status = 403


class ListeningRoom:
    """A study, its sounds, and the book of its answers.

    Args:
        path: of the study file.
        study: as it was read.
        answers: the file of the answers.

    Raises:
        InputError: a clip or the file of the answers cannot be used.
    """

    def __init__(self, path: Path, study: Study, answers: Path) -> None:
        self.study = study
        self.words = words_of(study.words)
        self.sounds = EqualSounds(path, study)
        self.book = Book(answers, study.digest)
        self.key = self.book.ticket_key
        self.admin_key = secrets.token_urlsafe(24)
        self.least_heard = max(LEAST_HEARD, study.screening.least_heard)
        self.arrivals = Arrivals()

    def about(self) -> dict[str, Any]:
        """What anybody may know before they begin."""
        trials = len(self.study.sessions[0]) if self.study.sessions else 0
        roles = {clip.role for clip in self.study.clips}
        return {
            "title": self.study.title,
            "words": self.words,
            "trials": trials,
            "minutes": self._minutes(trials),
            "headphones": "headphones" in roles,
            "attention": "attention" in roles,
            "least_heard": self.least_heard,
        }

    def state(self, sitting: Sitting) -> dict[str, Any]:
        """Where a listener is; it is the same for every clip, whatever its arm."""
        place = place_of(self.study, sitting.done)
        of = len(self.study.sessions[sitting.done.session or 0]) if self.study.sessions else 0
        score = asdict(score_of(self.study, self.book.answers(sitting.listener))) if place.stage == "end" else None
        return {
            "place": place.name, "stage": place.stage, "number": place.number, "of": place.of, "turn": place.turn,
            "answered": sitting.done.answered, "trials": of, "score": score,
        }  # fmt: skip

    def sound(self, sitting: Sitting) -> tuple[bytes, str]:
        """What sounds where a listener is, and the ticket that goes with it."""
        place = place_of(self.study, sitting.done)
        clip = sound_of(self.study, sitting.done, place)
        if clip is None:
            raise NotNowError("nothing sounds here", "go on with the test")
        return self.sounds[clip.id], ticket(self.key, sitting.listener, place.name, time.time())

    def step(self, sitting: Sitting, place: Place, said: str = "") -> None:
        """Write down what was done at a place, if the listener is there or was.

        Raises:
            NotNowError: the listener has not come so far.
        """
        if place.name in sitting.done.steps:
            return
        if place_of(self.study, sitting.done).name != place.name:
            raise NotNowError("that is not what comes now", "load the page again")
        self.book.write_step(sitting.listener, place.name, said)

    def seat(self, sitting: Sitting) -> None:
        """Begin the trials: give a listener their session.

        Raises:
            NotNowError: something comes before, or everybody who is needed has taken part.
        """
        if sitting.done.session is not None:
            return
        if place_of(self.study, sitting.done).stage != "ready":
            raise NotNowError("that is not what comes now", "load the page again")
        years = sitting.done.steps[Place("training").name]
        listener = Listener(
            self.study.digest, sitting.listener, 0, simulated=False, consent=True,
            years_of_training=float(years) if years else None,
            headphones=passed_headphones(self.study, sitting.done),
        )  # fmt: skip
        sessions = self.study.sessions
        every = not self.study.screening.headphones
        trials = [len(session) for session in sessions]
        if not self.book.seat(listener, len(sessions), trials=trials, every=every, hour=int(time.time() // 3600)):
            raise NotNowError("everybody who is needed has taken part", "thank you for coming")

    def answer(self, sitting: Sitting, given: Given, shown: str) -> None:
        """Write down an answer; the first to a trial stands, and it is no error to send it again.

        Args:
            sitting: of the listener.
            given: the answer; its listener, kind and clip are not read.
            shown: the ticket of the sound that was answered.

        Raises:
            NotNowError: the trial has not come yet.
            RefusalError: too little of the clip was heard.
        """
        done = sitting.done
        if done.session is not None and given.position < done.answered:
            return
        place = Place("trial", given.position)
        if done.session is None or place_of(self.study, done).name != place.name:
            raise NotNowError("that trial has not come yet", "load the page again")
        at = given_out_at(self.key, sitting.listener, place.name, shown)
        slot = self.study.sessions[done.session][given.position]
        heard = 0.0 if at is None else min(given.seconds_heard, time.time() - at)
        if heard < self.least_heard * self.study.clip(slot.clip).seconds:
            raise HTTPError("too little of the clip was heard", "play it again, and answer then")
        record = {**asdict(given), "listener": sitting.listener, "kind": slot.kind, "clip": slot.clip}
        self.book.write_answer(Given(**{**record, "seconds_heard": round(heard, 2)}))

    def _minutes(self, trials: int) -> int:
        """About how long it takes: each clip once, six seconds for an answer, and the checks."""
        seconds = [clip.seconds for clip in self.study.items]
        mean = sum(seconds) / len(seconds) if seconds else 0.0
        before = sum(clip.seconds + 4 for clip in self.study.clips if clip.role in ("headphones", "practice"))
        return round((trials * (mean + 6) + before + 60) / 60)


_BEARER = HTTPBearer(auto_error=False, description="The key of a sitting, or that of the people who run the study.")


def _room(request: Request) -> ListeningRoom:
    room = request.app.state.room
    assert isinstance(room, ListeningRoom)
    return room


Here = Annotated[ListeningRoom, Depends(_room)]
"""A route's parameter: the room that it belongs to."""

Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
"""A route's parameter: the key that was shown."""


def _sitting(room: Here, shown: Shown) -> Sitting:
    if shown is None:
        raise NotFoundError("there is no such sitting", "open the study's link and begin")
    return room.book.sitting(shown.credentials)


def _admin(room: Here, shown: Shown) -> None:
    key = "" if shown is None else shown.credentials
    if not hmac.compare_digest(key.encode("utf-8", "replace"), room.admin_key.encode()):
        raise ForbiddenError("this page is for the people who run the study", "open the link that the terminal shows")


Mine = Annotated[Sitting, Depends(_sitting)]
"""A route's parameter: the sitting whose key was shown."""

ADMIN = Depends(_admin)
"""A route's dependency: the key of the people who run the study was shown."""
