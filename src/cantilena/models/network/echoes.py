"""Where a melody's end has been heard before in the same melody, and what followed there.

The match of an earlier step with the melody's end is how many tokens on end, backwards from just before that step,
equal the last ones: m(t, j) = m(t - 1, j - 1) + 1 if token t equals token j - 1, else 0. What followed the longest
match is the best guess of a melody that repeats itself: the n-gram's copy model rests on the same count
(`ngram_kernels.py`), and so does the match model of the PAQ compressors (Mahoney 2005, Adaptive Weighing of Context
Models for Lossless Data Compression, Florida Tech CS-2005-16), whose mixing the network does here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST_MATCH = 96
"""Matches are followed so far; longer ones count as this."""

_FIRST_OF_KIND = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96])
KINDS = len(_FIRST_OF_KIND)
"""Lengths of matches that are told apart: short ones one by one, long ones roughly."""
_KIND = (np.searchsorted(_FIRST_OF_KIND, np.arange(LONGEST_MATCH + 1), side="right") - 1).astype(np.int64)

_FIRST_AT = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512])
DISTANCES = len(_FIRST_AT)
"""Distances in steps that are told apart."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Heard:
    """The last tokens of some melodies and their matches; never changed in place.

    Args:
        tokens: `(melodies, past)`, the latest last.
        matches: `(melodies, past)`: how long what lies before each of them equals the melodies' ends.

    Example:
        >>> heard = Heard.nothing(1)
        >>> for token in (5, 7, 9, 5, 7):
        ...     heard = heard.after(np.array([token]), reach=8)
        >>> heard.matches.tolist()  # "5 7" was heard before, and 9 followed
        [[0, 0, 2, 0, 0]]
    """

    tokens: Ints
    matches: NDArray[np.uint8]

    @classmethod
    def nothing(cls, melodies: int) -> Heard:
        """Before anything has sounded."""
        return cls(np.zeros((melodies, 0), dtype=np.int64), np.zeros((melodies, 0), dtype=np.uint8))

    def after(self, tokens: NDArray[np.integer], reach: int) -> Heard:
        """What has been heard after one more token of each melody, `(melodies,)`; at most the last `reach` are kept."""
        column = tokens[:, None]
        longer = np.minimum(self.matches, LONGEST_MATCH - 1) + np.uint8(1)
        matches = np.zeros((len(column), self.matches.shape[1] + 1), dtype=np.uint8)
        np.multiply(longer, self.tokens == column, out=matches[:, 1:])
        return Heard(np.concatenate([self.tokens, column], axis=1)[:, -reach:], matches[:, -reach:])

    def kinds(self) -> Ints:
        """`(melodies, past)`: the kind of each match, 0 to `KINDS - 1`."""
        return _KIND[self.matches]

    def echoes(self, answers: int, nothing: int) -> tuple[Ints, Ints]:
        """What followed the longest matches: different tokens, the longest match first and of equals the latest.

        Args:
            answers: how many.
            nothing: stands where there is no such token.

        Returns:
            `(melodies, answers)` tokens, and the kinds of their matches.

        Example:
            >>> tokens, matches = np.array([[5, 7, 5, 9, 5]]), np.array([[0, 1, 0, 1, 0]], dtype=np.uint8)
            >>> [array.tolist() for array in Heard(tokens, matches).echoes(3, nothing=38)]
            [[[9, 7, 38]], [[1, 1, 0]]]
        """
        melodies, past = self.tokens.shape
        said, kinds = np.full((melodies, answers), nothing), np.zeros((melodies, answers), dtype=np.int64)
        if not past:
            return said, kinds
        left, rows = self.matches, np.arange(melodies)
        for answer in range(answers):
            best = past - 1 - left[:, ::-1].argmax(axis=1)
            longest = left[rows, best]
            found = longest > 0
            said[found, answer] = self.tokens[rows, best][found]
            kinds[:, answer] = _KIND[longest]
            if answer + 1 < answers:
                left = np.where(self.tokens == said[:, answer : answer + 1], np.uint8(0), left)
        return said, kinds


def distance_kinds(steps: NDArray[np.integer]) -> Ints:
    """The kind of each distance, 0 to `DISTANCES - 1`: near ones one by one, far ones roughly.

    Example:
        >>> distance_kinds(np.array([0, 1, 5, 16, 9999])).tolist()
        [0, 1, 4, 8, 17]
    """
    kinds: Ints = np.searchsorted(_FIRST_AT, np.maximum(steps, 0), side="right").astype(np.int64) - 1
    return kinds
