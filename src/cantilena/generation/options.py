"""How tokens are drawn, and what is to be composed."""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.errors import UsageError
from cantilena.generation.bar_range import BarRange


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
