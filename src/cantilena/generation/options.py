"""How tokens are drawn, and what is to be composed.

What is asked of the space of codes: a way between two melodies, or a melody varied.

Bars by number: `5-8`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import ClassVar

from cantilena.errors import UsageError


class BarRange(int):
    """Bars first to last of a melody, counted from 1; a pickup is bar 0. As a number it says how many they are.

    Args:
        first: the first bar.
        last: the last, itself included.

    Raises:
        UsageError: bars in the wrong order, or below 0.

    Example:
        >>> asked = BarRange.parse("5-8")
        >>> asked.first, asked.last, int(asked), str(asked)
        (5, 8, 4, '5-8')
    """

    shape: ClassVar[str] = "FIRST-LAST"
    first: int
    last: int

    def __new__(cls, first: int, last: int) -> BarRange:
        """A number of bars that knows which they are."""
        if not 0 <= first <= last <= 10**9:
            raise UsageError(f"bars {first}-{last}", "give the first and the last, such as 5-8")
        made = super().__new__(cls, last - first + 1)
        made.first, made.last = first, last
        return made

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __repr__(self) -> str:
        return f"BarRange({self.first}, {self.last})"

    def __reduce__(self) -> tuple[type[BarRange], tuple[int, int]]:
        return BarRange, (self.first, self.last)

    @classmethod
    def parse(cls, text: str) -> BarRange:
        """Read `5-8`; `5-5` is bar 5 alone."""
        found = re.fullmatch(r"\s*(\d{1,9})\s*-\s*(\d{1,9})\s*", text, re.ASCII)
        if found is None:
            raise UsageError(f"'{text}' is no range of bars", "write the first and the last, such as 5-8")
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True)
class SamplingOptions:
    """How the next token is drawn from the model's probabilities."""

    temperature: float = 1.0
    """Above 1 more surprising, below 1 more cautious."""

    top_k: int = 0
    """Draw among the k most probable tokens only; 0 means all."""

    top_p: float = 1.0
    """Draw among the most probable tokens that together hold this share of the probability."""

    greedy: bool = False
    """Always take the most probable token, as the paper does."""

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature <= 100.0:
            raise UsageError(
                f"temperature {self.temperature:g}", "give a number above 0, up to 100; 1 is the model's own"
            )
        if self.top_k < 0:
            raise UsageError(f"top-k {self.top_k}", "give a whole number; 0 means all tokens")
        if not 0.0 < self.top_p <= 1.0:
            raise UsageError(f"top-p {self.top_p:g}", "give a share above 0, up to 1")


