"""The phrases that melodies say, as counts: n-grams of (interval, wait) pairs that are the same in any key.

A pair is the steps from a note to the next and the interval between them, as in `evaluation.ngrams`; here its number is
the same in every set of melodies, so that what was learned from one is found in another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.rules import Notes

_WIDEST = 24
_LONGEST = 63
_PAIRS = (2 * _WIDEST + 1) * (_LONGEST + 1)
"""Different pairs: intervals to two octaves, waits to 63 steps, those beyond counting as the last. Four fit 47 bits."""


def said(notes: Notes, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every n pairs in a row as one number, and the melody that says them: both `(n-grams,)`.

    Args:
        notes: of the melodies.
        n: 1 to 5.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> number, melody = said(Notes.of(GridEncoding().line(np.array([[14, 16, 18, 20]]))), 2)
        >>> melody.tolist(), len(set(number.tolist()))
        ([0, 0], 1)
    """
    within = ~notes.opens[1:]
    interval = np.clip(notes.interval[1:], -_WIDEST, _WIDEST) + _WIDEST
    pair = (interval * (_LONGEST + 1) + np.minimum(notes.gap[:-1], _LONGEST))[within]
    melody = notes.melody[1:][within]
    number = pair
    for ahead in range(1, n):
        number = number[:-1] * _PAIRS + pair[ahead:]
    inside = melody[: len(number)] == melody[n - 1 :]
    return number[inside], melody[: len(number)][inside]


@dataclass(frozen=True)
class Vocabulary:
    """N-grams that are counted.

    Args:
        numbers: by n, `(n-grams,)`, ascending.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> notes = Notes.of(GridEncoding().line(np.array([[14, 16, 18, 20], [14, 16, 14, 16]])))
        >>> Vocabulary.of(notes, {1: 2}).counts(notes).tolist()
        [[0.0, 3.0], [1.0, 2.0]]
    """

    numbers: dict[int, NDArray[np.int64]]

    @classmethod
    def of(cls, notes: Notes, size: dict[int, int]) -> Vocabulary:
        """The n-grams that most melodies say.

        Args:
            notes: of the melodies.
            size: by n, how many at most.
        """
        numbers = {}
        for n, most in size.items():
            number, melody = said(notes, n)
            kinds, kind = np.unique(number, return_inverse=True)
            each = np.unique(melody * max(len(kinds), 1) + kind) % max(len(kinds), 1)
            melodies = np.bincount(each, minlength=len(kinds))
            by_use = np.lexsort((kinds, -melodies))[:most]
            numbers[n] = np.sort(kinds[by_use])
        return cls(numbers)

    def counts(self, notes: Notes) -> NDArray[np.float32]:
        """How often each melody says each, `(melodies, n-grams)`."""
        columns = [self._counts(notes, n, known) for n, known in self.numbers.items()]
        return np.concatenate([np.zeros((notes.shape[0], 0), np.float32), *columns], axis=1)

    @staticmethod
    def _counts(notes: Notes, n: int, known: NDArray[np.int64]) -> NDArray[np.float32]:
        number, melody = said(notes, n)
        size = len(known)
        if not size:
            return np.zeros((notes.shape[0], 0), np.float32)
        place = np.minimum(np.searchsorted(known, number), size - 1)
        found = known[place] == number
        counts = np.bincount(melody[found] * size + place[found], minlength=notes.shape[0] * size)
        return counts.reshape(notes.shape[0], size).astype(np.float32)
