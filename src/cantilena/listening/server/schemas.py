"""Schemas of requests and responses."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cantilena.listening.server.session import Stage


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Consent(_Request):
    """Consent to take part."""

    consent: Literal[True] = Field(description="Must be true: nothing is stored without consent.")


class Training(_Request):
    """Years of musical training."""

    years: float | None = Field(None, ge=0, le=120, allow_inf_nan=False, description="Years, or null for no answer.")


class Quietest(_Request):
    """An answer of the headphone check."""

    quietest: int = Field(ge=0, le=2, strict=True, description="Which of the three tones was the quietest, from 0.")


class TrialAnswer(_Request):
    """An answer to a trial."""

    answer: Literal["human", "computer"] = Field(description="Who composed it.")
    confidence: int = Field(ge=1, le=4, strict=True, description="1 a guess, 4 certain.")
    knows_piece: bool = Field(False, strict=True, description="Whether the listener knows the piece.")
    seconds_heard: float = Field(
        ge=0, le=86_400, allow_inf_nan=False, description="Seconds of the clip that were played."
    )
    liking: int | None = Field(None, ge=1, le=7, strict=True, description="How much the listener likes it, 1 to 7.")
    classical: int | None = Field(None, ge=1, le=7, strict=True, description="How classical it sounds, 1 to 7.")
    ticket: str = Field(max_length=200, description="The header X-Ticket of the response with the sound.")


class OwnScore(BaseModel):
    """The number of clips, and of correct answers, by composer."""

    people: int = Field(description="Clips composed by people.")
    people_right: int = Field(description="Correct answers to them.")
    computers: int = Field(description="Clips composed by computers.")
    computers_right: int = Field(description="Correct answers to them.")


class State(BaseModel):
    """The current step of a participant."""

    place: str = Field(description="Name of the step, unique for the participant.")
    stage: Stage = Field(description="Kind of the step.")
    number: int = Field(description="Index among the steps of this kind.")
    of: int = Field(description="Number of steps of this kind.")
    turn: int = Field(description="Index of the attempt at the headphone check.")
    answered: int = Field(description="Number of answered trials.")
    trials: int = Field(description="Number of trials.")
    score: OwnScore | None = Field(description="Score, at the end of the test.")


class Begun(BaseModel):
    """A new participant."""

    key: str = Field(description="Key to send with every request, as `Authorization: Bearer KEY`.")
    state: State = Field(description="The first step.")


class About(BaseModel):
    """What is public before consent."""

    title: str = Field(description="Title of the study.")
    words: dict[str, Any] = Field(description="Texts that listeners read.")
    trials: int = Field(description="Number of trials.")
    minutes: int = Field(description="Expected duration, minutes.")
    headphones: bool = Field(description="Whether there is a headphone check.")
    attention: bool = Field(description="Whether there is an attention check.")
    least_heard: float = Field(description="Fraction of a clip that must be heard before its answer.")


class ListenerRow(BaseModel):
    """The progress of one listener."""

    listener: str = Field(description="Random name.")
    session: int = Field(description="Index of the session of the study.")
    answered: int = Field(description="Number of answered trials.")
    of: int = Field(description="Number of trials of the session.")
    headphones: bool = Field(description="Whether the headphone check was passed.")


class Progress(BaseModel):
    """The progress of the study, without answers."""

    title: str = Field(description="Title of the study.")
    digest: str = Field(description="SHA-256 digest of the study.")
    sessions: int = Field(description="Number of sessions.")
    consented: int = Field(description="Number of participants who consented.")
    began: int = Field(description="Number who began the trials.")
    finished: int = Field(description="Number who answered all trials.")
    complete: int = Field(description="Sessions with a complete set of valid answers.")
    answers: int = Field(description="Number of answers.")
    listeners: list[ListenerRow] = Field(description="All who began the trials, in that order.")