@dataclass(frozen=True)
class ComposeOptions:
    """How much to compose, from what, and where on the keyboard."""

    seconds: float | None = None
    """Length of the new music in seconds; 30 where no length is given."""

    bars: int | BarRange | None = None
    """Length of the new music in bars; with --of which bars of that piece are written anew, such as 5-8."""

    events: int | None = None
    """Length of the new music in tokens: sixteenths on the grid, notes and chords in the events encoding."""

    style: str = ""
    """The style to compose in, of those that the model was told: a name or a part of it. Its usual key and meter are
    taken where none are given."""

    primer: str = ""
    """What to continue: notes such as "C4 D4 E4/2 r/8 F#4/8", or a MIDI, MusicXML, ABC or kern file."""

    with_primer: bool = True
    """Whether the result begins with the primer."""

    key: str = ""
    """The key, such as "D minor"; the primer's, or the one that the model was tuned in, or C major, if left out. Typed
    notes stay where they are and are heard in it; a primer from a file moves there."""

    range: str = ""
    """The lowest and highest note, such as C4-A5."""

    constrain: str = ""
    """Rules that no note may break while another keeps them: a set such as rl-tuner, one rule of it such as
    rl-tuner:key, a file FILE.toml, your own FILE.py:NAME, or several with commas between."""

    meter: str = ""
    """The time signature; the primer's, or the one that the model was tuned in, or 4/4, if left out."""

    tempo: float | None = None
    """Quarter notes a minute; the primer's, or 120, where none is given."""

    def __post_init__(self) -> None:
        lengths = [name for name in ("seconds", "bars", "events") if getattr(self, name) is not None]
        if len(lengths) > 1:
            raise UsageError(f"--{lengths[0]} and --{lengths[1]} together", "give one length")
        if self.seconds is not None and not 0.0 < self.seconds <= 3600.0:
            raise UsageError(f"{self.seconds:g} seconds of music", "give a length above 0 and up to 3600 seconds")
        for name in ("bars", "events"):
            count = getattr(self, name)
            if count is not None and not 1 <= count <= 100_000:
                raise UsageError(f"{count} {name} of music", "give a number from 1 to 100000")
        if self.tempo is not None and not 10.0 <= self.tempo <= 1000.0:
            raise UsageError(f"a tempo of {self.tempo:g}", "give 10 to 1000 quarter notes a minute")

    def bars_to_rewrite(self) -> BarRange:
        """Which bars of a piece are asked for; the piece itself has key, meter, tempo and length.

        Raises:
            UsageError: no bars, a mere number of them, or what the piece has already.

        Example:
            >>> ComposeOptions(bars=BarRange(5, 8)).bars_to_rewrite()
            BarRange(5, 8)
        """
        if not isinstance(self.bars, BarRange):
            hint = "give the first and the last bar, such as --bars 5-8"
            if self.bars is None:
                raise UsageError("a piece to rewrite, and no bars of it", hint)
            raise UsageError(f"{self.bars} bars of a piece to rewrite do not say which", hint)
        for flag, given in (("primer", self.primer), ("key", self.key), ("meter", self.meter), ("tempo", self.tempo)):
            if given:
                raise UsageError(
                    f"--{flag} and --of together", "the piece that is rewritten keeps its own: leave it out"
                )
        if not self.with_primer:
            raise UsageError("--no-primer and --of together", "the piece stays around the bars that are rewritten")
        return self.bars


@dataclass(frozen=True)
class LatentOptions:
    """A way from one melody to another, or a melody varied, with a model that is a VAE."""

    interpolate: tuple[str, str] | None = None
    """Two melodies to go between, files or notes as for --primer: the first melody is the one, the last the other."""

    steps: int | None = None
    """Melodies on that way, both ends among them; 5 if left out."""

    vary: str | None = None
    """A melody to vary, a file or notes as for --primer."""

    amount: float | None = None
    """How much it is varied: 0 for the melody itself, 1 for a free draw; 0.3 if left out."""

    def __post_init__(self) -> None:
        if self.interpolate is not None and self.vary is not None:
            raise UsageError("--interpolate and --vary together", "give one of them")
        if self.steps is not None and self.interpolate is None:
            raise UsageError("--steps without --interpolate", "give two melodies to go between, or leave it out")
        if self.amount is not None and self.vary is None:
            raise UsageError("--amount without --vary", "give a melody to vary, or leave it out")
        if self.amount is not None and not 0.0 <= self.amount <= 1.0:
            raise UsageError(f"an amount of {self.amount:g}", "give 0, the melody itself, to 1, a free draw")
        if self.steps is not None and not 2 <= self.steps <= 1000:
            raise UsageError(
                f"a way of {self.steps} steps", "give 2 to 1000: the first is the one melody, the last the other"
            )

    @property
    def flag(self) -> str:
        """What is asked, as its flag; empty for nothing."""
        return "--interpolate" if self.interpolate is not None else "--vary" if self.vary is not None else ""

    def check_beside(self, options: ComposeOptions, sampling: SamplingOptions) -> None:
        """Refuse what the melodies themselves decide.

        Args:
            options: what else was asked.
            sampling: how tokens are drawn.

        Raises:
            UsageError: an option that has no place beside these.
        """
        usual, taken = ComposeOptions(), ("range", "constrain", *(["key"] if self.interpolate is not None else []))
        given = [
            field.name
            for field in fields(options)
            if field.name not in taken and getattr(options, field.name) != getattr(usual, field.name)
        ]
        if given:
            name = {"with_primer": "no-primer"}.get(given[0], given[0])
            raise UsageError(f"--{name} and {self.flag} together", "the melodies given decide it: leave it out")
        if self.interpolate is not None and sampling != SamplingOptions():
            raise UsageError(
                "--temperature, --top-k, --top-p or --greedy and --interpolate together",
                "the melodies between are always the most probable ones: leave it out",
            )
