"""The loops of the n-gram, compiled by numba on first use.

The calling code guarantees that indices are valid: tokens are in the vocabulary, edges are sorted and lead back to
earlier nodes, and each node has followers (`ngram/bundle.py` checks those of a file).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.models.policy import LOG_ZERO
from cantilena.runtime import compiled

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_MIN_PROBABILITY = 1e-300
"""Keeps the logarithm finite if a product of many small factors underflows."""


@compiled
def search(keys: Ints, key: int) -> int:
    """The first index in sorted `keys` whose key is at least `key` (`np.searchsorted` takes seconds to compile)."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def long_term(
    line: Ints, edges: Ints, first: Ints, followers: Ints, counts: Ints, order: int, caution: float, low: int,
    high: int, p: Floats,
) -> None:  # fmt: skip
    """Probability of the token after `line` by the training pieces, written into `p`, `(vocabulary,)`.

    From the empty context (which interpolates with the uniform distribution) to the longest that was counted, of k
    tokens: p_k(w) = (c(w) + e T p_(k-1)(w)) / (c + e T), with c the count of the context, T its number of different
    followers and e = 1 + caution k. Without caution this is Witten-Bell. Only tokens from `low` to before `high`
    may come and are counted.
    """
    p[:] = 0.0
    p[low:high] = 1.0 / (high - low)
    start = len(p)  # the symbol before the first token
    node = 0
    for depth in range(order):
        if depth > 0:
            back = len(line) - depth
            if back < -1:
                return
            key = node * (start + 1) + (line[back] if back >= 0 else start)
            edge = search(edges, key)
            if edge == len(edges) or edges[edge] != key:
                return
            node = edge + 1
        begin, end = first[node], first[node + 1]
        while begin < end and followers[begin] < low:  # followers ascend
            begin += 1
        while begin < end and followers[end - 1] >= high:
            end -= 1
        if begin == end:
            continue
        total = 0
        for entry in range(begin, end):
            total += counts[entry]
        backoff = (1.0 + caution * depth) * (end - begin)
        for token in range(len(p)):
            p[token] *= backoff / (total + backoff)
        for entry in range(begin, end):
            p[followers[entry]] += counts[entry] / (total + backoff)


@compiled
def in_piece(line: Ints, matches: Ints, caution: float, low: int, high: int, p: Floats, seen: Ints) -> int:
    """Probability of the token after `line` by the piece itself; replaces the long-term one in `p`.

    As `long_term`, with e = caution for all lengths.

    Args:
        line: `(steps,)` the piece so far.
        matches: `(steps,)`: for how many tokens the end of the piece equals what ends at each earlier step.
        caution: factor of the backoff; 1 is Witten-Bell.
        low: the first token that may come.
        high: the one after the last.
        p: `(vocabulary,)`.
        seen: `(vocabulary,)` scratch space.

    Returns:
        The length of the longest match.
    """
    steps = len(line)
    longest = 0
    for place in range(steps - 1):
        longest = max(longest, matches[place])
    seen[:] = 0
    total, kinds = 0, 0
    for place in range(-1, steps - 1):  # depth 0: every token so far, the first included
        token = line[place + 1]
        if low <= token < high:
            total += 1
            if seen[token] == 0:
                kinds += 1
            seen[token] += 1
    for depth in range(longest + 1):
        if depth > 0:  # leave out what followed shorter matches
            for place in range(-1, steps - 1):
                if (place < 0 and depth == 1) or (place >= 0 and matches[place] == depth - 1):
                    token = line[place + 1]
                    if not low <= token < high:
                        continue
                    seen[token] -= 1
                    total -= 1
                    if seen[token] == 0:
                        kinds -= 1
        if total == 0:
            break
        backoff = caution * kinds
        for token in range(len(p)):
            p[token] = (seen[token] + backoff * p[token]) / (total + backoff)
    return longest


