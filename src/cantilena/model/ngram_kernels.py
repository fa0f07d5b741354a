"""The loops of the n-gram, compiled by numba when one is first asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.runs import compiled

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@compiled
def find(keys: Ints, key: int) -> int:
    """The first place in sorted `keys` whose key is not below `key` (numpy's own search takes seconds to compile)."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def long_term(line: Ints, edges: Ints, first: Ints, followers: Ints, counts: Ints, order: int, p: Floats) -> None:
    """Probability of the token after `line` by the training pieces; written into `p`, `(vocabulary,)`.

    Witten-Bell, from the empty context (on top of an even chance for all) to the longest that was counted:
    p_k(w) = (c(w) + T p_(k-1)(w)) / (c + T), with c the context's count and T its number of different followers.
    """
    p[:] = 1.0 / len(p)
    start = len(p)  # the symbol before the first token
    node = 0
    for depth in range(order):
        if depth > 0:
            back = len(line) - depth
            if back < -1:
                return
            key = node * (start + 1) + (line[back] if back >= 0 else start)
            place = find(edges, key)
            if place == len(edges) or edges[place] != key:
                return
            node = place + 1
        total = 0
        for entry in range(first[node], first[node + 1]):
            total += counts[entry]
        kinds = first[node + 1] - first[node]
        if total == 0:
            return
        for token in range(len(p)):
            p[token] *= kinds / (total + kinds)
        for entry in range(first[node], first[node + 1]):
            p[followers[entry]] += counts[entry] / (total + kinds)


@compiled
def in_piece(line: Ints, matches: Ints, p: Floats, seen: Ints) -> int:
    """Probability of the token after `line` by the piece itself: `p` comes in as the long-term one, goes out as this.

    Args:
        line: `(steps,)` the piece so far.
        matches: `(steps,)`: for how many tokens the piece's end equals what ends at each earlier step.
        p: `(vocabulary,)`.
        seen: `(vocabulary,)` room to count in.

    Returns:
        The longest match.
    """
    steps = len(line)
    longest = 0
    for place in range(steps - 1):
        longest = max(longest, matches[place])
    seen[:] = 0
    total, kinds = 0, 0
    for place in range(-1, steps - 1):  # depth 0: every token so far, the first included
        total += 1
        if seen[line[place + 1]] == 0:
            kinds += 1
        seen[line[place + 1]] += 1
    for depth in range(longest + 1):
        if depth > 0:  # leave out what followed shorter matches
            for place in range(-1, steps - 1):
                if (place < 0 and depth == 1) or (place >= 0 and matches[place] == depth - 1):
                    token = line[place + 1]
                    seen[token] -= 1
                    total -= 1
                    if seen[token] == 0:
                        kinds -= 1
        if total == 0:
            break
        for token in range(len(p)):
            p[token] = (seen[token] + kinds * p[token]) / (total + kinds)
    return longest


@compiled
def longer_matches(line: Ints, matches: Ints, most: int) -> None:
    """Bring `matches` up to date after the last token of `line` was added, in place; its last entry is not read."""
    last = len(line) - 1
    if last < 0:
        return
    for place in range(last - 1, -1, -1):
        if line[place] == line[last]:
            matches[place] = min((matches[place - 1] if place > 0 else 0) + 1, most)
        else:
            matches[place] = 0
    matches[last] = 0


@compiled
def mixed(
    line: Ints, matches: Ints, edges: Ints, first: Ints, followers: Ints, counts: Ints, order: int, weights: Floats,
    p: Floats, copied: Floats, seen: Ints, log_p: Floats,
) -> None:  # fmt: skip
    """Log p of the token after `line` under both, into `log_p`, `(vocabulary,)`; `p`, `copied`, `seen` are room."""
    long_term(line, edges, first, followers, counts, order, p)
    copied[:] = p
    weight = weights[in_piece(line, matches, copied, seen)]
    for token in range(len(p)):
        log_p[token] = np.log((1.0 - weight) * p[token] + weight * copied[token])


@compiled
def predict(
    lines: Ints, matches: Ints, edges: Ints, first: Ints, followers: Ints, counts: Ints, order: int, weights: Floats,
    log_p: Floats,
) -> None:  # fmt: skip
    """Log p of the next token of many pieces of equal length, `(melodies, vocabulary)`, into `log_p`."""
    vocabulary = log_p.shape[1]
    p, copied, seen = np.empty(vocabulary), np.empty(vocabulary), np.empty(vocabulary, np.int64)
    for melody in range(lines.shape[0]):
        mixed(
            lines[melody], matches[melody], edges, first, followers, counts, order, weights, p, copied, seen,
            log_p[melody],
        )  # fmt: skip


@compiled
def predict_all(
    lines: Ints, edges: Ints, first: Ints, followers: Ints, counts: Ints, order: int, weights: Floats, log_p: Floats
) -> None:
    """Log p of every step of many pieces, `(melodies, steps, vocabulary)`, into `log_p`."""
    vocabulary = log_p.shape[2]
    p, copied, seen = np.empty(vocabulary), np.empty(vocabulary), np.empty(vocabulary, np.int64)
    matches = np.zeros(lines.shape[1], np.int64)
    for melody in range(lines.shape[0]):
        line, out = lines[melody], log_p[melody]
        for step in range(lines.shape[1]):
            longer_matches(line[:step], matches[:step], len(weights) - 1)
            mixed(
                line[:step], matches[:step], edges, first, followers, counts, order, weights, p, copied, seen, out[step]
            )


@compiled
def both(
    line: Ints, edges: Ints, first: Ints, followers: Ints, counts: Ints, order: int, most: int,
    vocabulary: int,
) -> tuple[Floats, Floats, Ints]:  # fmt: skip
    """Of each step of one piece: its long-term p, its in-piece p, and the longest match; `(steps,)` each."""
    steps = len(line)
    by_training, by_piece, longest = np.empty(steps), np.empty(steps), np.empty(steps, np.int64)
    matches = np.zeros(steps, np.int64)
    p, seen = np.empty(vocabulary), np.empty(vocabulary, np.int64)
    for step in range(steps):
        heard = line[:step]
        longer_matches(heard, matches[:step], most)
        long_term(heard, edges, first, followers, counts, order, p)
        by_training[step] = p[line[step]]
        longest[step] = in_piece(heard, matches[:step], p, seen)
        by_piece[step] = p[line[step]]
    return by_training, by_piece, longest
