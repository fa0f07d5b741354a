"""What the readers of notation share: parts from notes, times in ticks, and the list of doubts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from cantilena.errors import ScoreError
from cantilena.io.score import MOST_DOUBTS, NOTATION_RESOLUTION, Doubt, Part

MOST_NOTES = 1_000_000
"""The largest number of notes of a score."""

MOST_QUARTERS = 100_000
"""The longest score in quarter notes: 14 hours at 120 a minute."""


def to_ticks(quarters: Fraction) -> int:
    """Return the nearest tick of a time in quarter notes.

    Raises:
        ScoreError: it lies beyond `MOST_QUARTERS`.
    """
    if not -MOST_QUARTERS <= quarters <= MOST_QUARTERS:
        raise ScoreError(f"it is longer than {MOST_QUARTERS:,} quarter notes", "cut it into pieces")
    return round(quarters * NOTATION_RESOLUTION)


def part_of(notes: Iterable[tuple[int, int, int]], name: str, track: int, phrase_ends: Iterable[int] = ()) -> Part:
    """Return the part of some notes.

    Args:
        notes: (onset, end, MIDI pitch), times in ticks of notation, in the order of the file; at least one.
        name: its name in the score; line breaks become spaces.
        track: number of its staff or part.
        phrase_ends: ticks at which phrases end, in any order.

    Raises:
        ScoreError: a pitch is outside 0 to 127.
    """
    columns = np.array(sorted(notes, key=lambda note: note[0]), dtype=np.int64).T
    if columns[2].min() < 0 or columns[2].max() > 127:
        raise ScoreError("it has a pitch that no instrument plays", "look for a clef or an octave that is wrong")
    velocity = np.full(columns.shape[1], 64, dtype=np.int64)
    return Part(
        one_line(name),
        columns[0],
        columns[1] - columns[0],
        columns[2],
        velocity,
        track=track,
        phrase_ends=tuple(sorted(set(phrase_ends))),
    )


def one_line(text: str, most: int = 200) -> str:
    """Return a text from a file as one line of bounded length."""
    return " ".join(text.split())[:most]


@dataclass(slots=True)
class Doubts:
    """Collects the doubts of a reader, in order and bounded."""

    found: list[Doubt] = field(default_factory=list)
    _left_out: int = 0

    def add(
        self, text: str, bar: str = "", voice: str = "", *, misplaces: bool = False, is_chord: bool = False
    ) -> None:
        """Add a doubt; arguments as `Doubt`."""
        if len(self.found) < MOST_DOUBTS - 1:
            self.found.append(Doubt(text, bar, one_line(voice, 40), misplaces, is_chord))
        else:
            self._left_out += 1

    def kept(self) -> tuple[Doubt, ...]:
        """Return the doubts; the last one counts those that are left out."""
        more = (Doubt(f"{self._left_out:,} more doubts", misplaces=True),) if self._left_out else ()
        return (*self.found, *more)
