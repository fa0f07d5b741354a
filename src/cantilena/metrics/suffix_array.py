"""Every place of a long text in the order of what follows it: a suffix array, with what searches in it need.

A text is the notes of many melodies, one after the other, each as a number above 0 for what is between it and the next
note; the last note of a melody, which has no next, is 0 and ends what can be read from any place before it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cantilena.metrics.copy_kernels import earliest_places

Numbers = NDArray[np.int32]


class Suffixes(NamedTuple):
    """The places of a text in order, and who they belong to.

    Args:
        text: `(notes,)`: what follows each note, numbered from 1; 0 for the last note of a melody.
        order: `(notes,)`: all places, by what can be read from them on; places that read alike as they come.
        begins: `(numbers + 2,)`: where in `order` the places begin that read each number first, the number after the
            greatest too, which no text has.
        piece: `(notes,)`: the piece, from 0, that each place is of.
        alike_from: `(notes,)`: for each rank, where the run of ranks of one piece that it lies in begins.
        alike_until: `(notes,)`: and where it ends; both step over a whole piece at once.
        earliest: `(2 notes,)`: a tree over the ranks (`copy_kernels.earliest_places`): the first place under each node.
        earliest_other: `(2 notes,)`: the first that is of another piece than that one.
    """

    text: Numbers
    order: Numbers
    begins: Numbers
    piece: Numbers
    alike_from: Numbers
    alike_until: Numbers
    earliest: Numbers
    earliest_other: Numbers

    @classmethod
    def of(cls, text: Numbers, piece: Numbers, numbers: int) -> Suffixes:
        """Sort the places of a text.

        Args:
            text: `(notes,)`; every melody ends with 0.
            piece: `(notes,)`: the piece, from 0, that each note is of.
            numbers: how many numbers the text may have, the 0 apart.

        Example:
            >>> text = np.array([2, 1, 0, 1, 0], np.int32)
            >>> Suffixes.of(text, np.zeros(5, np.int32), 2).order.tolist()
            [2, 4, 1, 3, 0]
        """
        order = sorted_places(text)
        begins = np.searchsorted(text[order], np.arange(numbers + 3)).astype(np.int32)
        owner = piece[order]
        changes = np.flatnonzero(np.diff(owner, prepend=-1, append=-1))
        lengths = np.diff(changes)
        alike_from, alike_until = np.repeat(changes[:-1], lengths), np.repeat(changes[1:], lengths)
        earliest, other = earliest_places(order, piece)
        return cls(
            text, order, begins, piece, alike_from.astype(np.int32), alike_until.astype(np.int32), earliest, other
        )


def sorted_places(text: Numbers) -> Numbers:
    """All places of a text by what can be read from them up to the end of their melody, `(notes,)`.

    Prefix doubling: U. Manber and G. Myers, Suffix Arrays: a New Method for On-Line String Searches, SIAM Journal on
    Computing 22, 1993. Once places are in order by their first h numbers, the rank of the place h further on tells the
    order by the first 2h. Places that nothing else reads like are done, as in N. J. Larsson and K. Sadakane, Faster
    Suffix Sorting, 1999. The ends of melodies all differ, so that no more is compared than the longest melody.

    Args:
        text: `(notes,)`; every melody ends with 0.

    Example:
        >>> sorted_places(np.array([1, 1, 1, 0, 1, 1, 0], np.int32)).tolist()
        [3, 6, 2, 5, 1, 4, 0]
    """
    if not len(text):
        return np.zeros(0, np.int32)
    order = np.argsort(text, kind="stable")
    follows = text[order]
    starts = _group_starts((follows[1:] != follows[:-1]) | (follows[1:] == 0))
    rank = np.empty(len(text), np.int64)
    rank[order] = starts
    unsure = _shared(np.arange(len(text)), starts)  # ranks whose places are not told apart yet
    h = 1
    while len(unsure):
        places = order[unsure]
        key = rank[places] * len(text) + rank[places + h]  # a place that is unsure has h numbers before its end
        by_key = np.argsort(key)
        places, key = places[by_key], key[by_key]
        order[unsure] = places
        starts = unsure[_group_starts(key[1:] != key[:-1])]
        rank[places] = starts
        unsure = _shared(unsure, starts)
        h *= 2
    return order.astype(np.int32)


def _group_starts(changes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where the group of each begins, from whether each but the first is unlike the one before it."""
    begins = np.concatenate([[True], changes])
    return np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))


def _shared(ranks: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ranks whose group has others."""
    same = starts[1:] == starts[:-1]
    shared: NDArray[np.int64] = ranks[np.append(same, False) | np.append(False, same)]
    return shared