@compiled
def update_matches(line: Ints, matches: Ints, most: int) -> None:
    """Update `matches` in place after the last token of `line` was added; its last entry is not read."""
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
def mix(
    line: Ints, matches: Ints, edges: Ints, first: Ints, followers: Ints, counts: Ints, allowed: Ints, order: int,
    caution: float, caution_in_piece: float, weights: Floats, p: Floats, copied: Floats, seen: Ints, log_p: Floats,
) -> None:  # fmt: skip
    """Write log p of the token after `line` into `log_p`, `(vocabulary,)`; `p`, `copied`, `seen` are scratch space.

    `allowed`, `(vocabulary + 1, 2)`, are `low` and `high` of the token after each, last after the start symbol.
    """
    row = line[-1] if len(line) else len(p)
    low, high = allowed[row, 0], allowed[row, 1]
    long_term(line, edges, first, followers, counts, order, caution, low, high, p)
    copied[:] = p
    weight = weights[in_piece(line, matches, caution_in_piece, low, high, copied, seen)]
    log_p[:] = LOG_ZERO
    for token in range(low, high):
        log_p[token] = np.log(max((1.0 - weight) * p[token] + weight * copied[token], _MIN_PROBABILITY))


@compiled
def predict(
    lines: Ints, matches: Ints, edges: Ints, first: Ints, followers: Ints, counts: Ints, allowed: Ints, order: int,
    caution: float, caution_in_piece: float, weights: Floats, log_p: Floats,
) -> None:  # fmt: skip
    """Write log p of the next token of pieces of equal length into `log_p`, `(melodies, vocabulary)`."""
    vocabulary = log_p.shape[1]
    p, copied, seen = np.empty(vocabulary), np.empty(vocabulary), np.empty(vocabulary, np.int64)
    for melody in range(lines.shape[0]):
        mix(
            lines[melody], matches[melody], edges, first, followers, counts, allowed, order, caution, caution_in_piece,
            weights, p, copied, seen, log_p[melody],
        )  # fmt: skip


@compiled
def predict_all(
    lines: Ints, edges: Ints, first: Ints, followers: Ints, counts: Ints, allowed: Ints, order: int, caution: float,
    caution_in_piece: float, weights: Floats, log_p: Floats,
) -> None:  # fmt: skip
    """Write log p of every step of pieces into `log_p`, `(melodies, steps, vocabulary)`."""
    vocabulary = log_p.shape[2]
    p, copied, seen = np.empty(vocabulary), np.empty(vocabulary), np.empty(vocabulary, np.int64)
    matches = np.zeros(lines.shape[1], np.int64)
    for melody in range(lines.shape[0]):
        line, out = lines[melody], log_p[melody]
        for step in range(lines.shape[1]):
            update_matches(line[:step], matches[:step], len(weights) - 1)
            mix(
                line[:step], matches[:step], edges, first, followers, counts, allowed, order, caution, caution_in_piece,
                weights, p, copied, seen, out[step],
            )  # fmt: skip


@compiled
def step_probabilities(
    line: Ints, edges: Ints, first: Ints, followers: Ints, counts: Ints, allowed: Ints, order: int, caution: float,
    caution_in_piece: float, most: int, vocabulary: int,
) -> tuple[Floats, Floats, Ints]:  # fmt: skip
    """Long-term p, in-piece p and longest match of each step of one piece, `(steps,)` each."""
    steps = len(line)
    by_training, by_piece, longest = np.empty(steps), np.empty(steps), np.empty(steps, np.int64)
    matches = np.zeros(steps, np.int64)
    p, seen = np.empty(vocabulary), np.empty(vocabulary, np.int64)
    for step in range(steps):
        before = line[:step]
        update_matches(before, matches[:step], most)
        row = line[step - 1] if step else vocabulary
        low, high = allowed[row, 0], allowed[row, 1]
        long_term(before, edges, first, followers, counts, order, caution, low, high, p)
        by_training[step] = p[line[step]]
        longest[step] = in_piece(before, matches[:step], caution_in_piece, low, high, p, seen)
        by_piece[step] = p[line[step]]
    return by_training, by_piece, longest
