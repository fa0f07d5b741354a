"""Accidentals: which sharps, flats and naturals must be written, and which remind."""

from __future__ import annotations

from cantilena.io.engraving.spelling import Spelling, altered_by_signature

_SIGNS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


class Accidentals:
    """What is in force on each line and space while a score is read from left to right.

    An accidental holds to the barline, on its own line or space. In the next bar the signature holds again: the first
    note there that the old accidental might mislead gets a reminder, a cautionary accidental.

    Args:
        fifths: the key signature.

    Example:
        >>> signs = Accidentals(fifths=1)
        >>> signs.sign(Spelling("F", 1, 4)), signs.sign(Spelling("F", 0, 4)), signs.sign(Spelling("F", 0, 4))
        (None, ('natural', False), None)
        >>> signs.barline()
        >>> signs.sign(Spelling("F", 1, 4))
        ('sharp', True)
    """

    def __init__(self, fifths: int) -> None:
        self._signature = altered_by_signature(fifths)
        self._in_bar: dict[tuple[str, int], int] = {}
        self._misleading: dict[tuple[str, int], int] = {}

    def barline(self) -> None:
        """Begin a new bar."""
        self._misleading, self._in_bar = self._in_bar, {}

    def sign(self, note: Spelling, *, tied: bool = False) -> tuple[str, bool] | None:
        """The accidental to write before a note.

        Args:
            note: the note as spelled.
            tied: whether it goes on from before a barline, and so needs no sign.

        Returns:
            Its name in MusicXML and whether it only reminds; None for no accidental.
        """
        if tied:
            return None
        place = note.step, note.octave
        in_force = self._in_bar.get(place, self._signature[note.step])
        before = self._misleading.pop(place, in_force)
        if note.alter != in_force:
            self._in_bar[place] = note.alter
            return _SIGNS[note.alter], False
        if note.alter != before and place not in self._in_bar:
            return _SIGNS[note.alter], True
        return None
