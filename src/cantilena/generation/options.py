"""Options of composing; their attribute docstrings are the help of `cantilena compose`."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cantilena.errors import UsageError

if TYPE_CHECKING:
    from cantilena.music import ChordTrack, Form, Key, Melody
    from cantilena.rules import RuleSet

    PrimerText = str | Melody
    KeyName = str | Key
    FormText = str | Form
    ChordText = str | Path | ChordTrack
    RulesName = str | RuleSet
else:  # at run time the types of the flags are read, which are text
    PrimerText = KeyName = RulesName = FormText = ChordText = str

MAX_MELODIES = 10_000

MAX_CANDIDATES = 1024
"""Candidates of a search."""

MOST_BARS_OF_CALL = 16
"""The longest call that is answered, in bars."""

Reply = Literal["new", "varied"]
"""Whether an answer is a new phrase, or the call again with another ending, as in a parallel period."""


class BarRange(int):
    """Bars first to last of a melody, counted from 1; a pickup is bar 0. As an int it is their number.

    Args:
        first: the first bar.
        last: the last bar, inclusive.

    Raises:
        UsageError: the range is reversed or negative.

    Examples:
        >>> bars = BarRange.parse("5-8")
        >>> bars.first, bars.last, int(bars), str(bars)
        (5, 8, 4, '5-8')
    """

    shape: ClassVar[str] = "FIRST-LAST"
    first: int
    last: int

    def __new__(cls, first: int, last: int) -> BarRange:
        """Check the range."""
        if not 0 <= first <= last <= 10**9:
            raise UsageError(f"bars {first}-{last} are not a range", "give the first and the last, such as 5-8")
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
        """Parse `5-8`; `5-5` is bar 5 alone."""
        match = re.fullmatch(r"\s*(\d{1,9})\s*-\s*(\d{1,9})\s*", text, re.ASCII)
        if match is None:
            raise UsageError(f"'{text}' is not a range of bars", "write the first and the last, such as 5-8")
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class SamplingOptions:
    """How the next token is drawn from the probabilities of the model.

    Raises:
        UsageError: a value is out of range.
    """

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
            hint = "give a number above 0, up to 100; 1 is the model's own"
            if self.temperature == 0.0:
                hint = "for the most probable token at each step give --greedy; 1 is the model's own temperature"
            raise UsageError(f"temperature is {self.temperature:g}", hint)
        if self.top_k < 0:
            raise UsageError(f"top-k is {self.top_k}", "give a whole number; 0 means all tokens")
        if not 0.0 < self.top_p <= 1.0:
            raise UsageError(f"top-p is {self.top_p:g}", "give a share above 0, up to 1")


@dataclass(frozen=True)
class ComposeOptions:
    """What to compose: length, primer, key, range, rules, and how tokens are drawn.

    From Python, `primer` may be a `Melody`, `key` a `Key`, `form` a `Form` and `constrain` a `RuleSet`.

    Raises:
        UsageError: a value is out of range, or several lengths are given.
    """

    seconds: float | None = None
    """Length of the new music in seconds; 30 if no length is given."""

    bars: int | BarRange | None = None
    """Length of the whole melody in bars, primer included; with --of the bars of that piece to rewrite, such as 5-8."""

    events: int | None = None
    """Length of the new music: in sixteenths on the grid, in notes, chords and rests of a model of notes, in notes and
    chords in the events encoding."""

    style: str = ""
    """The style to compose in, of those that the model has learned: a name or a part of it. Its usual key and meter are
    the defaults of --key and --meter."""

    primer: PrimerText = ""
    """What to continue: notes such as "C4 E4/2 r/8 [C4 E4 G4]/8", or a MIDI, MusicXML, ABC or kern file. Of a book of
    tunes in ABC, BOOK#3 is the third tune, BOOK#X:12 the one of that reference number, BOOK:TITLE the one of that
    title."""

    with_primer: bool = True
    """Whether the result begins with the primer."""

    key: KeyName = ""
    """The key, such as "D minor"; by default that of the primer, or the one in which the model was tuned, or C major.
    Typed notes are read in this key; a primer from a file is transposed to it."""

    range: str = ""
    """The lowest and highest note, such as C4-A5."""

    constrain: RulesName = ""
    """Rules that no note may break while another keeps them: a set such as rl-tuner, one rule of it such as
    rl-tuner:key, a file FILE.toml, your own FILE.py:NAME, or several with commas between."""

    meter: str = ""
    """The time signature; by default that of the primer, or the one in which the model was tuned, or 4/4."""

    tempo: float | None = None
    """Quarter notes a minute; by default that of the primer, or 120."""

    form: FormText = "auto"
    """Sections by letter, such as AABA, AA'BA' (A' returns with changes) or A8A8B8A8 (with their bars), for models that
    have learned forms. `auto` draws a form that melodies of this length have; `free` leaves it to the model."""

    ending: Literal["auto", "full", "half", "open"] = "auto"
    """How such a melody ends: on the tonic (full), on another tone of the dominant chord (half), on neither (open)."""

    chords: ChordText = ""
    """Chords to compose over, for models that have learned to follow them: bars such as "C | Am | F G7 | C" (`%`
    repeats a bar, `x4` plays it four times), those of sections such as "A: C | F; B: G7 | C" with --form, or a file
    with chords. Without --bars they set the length; shorter ones repeat from their start."""

    search: int = 1
    """Candidates for each melody. With more than one they are resampled at barlines by how well the form, the range and
    the rules to keep suit the model, by --rules and at the end by --critic."""

    rules: RulesName = ""
    """Rules that candidates are weighed by, named as for --constrain; rl-tuner, say."""

    critic: Path | None = None
    """A critic of whole melodies that candidates are weighed by: a file that `cantilena train critic` wrote, or `tunes`
    for the one that ships."""

    sampling: SamplingOptions = SamplingOptions()
    """How tokens are drawn."""

    def __post_init__(self) -> None:
        if not 1 <= self.search <= MAX_CANDIDATES:
            raise UsageError(f"search is {self.search}", f"give 1 to {MAX_CANDIDATES} candidates")
        if self.search == 1 and (self.critic is not None or self.rules != ""):
            flag = "--critic" if self.critic is not None else "--rules"
            raise UsageError(f"{flag} without --search", "give a number of candidates, such as --search 16")
        lengths = [name for name in ("seconds", "bars", "events") if getattr(self, name) is not None]
        if len(lengths) > 1:
            raise UsageError(f"--{lengths[0]} and --{lengths[1]} together", "give one length")
        if self.seconds is not None and not 0.0 < self.seconds <= 3600.0:
            raise UsageError(f"seconds is {self.seconds:g}", "give a length above 0 and up to 3600")
        for name in ("bars", "events"):
            count = getattr(self, name)
            if count is not None and not 1 <= count <= 100_000:
                raise UsageError(f"{name} is {count}", "give a number from 1 to 100000")
        if self.ending not in ("auto", "full", "half", "open"):
            raise UsageError(f"ending is {self.ending}", "choose auto, full, half or open")
        if self.form == "free" and self.ending != "auto":
            raise UsageError("--ending with --form free has no effect", "leave out one of them")
        if self.tempo is not None and not 10.0 <= self.tempo <= 1000.0:
            raise UsageError(f"tempo is {self.tempo:g}", "give 10 to 1000 quarter notes a minute")

    def replace(self, **changes: Any) -> ComposeOptions:  # noqa: ANN401  (the fields have many types)
        """A copy with some fields changed, those of `SamplingOptions` among them.

        Raises:
            UsageError: there is no such field, or a value is invalid.

        Examples:
            >>> ComposeOptions(bars=4).replace(temperature=1.2).sampling.temperature
            1.2
        """
        own, drawing = ({field.name for field in fields(kind)} for kind in (ComposeOptions, SamplingOptions))
        for name in changes:
            if name not in own | drawing:
                near = get_close_matches(name, own | drawing, 1, 0.5)
                hint = f"did you mean {near[0]}?" if near else f"choose among {', '.join(sorted(own | drawing))}"
                raise UsageError(f"there is no option '{name}' of composing", hint)
        sampling = {name: changes.pop(name) for name in list(changes) if name in drawing}
        made = replace(self, **changes)
        return replace(made, sampling=replace(made.sampling, **sampling)) if sampling else made

    def check_unused(self, used: Collection[str], beside: str) -> None:
        """Refuse options that have no effect beside another one.

        Args:
            used: the names of fields that have an effect; `sampling` for those of `SamplingOptions`.
            beside: the other option, as a flag.

        Raises:
            UsageError: a field that is not used has another value than its default.
        """
        given, default = ({**vars(options), **vars(options.sampling)} for options in (self, ComposeOptions()))
        ignored = {"sampling", *used, *(vars(self.sampling) if "sampling" in used else ())}
        for name, value in given.items():
            if name not in ignored and value != default[name]:
                flag = "--no-primer" if name == "with_primer" else f"--{name.replace('_', '-')}"
                raise UsageError(f"{flag} and {beside} together", "the melodies given decide it: leave it out")

    def bars_to_rewrite(self) -> BarRange:
        """The bars of a piece to rewrite; the piece decides key, meter, tempo and length.

        Raises:
            UsageError: `bars` is not a range, or an option has no effect.

        Examples:
            >>> ComposeOptions(bars=BarRange(5, 8)).bars_to_rewrite()
            BarRange(5, 8)
        """
        if not isinstance(self.bars, BarRange):
            wrong = "the bars to rewrite are not given" if self.bars is None else f"bars is {self.bars}, not a range"
            raise UsageError(wrong, "give the first and the last bar of the piece, such as --bars 5-8")
        self.check_unused(("bars", "style", "range", "constrain", "sampling"), "--of")
        return self.bars


@dataclass(frozen=True)
class LatentOptions:
    """Interpolating between two melodies, or varying one, with a VAE.

    Raises:
        UsageError: options that do not belong together.
    """

    interpolate: tuple[str, str] | None = None
    """Two melodies to interpolate, files or notes as for --primer; they are the first and the last of the result."""

    steps: int | None = None
    """Melodies of the interpolation, both ends among them; 5 by default."""

    vary: str | None = None
    """A melody to vary, a file or notes as for --primer."""

    amount: float | None = None
    """How much it is varied: 0 for the melody itself, 1 for a free sample; 0.3 by default."""

    def __post_init__(self) -> None:
        if self.interpolate is not None and self.vary is not None:
            raise UsageError("--interpolate and --vary together", "give one of them")
        if self.steps is not None and self.interpolate is None:
            raise UsageError("--steps without --interpolate", "give two melodies to interpolate, or leave it out")
        if self.amount is not None and self.vary is None:
            raise UsageError("--amount without --vary", "give a melody to vary, or leave it out")

    @property
    def flag(self) -> str:
        """The flag that is given; empty if none is."""
        return "--interpolate" if self.interpolate is not None else "--vary" if self.vary is not None else ""


def check_count(melodies: int) -> None:
    """Check a number of melodies to compose.

    Raises:
        UsageError: it is not 1 to 10000.
    """
    if not 1 <= melodies <= MAX_MELODIES:
        raise UsageError(f"{melodies} melodies cannot be composed at once", f"give 1 to {MAX_MELODIES}")
