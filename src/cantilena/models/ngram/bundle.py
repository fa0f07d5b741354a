"""The arrays of an n-gram in a bundle, checked before a compiled loop reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError
from cantilena.models.ngram.counts import LONGEST_MATCH, ContextTree

if TYPE_CHECKING:
    from cantilena.models.ngram.model import NGram
    from cantilena.models.ngram.options import NGramOptions

Arrays = Mapping[str, NDArray[Any]]

_COUNTED = ("edges", "first", "followers", "counts")
_MOST = 2**53
"""Counts add up to less, so that sums are exact and far from overflow."""

_HINT = "count it again with `cantilena train --model ngram`, or ask whoever gave it to you for a new file"


@dataclass(frozen=True, eq=False)
class NGramPart:
    """The n-gram of a blend.

    Args:
        options: its shape.
        arrays: what was counted (`ngram_arrays`).
        share: how much of the blend it is, 0 to 1.
    """

    options: NGramOptions
    arrays: Mapping[str, NDArray[Any]] = field(repr=False)
    share: float


def ngram_arrays(model: NGram) -> dict[str, NDArray[Any]]:
    """What was counted and tuned, by name: `edges first followers counts` as in `ContextTree`, and `in_piece`.

    Example:
        >>> from cantilena.models import NGram, NGramOptions
        >>> arrays = ngram_arrays(NGram.fit([np.array([0, 1, 0])], 2, NGramOptions(order=1)))
        >>> arrays["followers"].tolist(), arrays["counts"].tolist(), len(arrays["in_piece"])
        ([0, 1], [2, 1], 33)
    """
    return {name: getattr(model.tree, name) for name in _COUNTED} | {"in_piece": model.weights}


def ngram_of(options: NGramOptions, arrays: Arrays, vocabulary_size: int) -> NGram:
    """The n-gram of arrays that `check_ngram` found good."""
    from cantilena.models.ngram.model import NGram  # it compiles loops: only who predicts waits for numba

    return NGram(vocabulary_size, options, _tree(arrays), np.asarray(arrays["in_piece"], dtype=np.float64))


def check_ngram(arrays: Arrays, vocabulary_size: int) -> None:
    """Refuse arrays that are no n-gram, or that would lead a compiled loop outside them.

    Args:
        arrays: by name, as `ngram_arrays` gives them.
        vocabulary_size: how many tokens there are.

    Raises:
        BundleError: an array is missing, of another kind or shape, out of order or out of bounds.
    """
    names = {*_COUNTED, "in_piece"}
    if set(arrays) != names:
        odd = sorted(set(arrays) ^ names)[0]
        raise BundleError(
            f"this bundle {'lacks' if odd in names else 'has'} the array {odd[:80]!r} of an n-gram", _HINT
        )
    for name, array in arrays.items():
        kinds, numbers = ("f", "numbers") if name == "in_piece" else ("iu", "whole numbers")
        _must(array.ndim == 1 and array.dtype.kind in kinds, f"'{name}' is no row of {numbers}")
    _check_tree(_tree(arrays), vocabulary_size)
    in_piece = arrays["in_piece"]
    _must(len(in_piece) == LONGEST_MATCH + 1, f"'in_piece' has {len(in_piece)} weights, not {LONGEST_MATCH + 1}")
    _must(bool(np.all((in_piece >= 0) & (in_piece <= 1))), "'in_piece' has weights that are not from 0 to 1")


def _check_tree(tree: ContextTree, vocabulary_size: int) -> None:
    edges, first, followers, counts = tree.edges, tree.first, tree.followers, tree.counts
    nodes = len(edges) + 1
    _must(len(first) == nodes + 1, f"'first' has {len(first)} entries for {nodes} contexts")
    _must(len(counts) == len(followers), f"{len(counts)} counts for {len(followers)} followers")
    _must(bool(first[0] == 0 and first[-1] == len(followers)), "'first' does not begin and end with the followers")
    _must(bool(np.all(first[:-1] < first[1:])), "a context has no followers")
    _must(bool(np.all(edges[:-1] < edges[1:])), "its contexts are out of order")
    # A context's shorter one comes before it, so that every way ends at the empty context.
    shorter = edges // (vocabulary_size + 1)
    _must(bool(np.all((edges >= 0) & (shorter <= np.arange(len(edges))))), "a context is longer than no other")
    _must(bool(np.all((followers >= 0) & (followers < vocabulary_size))), "a follower is not in the vocabulary")
    begins = np.zeros(len(followers), dtype=np.bool_)
    begins[first[:-1]] = True
    _must(bool(np.all((followers[:-1] < followers[1:]) | begins[1:])), "a context's followers are out of order")
    _must(bool(np.all(counts >= 1)), "a follower was counted less than once")
    _must(float(np.sum(counts, dtype=np.float64)) < _MOST, "its counts are too large")


def _tree(arrays: Arrays) -> ContextTree:
    return ContextTree(*(np.ascontiguousarray(arrays[name], dtype=np.int64) for name in _COUNTED))


def _must(holds: bool, wrong: str) -> None:
    if not holds:
        raise BundleError(f"this bundle's n-gram is damaged: {wrong}", _HINT)
