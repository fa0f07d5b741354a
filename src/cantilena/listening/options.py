"""Options of the listening test: its design, its power analysis, rehearsal and server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cantilena.errors import UsageError
from cantilena.server import ServerOptions

Preset = Literal["full", "paper"]

ACCEPTABLE = ("length", "loudness", "silence", "pace", "register")
"""Properties in which arms may be allowed to differ."""


@dataclass(frozen=True)
class CreateOptions:
    """The design of a study."""

    preset: Preset = "full"
    """full: matched clips with anchors, a repeat and checks; paper: the paper's design, in which 10 raters each hear
    10 + 10 clips of 30 seconds."""

    title: str = "Human or computer?"
    """Title of the study, which listeners see."""

    clips: int | None = None
    """Clips per arm (default: 30)."""

    trials: int | None = None
    """Clips that each listener hears, the same number from each arm (default: about 20)."""

    listeners: int | None = None
    """Number of sessions, one per listener (default: about 40)."""

    shortest: float = 8.0
    """Shortest clip, in seconds."""

    longest: float = 20.0
    """Longest clip, in seconds."""

    tempo: float = 120.0
    """Tempo of all clips, in quarter notes per minute."""

    margin: float = 0.10
    """Equivalence margin: how far from chance the share of correct answers may be."""

    accept: tuple[str, ...] = ()
    """Properties in which arms may differ although a classifier can tell them apart: length, loudness, silence, pace,
    register."""

    against: tuple[str, ...] = ()
    """Training corpora of the models, whose melodies are excluded: names, corpus files or folders. The corpora of the
    models that ship with Cantilena are known."""

    seed: int = 1
    """Random seed; the same seed and melodies give the same study."""

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
                raise UsageError(f"--{name} is {value:g}", f"give a number from {low} to {high}")
        if self.shortest > self.longest:
            raise UsageError(
                f"--shortest {self.shortest:g} is above --longest {self.longest:g}", "give a smaller --shortest"
            )
        if not 0 < self.margin < 0.5:
            raise UsageError(f"--margin is {self.margin:g}", "give a share between 0 and 0.5, such as 0.1")
        if not self.title.strip() or len(self.title) > 200 or not self.title.isprintable():
            raise UsageError("--title is empty, too long or not printable", "give one line of up to 200 characters")
        if unknown := set(self.accept) - set(ACCEPTABLE):
            raise UsageError(
                f"--accept {min(unknown)[:20]!r} is unknown", f"arms may differ in {', '.join(ACCEPTABLE)}"
            )
        if self.preset == "paper" and (self.clips, self.trials, self.listeners) != (None, None, None):
            raise UsageError(
                "--preset paper has fixed numbers of clips, trials and listeners",
                "omit --clips, --trials and --listeners",
            )


@dataclass(frozen=True)
class PowerOptions:
    """Assumptions of the power analysis (with --power)."""

    people: float = 0.7
    """Share of human clips that are called human."""

    right: float = 0.65
    """Share of correct answers of an unbiased listener, by which an arm is distinguished from human clips."""

    lower: float = 0.2
    """Share called human of the first of two arms to distinguish; the paper's LSTM."""

    higher: float = 0.4
    """Share called human of the second; the paper's tuned model."""

    spread_of_listeners: float = 0.4
    """Standard deviation among listeners, in units of the noise of a trial."""

    spread_of_clips: float = 0.4
    """Standard deviation among the clips of one arm, in the same units."""

    studies: int = 200
    """Simulated studies for each number of listeners."""

    promise: float = 0.8
    """Required power."""

    def __post_init__(self) -> None:
        for name, share in (("people", self.people), ("lower", self.lower), ("higher", self.higher)):
            if not 0 < share < 1:
                raise UsageError(f"--{name} is {share:g}", "give a share between 0 and 1")
        if not 0.5 < self.right < 1 or not 0 < self.people - 2 * (self.right - 0.5) < 1:
            raise UsageError(
                f"--right {self.right:g} is not possible with --people {self.people:g}",
                "give --right between 0.5 and (1 + --people) / 2",
            )
        if self.lower == self.higher:
            raise UsageError(f"--lower and --higher are both {self.lower:g}", "give two different shares")
        _check_spreads(self.spread_of_listeners, self.spread_of_clips)
        if not 10 <= self.studies <= 10_000:
            raise UsageError(f"--studies is {self.studies}", "give a number from 10 to 10,000")
        if not 0.05 <= self.promise <= 0.99:
            raise UsageError(f"--promise is {self.promise:g}", "give a power from 0.05 to 0.99")


@dataclass(frozen=True)
class RehearseOptions:
    """Simulated listeners."""

    listeners: int | None = None
    """Number of listeners (default: one for each session of the study)."""

    spread_of_listeners: float = 0.4
    """Standard deviation among listeners, in units of the noise of a trial."""

    spread_of_clips: float = 0.4
    """Standard deviation among the clips of one arm, in the same units."""

    careless: float = 0.05
    """Share of listeners who answer at random and fail checks."""

    seed: int = 1
    """Random seed; the same seed gives the same answers."""

    def __post_init__(self) -> None:
        _check_spreads(self.spread_of_listeners, self.spread_of_clips)
        if not 0 <= self.careless < 1:
            raise UsageError(f"--careless is {self.careless:g}", "give a share from 0 to below 1")


def _check_spreads(listeners: float, clips: float) -> None:
    for name, spread in (("listeners", listeners), ("clips", clips)):
        if not 0 <= spread <= 3:
            raise UsageError(f"--spread-of-{name} is {spread:g}", "give a standard deviation from 0 to 3")


@dataclass(frozen=True)
class ServeOptions(ServerOptions):
    """Address of the server and file of the answers."""

    answers: Path | None = None
    """SQLite file of the answers; an existing file is continued (default: STUDY.answers.sqlite)."""
