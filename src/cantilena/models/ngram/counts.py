"""The counts of an n-gram: a tree of contexts, the nearest token first, as sorted arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

MAX_MATCH = 32
"""Longest match within a piece; longer ones count as this."""


@dataclass(frozen=True, slots=True)
class ContextTree:
    """How often each token followed each context.

    A context of k tokens is a node at depth k; node 0 is the empty context. Node `n` seen after one earlier token `t`
    is the node `1 + i` where `edges[i] == n * (vocabulary + 1) + t`; the start symbol is the token `vocabulary`.

    Args:
        edges: sorted keys of all nodes but the root.
        first: `(nodes + 1,)`: the followers of node n are entries `first[n]` to `first[n + 1]` of the next two.
        followers: tokens.
        counts: how often each followed.
    """

    edges: Ints
    first: Ints
    followers: Ints
    counts: Ints

    @classmethod
    def count(cls, sequences: Sequence[NDArray[np.integer]], vocabulary_size: int, order: int) -> ContextTree:
        """Count the contexts of up to `order - 1` tokens in `(steps,)` sequences, the start symbol before each.

        Examples:
            >>> tree = ContextTree.count([np.array([0, 1, 0])], vocabulary_size=2, order=2)
            >>> tree.followers[tree.first[0] : tree.first[1]].tolist(), tree.counts[:2].tolist()
            ([0, 1], [2, 1])
        """
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        start, token_kinds = vocabulary_size, vocabulary_size + 1
        marked = [part for sequence in sequences for part in (np.array([start]), np.asarray(sequence))]
        line = np.concatenate(marked).astype(np.int64) if marked else np.zeros(0, dtype=np.int64)
        steps = np.flatnonzero(line != start)  # where a token is predicted
        before = np.concatenate([np.arange(length) for length in lengths]) + 1 if len(lengths) else steps
        node = np.zeros(len(steps), dtype=np.int64)
        edges: list[Ints] = []
        pairs = [node * vocabulary_size + line[steps]]
        nodes = 1
        for depth in range(1, order):
            deep = before >= depth  # the start symbol may be the first token of a context
            steps, before, node = steps[deep], before[deep], node[deep]
            keys, node = np.unique(node * token_kinds + line[steps - depth], return_inverse=True)
            node = node.astype(np.int64) + nodes
            edges.append(keys)
            nodes += len(keys)
            pairs.append(node * vocabulary_size + line[steps])
        found, counts = np.unique(np.concatenate(pairs), return_counts=True)
        first = np.searchsorted(found // vocabulary_size, np.arange(nodes + 1))
        return cls(
            np.concatenate(edges) if edges else np.zeros(0, dtype=np.int64),
            first.astype(np.int64),
            found % vocabulary_size,
            counts.astype(np.int64),
        )
