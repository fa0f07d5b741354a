"""Schemas of requests and responses."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cantilena.listening.server.session import Stage


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Consent(_Request):
    """That somebody agrees to take part."""

    consent: Literal[True] = Field(description="True: nothing is kept of who does not agree.")


class Training(_Request):
    """Years of lessons in music."""

    years: float | None = Field(None, ge=0, le=120, allow_inf_nan=False, description="Years, or null to say nothing.")


class Quietest(_Request):
    """An answer of the headphone check."""

    quietest: int = Field(ge=0, le=2, strict=True, description="Which of the three tones was the quietest, from 0.")


class TrialAnswer(_Request):
    """An answer to a trial."""

    answer: Literal["human", "computer"] = Field(description="Who composed it.")
    confidence: int = Field(ge=1, le=4, strict=True, description="1 a guess, 4 certain.")
    knows_piece: bool = Field(False, strict=True, description="Whether the listener knows the piece.")
    seconds_heard: float = Field(ge=0, le=86_400, allow_inf_nan=False, description="How long it was played.")
    liking: int | None = Field(None, ge=1, le=7, strict=True, description="How much it was liked.")
    classical: int | None = Field(None, ge=1, le=7, strict=True, description="How classical it sounds.")
    ticket: str = Field(max_length=200, description="What the answer with the sound said in X-Ticket.")


class OwnScore(BaseModel):
    """How often a listener was right."""

    people: int
    people_right: int
    computers: int
    computers_right: int


class State(BaseModel):
    """Where a listener is in the test."""

    place: str = Field(description="A name of this place in the sitting.")
    stage: Stage = Field(description="What they are asked for.")
    number: int = Field(description="Which of them, from 0.")
    of: int = Field(description="How many there are.")
    turn: int = Field(description="Which turn of the headphone check, from 0.")
    answered: int = Field(description="How many trials were answered.")
    trials: int = Field(description="How many there are.")
    score: OwnScore | None = Field(description="At the end.")


class Begun(BaseModel):
    """A sitting that was begun."""

    key: str = Field(description="What opens this sitting again; it is shown as `Authorization: Bearer KEY`.")
    state: State


class About(BaseModel):
    """What anybody may know before they begin."""

    title: str
    words: dict[str, Any] = Field(description="What listeners read.")
    trials: int
    minutes: int = Field(description="About how long it takes.")
    headphones: bool = Field(description="Whether headphones are checked.")
    attention: bool = Field(description="Whether attention is checked.")
    least_heard: float = Field(description="The share of a clip that must be heard.")


class ListenerRow(BaseModel):
    """How far one listener has come."""

    listener: str
    session: int
    answered: int
    of: int
    headphones: bool


class Progress(BaseModel):
    """How far the study has come; nothing of what was answered."""

    title: str
    digest: str
    sessions: int
    consented: int = Field(description="How many agreed to take part.")
    began: int = Field(description="How many began the trials.")
    finished: int = Field(description="How many answered all of them.")
    complete: int = Field(description="Sessions that were finished by somebody who counts.")
    answers: int
    listeners: list[ListenerRow]
