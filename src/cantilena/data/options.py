"""Options of reading a folder of scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cantilena.errors import UsageError

Voice = Literal["melody", "all"]
Reading = Literal["exact", "paper"]
Chords = Literal["written", "inferred"]
Profile = Literal["krumhansl-kessler", "temperley", "aarden-essen"]

_VOICES: tuple[Voice, ...] = ("melody", "all")
_READINGS: tuple[Reading, ...] = ("exact", "paper")
_CHORDS: tuple[Chords, ...] = ("written", "inferred")
_PROFILES: tuple[Profile, ...] = ("krumhansl-kessler", "temperley", "aarden-essen")


@dataclass(frozen=True, kw_only=True)
class ReadLimits:
    """What reading one piece of untrusted files may take: a file, or a tune of a book.

    Raises:
        UsageError: a value is out of range.
    """

    time_limit: float = 10.0
    """Seconds that reading one piece may take: a file, or one tune of a book."""

    memory_limit: int = 1024
    """Megabytes that reading one piece may take."""

    def __post_init__(self) -> None:
        if not 0 < self.time_limit < 1e6:
            raise UsageError(
                f"the time limit must be above 0 s, got {self.time_limit:g}", "give a number of seconds over 0"
            )
        if not 64 <= self.memory_limit <= 2**20:
            raise UsageError(
                f"the memory limit must be 64 to {2**20} MB, got {self.memory_limit}", "give 64 megabytes or more"
            )

    def read_options(self, **options: Any) -> ReadOptions:  # noqa: ANN401  (the fields have many types)
        """Options of reading with these limits.

        Examples:
            >>> ReadLimits(time_limit=60).read_options(voice="all").time_limit
            60
        """
        return ReadOptions(time_limit=self.time_limit, memory_limit=self.memory_limit, **options)


@dataclass(frozen=True)
class ReadOptions(ReadLimits):
    """How scores are read and what is extracted from them.

    Raises:
        UsageError: a value is out of range.

    Examples:
        >>> ReadOptions(voice="all", reading="paper", seconds=30).seconds
        30
    """

    voice: Voice = "melody"
    """What to take: the melody line alone, or all notes and chords."""

    reading: Reading = "exact"
    """How notes become chords: struck together as written, or as the paper's tools read MIDI (with --voice all)."""

    seconds: float | None = None
    """Keep only the first so many seconds of each piece, by its own tempo map."""

    profile: Profile = "krumhansl-kessler"
    """The key profile that finds the key of a piece."""

    chords: Chords = "written"
    """The chords of melodies: symbols that the score writes, or where it has none inferred from its other parts."""

    jobs: int = 0
    """Worker processes that read files; 0 takes one a processor."""

    seed: int = 0
    """Seed of every random choice, such as the split."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _among("voice", self.voice, _VOICES)
        _among("reading", self.reading, _READINGS)
        _among("way to find chords", self.chords, _CHORDS)
        _among("key profile", self.profile, _PROFILES)
        if self.reading == "paper" and self.voice == "melody":
            raise UsageError("the paper's reading takes all notes and chords", "add --voice all, or leave --reading")
        if self.chords == "inferred" and self.voice == "all":
            raise UsageError("chords are inferred from the parts beside a melody", "leave --voice, or --chords")
        if self.seconds is not None and not 0 < self.seconds < 1e6:
            raise UsageError(f"seconds must be above 0, got {self.seconds:g}", "give a number of seconds over 0")
        if not 0 <= self.jobs <= 1024:
            raise UsageError(f"jobs must be 0 to 1024, got {self.jobs}", "0 takes one worker process a processor")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed {self.seed} is out of range", "seeds run from 0 to 2^63 - 1")


def _among(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"there is no {what} '{value}'", f"choose one of {', '.join(known)}")
