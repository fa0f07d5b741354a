"""What can be asked of a listening test: its design, what is told of its power, where it is served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cantilena.errors import UsageError
from cantilena.server import ServerOptions

Preset = Literal["full", "paper"]

ACCEPTABLE = ("length", "loudness", "silence", "pace", "register")
"""What arms may be let differ in."""


@dataclass(frozen=True)
class CreateOptions:
    """The design of a study.

    Raises:
        UsageError: a design that cannot be.
    """

    preset: Preset = "full"
    """full: matched clips, anchors, repeat and checks; paper: its own design, 10 raters who hear 10 + 10 clips of 30
    seconds."""

    title: str = "Human or computer?"
    """What the study is called."""

    clips: int | None = None
    """Clips of each arm; 30 where left out."""

    trials: int | None = None
    """Clips of the arms that one listener hears, as many of each; about 20 where left out."""

    listeners: int | None = None
    """Listeners for whom sessions are laid out; about 40 where left out."""

    shortest: float = 8.0
    """Seconds that a clip lasts at least."""

    longest: float = 20.0
    """Seconds that a clip lasts at the most."""

    tempo: float = 120.0
    """Quarter notes a minute of every clip."""

    margin: float = 0.10
    """How far from chance right answers may be where an arm counts as not to be told."""

    accept: tuple[str, ...] = ()
    """What arms may differ in although a machine tells them by it: length, loudness, silence, pace, register."""

    against: tuple[str, ...] = ()
    """Corpora that the models learned from, whose melodies shall be in no clip: names, corpus files or folders; of
    models that ship with Cantilena it is known."""

    seed: int = 1
    """The same seed and melodies give the same study."""

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("clips", self.clips, 2, 500),
            ("trials", self.trials, 2, 200),
            ("listeners", self.listeners, 2, 5000),
            ("shortest", self.shortest, 2, 120),
            ("longest", self.longest, 2, 120),
            ("tempo", self.tempo, 30, 300),
        ):
            if value is not None and not low <= value <= high:
                raise UsageError(f"--{name} {value:g}", f"give a number from {low} to {high}")
        if self.shortest > self.longest:
            raise UsageError("--shortest is above --longest", "give a shorter one")
        if not 0 < self.margin < 0.5:
            raise UsageError(f"--margin {self.margin:g}", "give a share between 0 and 0.5, such as 0.1")
        if not self.title.strip() or len(self.title) > 200 or not self.title.isprintable():
            raise UsageError("--title is empty or cannot be printed", "give a line of up to 200 letters")
        if strange := set(self.accept) - set(ACCEPTABLE):
            raise UsageError(f"--accept {min(strange)[:20]}", f"arms may differ in {', '.join(ACCEPTABLE)}")
        if self.preset == "paper" and (self.clips, self.trials, self.listeners) != (None, None, None):
            raise UsageError("the paper's design has its own numbers", "leave out --clips, --trials and --listeners")


@dataclass(frozen=True)
class PowerOptions:
    """What is assumed where the number of listeners is worked out (with --power).

    Raises:
        UsageError: shares or numbers that cannot be.
    """

    people: float = 0.7
    """Share of people's clips that are called human."""

    right: float = 0.65
    """Right answers, without leaning, by which an arm shall be told from people's."""

    lower: float = 0.2
    """Share called human of the first of two arms that shall be told apart; the paper's LSTM."""

    higher: float = 0.4
    """The same of the second; the paper's tuned model."""

    spread_of_listeners: float = 0.4
    """Standard deviation among listeners, in units of a trial's noise."""

    spread_of_clips: float = 0.4
    """Standard deviation among clips of one arm."""

    studies: int = 200
    """Studies that are simulated at each number of listeners."""

    promise: float = 0.8
    """How often a claim shall stand."""

    def __post_init__(self) -> None:
        for name, share in (("people", self.people), ("lower", self.lower), ("higher", self.higher)):
            if not 0 < share < 1:
                raise UsageError(f"--{name} {share:g}", "give a share between 0 and 1")
        if not 0.5 < self.right < 1 or not 0 < self.people - 2 * (self.right - 0.5) < 1:
            raise UsageError(
                f"{self.right:g} right answers where people's clips are called human {self.people:g} of the time",
                "give --right between 0.5 and (1 + --people) / 2",
            )
        if self.lower == self.higher:
            raise UsageError("--lower and --higher are the same", "give two shares")
        if not (0 <= self.spread_of_listeners <= 3 and 0 <= self.spread_of_clips <= 3):
            raise UsageError("a spread outside 0 to 3", "give the standard deviations in units of a trial's noise")
        if not 10 <= self.studies <= 10_000 or not 0.05 <= self.promise <= 0.99:
            raise UsageError("--studies or --promise", "give 10 to 10,000 studies, and a promise from 0.05 to 0.99")


@dataclass(frozen=True)
class RehearseOptions:
    """What simulated listeners are like.

    Raises:
        UsageError: shares or spreads that cannot be.
    """

    listeners: int | None = None
    """How many answer; as many as the study has sessions where left out."""

    spread_of_listeners: float = 0.4
    """Standard deviation among them, in units of a trial's noise."""

    spread_of_clips: float = 0.4
    """Standard deviation among clips of one arm."""

    careless: float = 0.05
    """Share of them who answer by chance and fail checks."""

    seed: int = 1
    """The same seed gives the same answers."""

    def __post_init__(self) -> None:
        if not (0 <= self.spread_of_listeners <= 3 and 0 <= self.spread_of_clips <= 3 and 0 <= self.careless < 1):
            raise UsageError("a spread outside 0 to 3, or --careless outside 0 to 1", "give other numbers")


@dataclass(frozen=True)
class ServeOptions(ServerOptions):
    """Where listeners find the test, and where their answers go."""

    answers: Path | None = None
    """The SQLite file of the answers, which is gone on with if it is there; STUDY.answers.sqlite where left out."""
