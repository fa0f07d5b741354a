"""What a rule must know besides the notes: the key and the bars."""

from __future__ import annotations

from dataclasses import dataclass, field

from cantilena.errors import UsageError
from cantilena.music import Key, Meter


@dataclass(frozen=True, slots=True)
class Context:
    """The key, the meter and the length of a bar that a line is judged in.

    Args:
        key: the key all melodies of the line are in.
        meter: the time signature.
        steps_per_bar: steps of the line in one bar: 16 for sixteenths in 4/4.
        timed: whether steps are equal stretches of time. In the events encoding they are not: a step is a note, and
            rules of time have nothing to say.

    Raises:
        UsageError: a bar without steps.

    Example:
        >>> Context(Key.parse("D minor")).tonic_pitch
        62
    """

    key: Key = field(default_factory=Key)
    meter: Meter = field(default_factory=Meter)
    steps_per_bar: int = 16
    timed: bool = True

    def __post_init__(self) -> None:
        if self.steps_per_bar < 1:
            raise UsageError(f"{self.steps_per_bar} steps a bar", "a bar has one step or more")

    @property
    def tonic_pitch(self) -> int:
        """The tonic in the octave C4..B4, as a MIDI number: 60 in C."""
        return 60 + self.key.tonic

    @property
    def mediant(self) -> int:
        """The pitch class of the key's third degree: E in C major, C in A minor."""
        return (self.key.tonic + (3 if self.key.is_minor else 4)) % 12

    @property
    def dominant(self) -> int:
        """The pitch class of the key's fifth degree: G in C major."""
        return (self.key.tonic + 7) % 12
