"""Keys: a tonic pitch class and a mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.errors import UsageError
from cantilena.music.pitch import parse_pitch_class

Mode = Literal["major", "minor", "dorian", "phrygian", "lydian", "mixolydian", "locrian"]
"""The diatonic modes; minor is natural minor."""

FIFTHS_ABOVE: dict[Mode, int] = {
    "lydian": -1, "major": 0, "mixolydian": 1, "dorian": 2, "minor": 3, "phrygian": 4, "locrian": 5,
}  # fmt: skip
"""Fifths from the tonic of the major key with the same signature up to this tonic: D dorian is two above C major."""

MODE_NAMES: dict[str, Mode] = {**{mode: mode for mode in FIFTHS_ABOVE}, "ionian": "major", "aeolian": "minor"}
"""The names of the modes, in full, and the mode that each stands for."""

_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
_LINE_OF_FIFTHS = "FCGDAEB"


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic and a mode.

    Args:
        tonic: pitch class of the tonic, 0 (C) to 11 (B).
        mode: `major`, `minor` (natural), `dorian`, `phrygian`, `lydian`, `mixolydian` or `locrian`.

    Raises:
        UsageError: the tonic or the mode is invalid.

    Examples:
        >>> Key.parse("D minor").pitch_classes
        (0, 2, 4, 5, 7, 9, 10)
    """

    tonic: int = 0
    mode: Mode = "major"

    def __post_init__(self) -> None:
        if self.mode not in FIFTHS_ABOVE:
            raise UsageError(f"'{self.mode}' is not a mode", f"modes are {', '.join(FIFTHS_ABOVE)}")
        if not 0 <= self.tonic <= 11:
            raise UsageError(f"{self.tonic} is not a pitch class", "pitch classes run from 0 (C) to 11 (B)")

    @classmethod
    def parse(cls, text: str) -> Key:
        """Parse `D minor`, `Bb major`, `E dorian`, `F#` (major) or `am` (minor).

        Examples:
            >>> Key.parse("am"), Key.parse("Eb")
            (Key(tonic=9, mode='minor'), Key(tonic=3, mode='major'))
        """
        words = text.strip().split()
        mode = MODE_NAMES.get(words[-1].lower()) if words else None
        if len(words) == 2 and mode is not None:
            return cls(parse_pitch_class(words[0]), mode)
        if len(words) == 1:
            name = words[0]
            if name.endswith("m") and len(name) > 1:
                return cls(parse_pitch_class(name[:-1]), "minor")
            return cls(parse_pitch_class(name), "major")
        raise UsageError(f"'{text}' is not a key", "write a tonic and a mode: 'C major', 'D minor', 'E dorian'")

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """The seven pitch classes of the scale, ascending from 0."""
        return tuple(sorted((self._major_tonic + step) % 12 for step in _MAJOR_SCALE))

    @property
    def mask(self) -> int:
        """The scale as 12 bits: bit k is set if pitch class k belongs to the key."""
        return sum(1 << pitch_class for pitch_class in self.pitch_classes)

    @property
    def name(self) -> str:
        """The name, such as `Bb major` or `F# minor`."""
        return f"{name_by_fifths(self.fifths + FIFTHS_ABOVE[self.mode])} {self.mode}"

    @property
    def is_minor(self) -> bool:
        """Whether the third above the tonic is minor: minor, dorian, phrygian and locrian."""
        return FIFTHS_ABOVE[self.mode] >= FIFTHS_ABOVE["dorian"]

    @property
    def fifths(self) -> int:
        """The key signature: positive for sharps, negative for flats, -6 (Gb major, Eb minor) to 5.

        Examples:
            >>> Key.parse("E major").fifths, Key.parse("Eb minor").fifths, Key.parse("E dorian").fifths
            (4, -6, 2)
        """
        fifths = self._major_tonic * 7 % 12
        return fifths - 12 if fifths >= 6 else fifths

    @property
    def plain(self) -> Key:
        """The key of the same mode without accidentals: C major, A minor, D dorian."""
        return Key(FIFTHS_ABOVE[self.mode] * 7 % 12, self.mode)

    @property
    def _major_tonic(self) -> int:
        """The tonic of the major key with the same signature."""
        return (self.tonic - 7 * FIFTHS_ABOVE[self.mode]) % 12

    def interval_to(self, other: Key) -> int:
        """Semitones from this tonic to the nearest tonic of another key, -6 to 5.

        Examples:
            >>> Key.parse("G major").interval_to(Key.parse("C major"))
            5
        """
        return (other.tonic - self.tonic + 6) % 12 - 6

    def transposed(self, semitones: int) -> Key:
        """The key `semitones` higher."""
        return Key((self.tonic + semitones) % 12, self.mode)


def note_by_fifths(position: int) -> tuple[str, int]:
    """Return the letter and the alteration of a place on the line of fifths, C at 0.

    Examples:
        >>> note_by_fifths(0), note_by_fifths(6), note_by_fifths(-2)
        (('C', 0), ('F', 1), ('B', -1))
    """
    return _LINE_OF_FIFTHS[(position + 1) % 7], (position + 1) // 7


def name_by_fifths(position: int) -> str:
    """Return the name of a place on the line of fifths, C at 0: `F#`, `Bb`."""
    letter, alteration = note_by_fifths(position)
    return f"{letter}{'#' * alteration}{'b' * -alteration}"
