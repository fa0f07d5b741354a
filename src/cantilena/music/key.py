"""Keys: a tonic pitch class and a mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.errors import UsageError
from cantilena.music.pitch import parse_pitch_class

Mode = Literal["major", "minor"]
"""The modes of a key."""

_SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
}
_MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


@dataclass(frozen=True, slots=True)
class Key:
    """A key: where the tonic lies and which mode.

    Args:
        tonic: pitch class of the tonic, 0 (C) to 11 (B).
        mode: `major` or `minor`.

    Raises:
        UsageError: another tonic or mode.

    Example:
        >>> Key.parse("D minor").pitch_classes
        (0, 2, 4, 5, 7, 9, 10)
    """

    tonic: int = 0
    mode: Mode = "major"

    def __post_init__(self) -> None:
        if self.mode not in _SCALES:
            raise UsageError(f"'{self.mode}' is not a mode", "modes are major and minor")
        if not 0 <= self.tonic <= 11:
            raise UsageError(f"{self.tonic} is not a pitch class", "pitch classes run from 0 (C) to 11 (B)")

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read `D minor`, `Bb major`, `F#` (major) or `am` (minor).

        Example:
            >>> Key.parse("am"), Key.parse("Eb")
            (Key(tonic=9, mode='minor'), Key(tonic=3, mode='major'))
        """
        words = text.strip().split()
        if len(words) == 2 and words[1].lower() in _SCALES:
            return cls(parse_pitch_class(words[0]), "minor" if words[1].lower() == "minor" else "major")
        if len(words) == 1:
            name = words[0]
            if name.endswith("m") and len(name) > 1:
                return cls(parse_pitch_class(name[:-1]), "minor")
            return cls(parse_pitch_class(name), "major")
        raise UsageError(f"'{text}' is not a key", "write a tonic and a mode: 'C major', 'D minor', 'Bb major'")

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """The seven pitch classes of the scale (natural minor), ascending from 0."""
        return tuple(sorted((self.tonic + step) % 12 for step in _SCALES[self.mode]))

    @property
    def mask(self) -> int:
        """The scale as 12 bits: bit k is set where pitch class k belongs to the key."""
        return sum(1 << pitch_class for pitch_class in self.pitch_classes)

    @property
    def name(self) -> str:
        """The name as a musician writes it: `Bb major`, `F# minor`."""
        names = _MAJOR_NAMES if self.mode == "major" else _MINOR_NAMES
        return f"{names[self.tonic]} {self.mode}"

    @property
    def fifths(self) -> int:
        """The key signature: sharps counted up, flats counted down, -6 (Gb major, Eb minor) to 5.

        Example:
            >>> Key.parse("E major").fifths, Key.parse("Eb minor").fifths
            (4, -6)
        """
        major_tonic = self.tonic if self.mode == "major" else (self.tonic + 3) % 12
        fifths = major_tonic * 7 % 12
        return fifths - 12 if fifths >= 6 else fifths

    @property
    def plain(self) -> Key:
        """The key without signature of the same mode: C major or A minor."""
        return Key(0, "major") if self.mode == "major" else Key(9, "minor")

    def interval_to(self, other: Key) -> int:
        """Semitones from this tonic to another's by the shorter way, -6..5.

        Example:
            >>> Key.parse("G major").interval_to(Key.parse("C major"))
            5
        """
        return (other.tonic - self.tonic + 6) % 12 - 6

    def transposed(self, semitones: int) -> Key:
        """The key that many semitones higher."""
        return Key((self.tonic + semitones) % 12, self.mode)
