"""The notes of melodies so far: which of them lasts at some tick, and which followed what repeats now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.features import MAX_MATCH, match_bins

Ints = NDArray[np.int64]

ONSET, END, DURATION, PITCH, INTERVAL = range(5)
"""The columns of a note: two times in ticks, and the ids of duration, pitch and interval that the features give it."""

KINDS = 3
"""Matches by duration and interval, by duration, by interval."""

BEYOND = 2**40
"""More ticks than any melody has."""


@dataclass(frozen=True, slots=True)
class NoteHistory:
    """The notes of some melodies so far; immutable.

    Args:
        notes: `(melodies, 1 + notes, 5)`: note 0 stands for none; it begins at tick -1 and ends at `BEYOND`.

    Examples:
        >>> history = NoteHistory.empty(1, none=(9, 9, 9)).append(np.array([[[0, 24, 1, 5, 9], [24, 48, 1, 7, 2]]]))
        >>> there = history.at(np.array([[[-1, 0, 23, 24]]]))
        >>> there.tolist(), history.take(there)[..., PITCH].tolist()
        ([[[0, 1, 1, 2]]], [[[9, 5, 5, 7]]])
    """

    notes: Ints

    @classmethod
    def empty(cls, melodies: int, none: tuple[int, int, int]) -> NoteHistory:
        """No notes; `none` is the duration, pitch and interval of note 0."""
        return cls(np.tile(np.array([-1, BEYOND, *none], dtype=np.int64), (melodies, 1, 1)))

    def append(self, notes: Ints) -> NoteHistory:
        """The history after `(melodies, more notes, 5)`."""
        return NoteHistory(np.concatenate([self.notes, notes], axis=1))

    def at(self, ticks: Ints) -> Ints:
        """The numbers of the notes that last over `(melodies, queries, ticks)` ticks, from -1 to before the end."""
        melodies, count = self.notes.shape[:2]
        melody = np.arange(melodies, dtype=np.int64)[:, None, None]
        # All onsets in one ascending line: those of each melody lie `BEYOND` after those of the last.
        onsets = (self.notes[:, :, ONSET] + melody[:, :, 0] * BEYOND).ravel()
        return np.asarray(onsets.searchsorted(ticks + melody * BEYOND, side="right") - (1 + melody * count))

    def take(self, numbers: Ints) -> Ints:
        """`(melodies, queries, any, 5)`: the notes with `(melodies, queries, any)` numbers."""
        melodies, count, columns = self.notes.shape
        first = np.arange(melodies)[:, None, None] * count
        return np.asarray(self.notes.reshape(-1, columns).take(numbers + first, axis=0))

    def take_rows(self, rows: NDArray[np.integer]) -> NoteHistory:
        """Those of the melodies with these numbers."""
        return NoteHistory(self.notes[rows])


@dataclass(frozen=True, slots=True)
class NoteMatches:
    """How long the matches of earlier notes with the last ones are, as `TokenHistory` counts them; immutable.

    Args:
        codes: `(melodies, kinds, past)`, the latest note first, behind the earliest -1: what must be equal to match. 16
            bits hold every duration with every interval.
        lengths: `(melodies, kinds, past)`: of the match that ends before each note.

    Examples:
        >>> matches = NoteMatches.empty(1)
        >>> for code in (5, 7, 9, 5, 7):
        ...     matches = matches.append(np.full((1, KINDS), code), max_context=8)
        >>> matches.longest()[0].tolist()  # "5 7" was there before; the note 2 before the last followed
        [[2, 2, 2]]
    """

    codes: NDArray[np.int16]
    lengths: NDArray[np.uint8]

    @classmethod
    def empty(cls, melodies: int) -> NoteMatches:
        """Before the first note."""
        shape = (melodies, KINDS, 1)
        return cls(np.full(shape, -1, dtype=np.int16), np.zeros(shape, dtype=np.uint8))

    def append(self, codes: NDArray[np.integer], max_context: int) -> NoteMatches:
        """After one more note of each melody with `(melodies, kinds)` codes; cut to the last `max_context`."""
        latest = codes.astype(np.int16)[:, :, None]
        after = np.concatenate([latest, self.codes], axis=2)
        # A match that ended one step earlier grows by one, or breaks; it stays in its place, since the note after it is
        # one further from the last note now.
        lengths = np.zeros(after.shape, dtype=np.uint8)
        longer = np.minimum(self.lengths, MAX_MATCH - 1) + np.uint8(1)
        np.multiply(longer, self.codes == latest, out=lengths[:, :, :-1])
        return NoteMatches(after[:, :, :max_context], lengths[:, :, :max_context])

    def longest(self) -> tuple[Ints, Ints]:
        """`(melodies, kinds)`: how many notes before the last is what followed the longest match; the bin of its size.

        Of equally long ones the latest counts; in bin 0 there is none.
        """
        return self.lengths.argmax(axis=2), match_bins(self.lengths.max(axis=2))

    def take_rows(self, rows: NDArray[np.integer]) -> NoteMatches:
        """Those of the melodies with these numbers."""
        return NoteMatches(self.codes[rows], self.lengths[rows])
