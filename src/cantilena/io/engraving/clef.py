"""Clefs: the one that keeps a melody nearest to its staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clef:
    """A clef.

    Args:
        sign: `G` or `F`.
        line: the staff line on which it stands, counted from below.
        octaves: how many octaves higher it sounds than written: 1 for a treble clef with an 8 above.
        low: MIDI number of the lowest note that is easy to read: two ledger lines below the staff.
        high: MIDI number of the highest such note, two ledger lines above.
    """

    sign: str
    line: int
    octaves: int
    low: int
    high: int


TREBLE = Clef("G", 2, 0, 57, 84)
_CLEFS = (
    TREBLE,
    Clef("F", 4, 0, 36, 64),
    Clef("G", 2, 1, 69, 96),
    Clef("F", 4, -1, 24, 52),
    Clef("G", 2, 2, 81, 108),
)


def best_clef(pitches: Sequence[int]) -> Clef:
    """The clef that asks for the fewest ledger lines; the treble clef where it makes no difference.

    Args:
        pitches: MIDI numbers of all notes.

    Example:
        >>> best_clef([60, 67, 72]).sign, best_clef([36, 48, 55]).sign, best_clef([96, 100]).octaves
        ('G', 'F', 1)
    """
    if not pitches:
        return TREBLE
    return min(_CLEFS, key=lambda clef: _distance(clef, pitches))


def _distance(clef: Clef, pitches: Sequence[int]) -> float:
    """Mean of the squared semitones outside the easy range; clefs with octaves must be well worth it."""
    outside = (max(clef.low - pitch, pitch - clef.high, 0) for pitch in pitches)
    return sum(step**2 for step in outside) / len(pitches) + 30 * abs(clef.octaves)
