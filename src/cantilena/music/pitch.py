"""Pitches as MIDI numbers, and their names."""

from __future__ import annotations

import re

from cantilena.errors import UsageError

NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""The pitch classes of the letters."""

_SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "##": 2, "b": -1, "♭": -1, "-": -1, "bb": -2, "--": -2}
# The accidental is lazy, so that a final -1 is an octave and not a flat.
_PITCH = re.compile(r"([A-Ga-g])(##|#|♯|bb|b|♭|-|--)??(-1|\d{1,2})\Z")
_PITCH_CLASS = re.compile(r"([A-Ga-g])(##|#|♯|bb|b|♭|--|-)?\Z")


class Pitch(int):
    """A MIDI number, 0 to 127; middle C is 60, named C4.

    Raises:
        UsageError: the number is outside 0 to 127.

    Examples:
        >>> Pitch.parse("Bb4"), Pitch(60).name, Pitch(60).octave
        (Pitch(70), 'C4', 4)
    """

    def __new__(cls, number: int) -> Pitch:
        """Check the range."""
        if not 0 <= number <= 127:
            raise UsageError(f"{number} is not a MIDI pitch", "give 0 to 127; middle C is 60, C4")
        return super().__new__(cls, number)

    @classmethod
    def parse(cls, text: str) -> Pitch:
        """Parse a name such as `C4`, `F#5`, `Bb3` or `B-3` (a flat as music21 writes it).

        A final `-1` is an octave, not a flat: `C-1` is MIDI 0. Write B flat 1 as `Bb1`.

        Examples:
            >>> Pitch.parse("B-3"), Pitch.parse("C-1"), Pitch.parse("Bb-1"), Pitch.parse("Bb1")
            (Pitch(58), Pitch(0), Pitch(10), Pitch(34))
        """
        match = _PITCH.match(text.strip())
        if match is None:
            raise UsageError(f"'{text}' is not a pitch", "write a letter, an accidental and an octave: C4, F#5, Bb3")
        letter, accidental, octave = match.groups()
        number = NATURALS[letter.upper()] + _ACCIDENTALS[accidental or ""] + 12 * (int(octave) + 1)
        return cls(number)

    @property
    def name(self) -> str:
        """The name with sharps: `C#4`."""
        return f"{_SHARP_NAMES[self % 12]}{self // 12 - 1}"

    @property
    def pitch_class(self) -> int:
        """0 for C to 11 for B."""
        return int(self) % 12

    @property
    def octave(self) -> int:
        """Octave number; 4 begins at middle C."""
        return int(self) // 12 - 1

    def __repr__(self) -> str:
        return f"Pitch({int(self)})"


def parse_pitch_range(text: str) -> tuple[Pitch, Pitch]:
    """Parse a range such as `C4-A5` into its lowest and highest pitch.

    Raises:
        UsageError: it does not name two pitches, or the first is higher.

    Examples:
        >>> parse_pitch_range("Bb3-B-4")
        (Pitch(58), Pitch(70))
    """
    # A dash may also be a flat (B-3): try each one as the separator.
    for dash in [index for index, sign in enumerate(text) if sign in "-–"]:
        try:
            low, high = Pitch.parse(text[:dash]), Pitch.parse(text[dash + 1 :])
        except UsageError:
            continue
        if low > high:
            raise UsageError(f"the range {text} is reversed", "name the lower note first: C4-A5")
        return low, high
    raise UsageError(f"'{text}' is not a range", "name the lowest and the highest note: C4-A5")


def parse_pitch_class(text: str) -> int:
    """Parse a pitch class such as `F#` or `Bb`, 0 to 11.

    Examples:
        >>> parse_pitch_class("Bb")
        10
    """
    match = _PITCH_CLASS.match(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not the name of a note", "write a letter and an accidental: C, F#, Bb")
    letter, accidental = match.groups()
    return (NATURALS[letter.upper()] + _ACCIDENTALS[accidental or ""]) % 12
