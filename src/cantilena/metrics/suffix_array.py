"""Every place of a long text in the order of what follows it: a suffix array, with what searches in it need.

A text is the notes of many melodies, one after the other, each as a number above 0 for what is between it and the next
note; the last note of a melody, which has no next, is 0 and ends what can be read from any place before it.

How much of a melody is found in a sorted text, and where first: the loops behind copies, compiled when first run.

`query` is like the text of `suffix_array`: one number a note, 0 for the last note of each melody, so that what both
have in common ends by itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cantilena.runtime import compiled

Numbers = NDArray[np.int32]
NOWHERE = -1
"""The place of what is found nowhere, and the piece of a melody that leaves out none."""


@compiled
def common(query: Numbers, at: int, text: Numbers, place: int, known: int) -> int:
    """How many numbers both read alike, from two notes on, of which so many are known to be alike."""
    same = known
    while query[at + same] == text[place + same] and query[at + same] != 0:
        same += 1
    return same


@compiled
def longest_matches(query: Numbers, first: NDArray[np.int64], left_out: Numbers, suffixes: Suffixes) -> Numbers:
    """How many numbers from each note on are found in a row somewhere in the text, `(query notes,)`.

    By bisection in the sorted places: what has most in common with the query lies next to where it would stand. Of
    both sides' common part, the shorter need not be compared again. What lies next and is of the piece left out is
    stepped over with all its like at once, and whatever comes then has most in common of the rest.

    Args:
        query: `(query notes,)`.
        first: `(melodies + 1,)`: where each melody's notes begin.
        left_out: `(melodies,)`: the piece that does not count for each, `NOWHERE` for none.
        suffixes: the text, sorted.
    """
    text, order = suffixes.text, suffixes.order
    matches = np.zeros(len(query), np.int32)
    for melody in range(len(first) - 1):
        for at in range(first[melody], first[melody + 1]):
            low, high = suffixes.begins[query[at]], suffixes.begins[query[at] + 1]
            if query[at] == 0 or low == high:
                continue
            below, above = 1, 1  # all between low and high have the first number in common
            while low < high:
                middle = (low + high) // 2
                place = order[middle]
                same = common(query, at, text, place, min(below, above))
                if query[at + same] <= text[place + same]:
                    high, above = middle, same
                else:
                    low, below = middle + 1, same
            if left_out[melody] == NOWHERE:
                matches[at] = max(below, above)
                continue
            before, after = low - 1, low
            if before >= 0 and suffixes.piece[order[before]] == left_out[melody]:
                before = suffixes.alike_from[before] - 1
            if after < len(order) and suffixes.piece[order[after]] == left_out[melody]:
                after = suffixes.alike_until[after]
            if before >= 0:
                matches[at] = common(query, at, text, order[before], 0)
            if after < len(order):
                matches[at] = max(matches[at], common(query, at, text, order[after], 0))
    return matches


@compiled
def longest_copies(
    query: Numbers, first: NDArray[np.int64], left_out: Numbers, matches: Numbers, suffixes: Suffixes
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the longest run of each melody begins, and the first place of the text that has it, both `(melodies,)`.

    Returns:
        The first such note of the query, and the place; `NOWHERE` for both where nothing matches.
    """
    begins = np.full(len(first) - 1, NOWHERE, np.int64)
    places = np.full(len(first) - 1, NOWHERE, np.int64)
    for melody in range(len(first) - 1):
        most, at = 0, NOWHERE
        for note in range(first[melody], first[melody + 1]):
            if matches[note] > most:
                most, at = matches[note], note
        if at == NOWHERE:
            continue
        start, end = _ranks_of(query, at, most, suffixes)
        begins[melody], places[melody] = at, _earliest(start, end, left_out[melody], suffixes)
    return begins, places


@compiled
def earliest_places(order: Numbers, piece: Numbers) -> tuple[Numbers, Numbers]:
    """A tree over ranks: the first place under each node, and the first of another piece than that place's.

    The children of node k are 2k and 2k + 1, the leaves are the last half, `(2 ranks,)` in all. Two numbers a node are
    enough to find the first place that is not of a given piece.

    Returns:
        Both numbers of all nodes; `NOWHERE` where a node has no other piece.
    """
    size = len(order)
    earliest = np.full(2 * size, NOWHERE, np.int32)
    other = np.full(2 * size, NOWHERE, np.int32)
    earliest[size:] = order
    for node in range(size - 1, 0, -1):
        left, right = 2 * node, 2 * node + 1
        if earliest[right] < earliest[left]:
            left, right = right, left
        earliest[node], other[node] = earliest[left], other[left]
        rival = earliest[right] if piece[earliest[right]] != piece[earliest[left]] else other[right]
        if rival != NOWHERE and (other[node] == NOWHERE or rival < other[node]):
            other[node] = rival
    return earliest, other


@compiled
def _ranks_of(query: Numbers, at: int, length: int, suffixes: Suffixes) -> tuple[int, int]:
    """The ranks of all places that read a run of the query, the first and the one after the last."""
    text, order = suffixes.text, suffixes.order
    low, high = suffixes.begins[query[at]], suffixes.begins[query[at] + 1]
    end = high
    while low < high:  # the first that reads no less than the run
        middle = (low + high) // 2
        same = common(query, at, text, order[middle], 0)
        if same >= length or query[at + same] < text[order[middle] + same]:
            high = middle
        else:
            low = middle + 1
    start = low
    high = end
    while low < high:  # the first that reads more
        middle = (low + high) // 2
        if common(query, at, text, order[middle], 0) >= length:
            low = middle + 1
        else:
            high = middle
    return start, low


@compiled
def _earliest(start: int, end: int, left_out: int, suffixes: Suffixes) -> int:
    """The first place, in the text, of some ranks, those of one piece left out."""
    size = len(suffixes.order)
    found = NOWHERE
    low, high = start + size, end + size
    while low < high:
        for node, counts in ((low, low % 2 == 1), (high - 1, high % 2 == 1)):
            if not counts:
                continue
            place = suffixes.earliest[node]
            if suffixes.piece[place] == left_out:
                place = suffixes.earliest_other[node]
            if place != NOWHERE and (found == NOWHERE or place < found):
                found = place
        low, high = (low + 1) // 2, high // 2
    return found


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
