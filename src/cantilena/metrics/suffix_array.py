"""A suffix array of the notes of many melodies, and the search for the longest runs of a melody in it.

The text is the notes of all melodies, one after the other, each as a number above 0 for the pair of this note and the
next; the last note of a melody is 0 and ends every suffix that begins before it. A query has the same form, so that
common prefixes end by themselves. Loops are compiled by numba on first use.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cantilena.runtime import compiled

Numbers = NDArray[np.int32]

NOWHERE = -1
"""The place of what is not found, and the piece that leaves out none."""


class Suffixes(NamedTuple):
    """The sorted suffixes of a text; a place is an index into the text, a rank an index into the order.

    Args:
        text: `(notes,)`: the pair after each note, numbered from 1; 0 for the last note of a melody.
        order: `(notes,)`: all places by their suffixes; equal ones in the order of the text.
        begins: `(numbers + 2,)`: the first rank of the suffixes that begin with each number, up to the one after the
            greatest, which no text has.
        piece: `(notes,)`: the piece, from 0, of each place.
        run_begins: `(notes,)`: for each rank, where the run of ranks of the same piece begins.
        run_ends: `(notes,)`: and where it ends; both skip a whole run at once.
        earliest: `(2 notes,)`: a tree over the ranks (`earliest_places`): the first place under each node.
        earliest_other: `(2 notes,)`: the first of another piece than that one.
    """

    text: Numbers
    order: Numbers
    begins: Numbers
    piece: Numbers
    run_begins: Numbers
    run_ends: Numbers
    earliest: Numbers
    earliest_other: Numbers

    @classmethod
    def from_text(cls, text: Numbers, piece: Numbers, numbers: int) -> Suffixes:
        """Sort the suffixes of a text.

        Args:
            text: `(notes,)`; every melody ends with 0.
            piece: `(notes,)`: the piece, from 0, of each note.
            numbers: the greatest number that the text may have.

        Examples:
            >>> text = np.array([2, 1, 0, 1, 0], np.int32)
            >>> Suffixes.from_text(text, np.zeros(5, np.int32), 2).order.tolist()
            [2, 4, 1, 3, 0]
        """
        order = sorted_places(text)
        begins = np.searchsorted(text[order], np.arange(numbers + 3)).astype(np.int32)
        owner = piece[order]
        changes = np.flatnonzero(np.diff(owner, prepend=-1, append=-1))
        lengths = np.diff(changes)
        run_begins, run_ends = np.repeat(changes[:-1], lengths), np.repeat(changes[1:], lengths)
        earliest, other = earliest_places(order, piece)
        return cls(text, order, begins, piece, run_begins.astype(np.int32), run_ends.astype(np.int32), earliest, other)


def sorted_places(text: Numbers) -> Numbers:
    """Sort all places of a text by their suffixes up to the end of their melody, `(notes,)`.

    Prefix doubling: U. Manber and G. Myers, Suffix Arrays: a New Method for On-Line String Searches, SIAM Journal on
    Computing 22, 1993. Once places are sorted by their first h numbers, the rank of the place h further on sorts them
    by the first 2h. Places with a unique prefix are done, as in N. J. Larsson and K. Sadakane, Faster Suffix Sorting,
    1999. The ends of all melodies differ, so that no comparison is longer than the longest melody.

    Examples:
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
    unsorted = _shared(np.arange(len(text)), starts)  # ranks whose places are still equal
    h = 1
    while len(unsorted):
        places = order[unsorted]
        key = rank[places] * len(text) + rank[places + h]  # an unsorted place has h numbers before its end
        by_key = np.argsort(key)
        places, key = places[by_key], key[by_key]
        order[unsorted] = places
        starts = unsorted[_group_starts(key[1:] != key[:-1])]
        rank[places] = starts
        unsorted = _shared(unsorted, starts)
        h *= 2
    return order.astype(np.int32)


def _group_starts(changes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where the group of each begins, from whether each but the first differs from the one before it."""
    begins = np.concatenate([[True], changes])
    return np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))


def _shared(ranks: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ranks whose group has other members."""
    same = starts[1:] == starts[:-1]
    shared: NDArray[np.int64] = ranks[np.append(same, False) | np.append(False, same)]
    return shared


@compiled
def earliest_places(order: Numbers, piece: Numbers) -> tuple[Numbers, Numbers]:
    """Build a tree over ranks: the first place under each node, and the first of another piece than that place's.

    The children of node k are 2k and 2k + 1, the leaves are the second half of `(2 ranks,)`. Two places a node are
    enough to find the first place that is not of a given piece.

    Returns:
        Both places of all nodes; `NOWHERE` where a node has no other piece.
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
def longest_matches(query: Numbers, first: NDArray[np.int64], left_out: Numbers, suffixes: Suffixes) -> Numbers:
    """The length of the longest match of the query from each note on anywhere in the text, `(query notes,)`.

    By bisection: the longest match is next to where the query's suffix would be inserted. The shorter common prefix of
    the two bounds is not compared again. A neighbour of the piece left out is skipped with its whole run; the next one
    then has the longest match of the rest.

    Args:
        query: `(query notes,)`.
        first: `(melodies + 1,)`: where the notes of each melody begin.
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
            below, above = 1, 1  # all between low and high begin with the same number
            while low < high:
                middle = (low + high) // 2
                place = order[middle]
                same = common_prefix(query, at, text, place, min(below, above))
                if query[at + same] <= text[place + same]:
                    high, above = middle, same
                else:
                    low, below = middle + 1, same
            if left_out[melody] == NOWHERE:
                matches[at] = max(below, above)
                continue
            before, after = low - 1, low
            if before >= 0 and suffixes.piece[order[before]] == left_out[melody]:
                before = suffixes.run_begins[before] - 1
            if after < len(order) and suffixes.piece[order[after]] == left_out[melody]:
                after = suffixes.run_ends[after]
            if before >= 0:
                matches[at] = common_prefix(query, at, text, order[before], 0)
            if after < len(order):
                matches[at] = max(matches[at], common_prefix(query, at, text, order[after], 0))
    return matches


@compiled
def longest_copies(
    query: Numbers, first: NDArray[np.int64], left_out: Numbers, matches: Numbers, suffixes: Suffixes
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the longest match of each melody begins in the query, and its first place in the text, both `(melodies,)`.

    Both are `NOWHERE` where nothing matches.
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
def _ranks_of(query: Numbers, at: int, length: int, suffixes: Suffixes) -> tuple[int, int]:
    """The range of ranks whose suffixes begin with a run of the query."""
    text, order = suffixes.text, suffixes.order
    low, high = suffixes.begins[query[at]], suffixes.begins[query[at] + 1]
    end = high
    while low < high:  # the first that is not less than the run
        middle = (low + high) // 2
        same = common_prefix(query, at, text, order[middle], 0)
        if same >= length or query[at + same] < text[order[middle] + same]:
            high = middle
        else:
            low = middle + 1
    start = low
    high = end
    while low < high:  # the first that is greater
        middle = (low + high) // 2
        if common_prefix(query, at, text, order[middle], 0) >= length:
            low = middle + 1
        else:
            high = middle
    return start, low


@compiled
def _earliest(start: int, end: int, left_out: int, suffixes: Suffixes) -> int:
    """The first place in the text among a range of ranks, without those of one piece."""
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


@compiled
def common_prefix(query: Numbers, at: int, text: Numbers, place: int, known: int) -> int:
    """The length of the common prefix from two notes on, of which so much is known."""
    same = known
    while query[at + same] == text[place + same] and query[at + same] != 0:
        same += 1
    return same
