"""The arrays of an n-gram in a bundle; they are untrusted, and checked before a compiled loop reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError
from cantilena.models.ngram.counts import MAX_MATCH, ContextTree
from cantilena.tokenizers import Encoding, allowed_after

if TYPE_CHECKING:
    from cantilena.models.ngram.model import NGram
    from cantilena.models.ngram.options import NGramOptions

Arrays = Mapping[str, NDArray[Any]]

_TREE = ("edges", "first", "followers", "counts")
_MAX_TOTAL = 2**53
"""Sums of counts below this are exact in float64."""

_HINT = "count it again with `cantilena train --model ngram`, or ask whoever gave it to you for a new file"


@dataclass(frozen=True, eq=False)
class NGramPart:
    """The n-gram of a blend.

    Args:
        options: its shape.
        arrays: from `ngram_arrays`.
        share: its share of the blend, 0 to 1.
    """

    options: NGramOptions
    arrays: Arrays = field(repr=False)
    share: float


def ngram_arrays(model: NGram) -> dict[str, NDArray[Any]]:
    """The fields of the tree by name (`edges first followers counts`) and the weights as `in_piece`.

    Examples:
        >>> from cantilena.models import NGram, NGramOptions
        >>> arrays = ngram_arrays(NGram.fit([np.array([0, 1, 0])], 2, NGramOptions(order=1)))
        >>> arrays["followers"].tolist(), arrays["counts"].tolist(), len(arrays["in_piece"])
        ([0, 1], [2, 1], 33)
    """
    return {name: getattr(model.tree, name) for name in _TREE} | {"in_piece": model.weights}


def ngram_from_arrays(options: NGramOptions, arrays: Arrays, encoding: Encoding) -> NGram:
    """The n-gram of arrays that `check_ngram` accepted, and of the encoding of its tokens."""
    from cantilena.models.ngram.model import NGram  # imports numba, which only prediction needs

    weights = np.asarray(arrays["in_piece"], dtype=np.float64)
    return NGram(len(encoding.vocabulary), options, _tree(arrays), weights, allowed_after(encoding))


def check_ngram(arrays: Arrays, vocabulary_size: int) -> None:
    """Check that arrays, by the names of `ngram_arrays`, are an n-gram, and that a compiled loop stays inside them.

    Raises:
        BundleError: an array is missing, of another type or shape, out of order or out of bounds.
    """
    names = {*_TREE, "in_piece"}
    if set(arrays) != names:
        odd = sorted(set(arrays) ^ names)[0]
        raise BundleError(
            f"this bundle {'lacks' if odd in names else 'has'} the array {odd[:80]!r} of an n-gram", _HINT
        )
    for name, array in arrays.items():
        types, numbers = ("f", "numbers") if name == "in_piece" else ("iu", "whole numbers")
        _require(array.ndim == 1 and array.dtype.kind in types, f"'{name}' is not a row of {numbers}")
    _check_tree(_tree(arrays), vocabulary_size)
    weights = arrays["in_piece"]
    _require(len(weights) == MAX_MATCH + 1, f"'in_piece' has {len(weights)} weights, not {MAX_MATCH + 1}")
    _require(bool(np.all((weights >= 0) & (weights <= 1))), "'in_piece' has weights that are not from 0 to 1")


def _check_tree(tree: ContextTree, vocabulary_size: int) -> None:
    edges, first, followers, counts = tree.edges, tree.first, tree.followers, tree.counts
    nodes = len(edges) + 1
    _require(len(first) == nodes + 1, f"'first' has {len(first)} entries for {nodes} contexts")
    _require(len(counts) == len(followers), f"it has {len(counts)} counts for {len(followers)} followers")
    _require(bool(first[0] == 0 and first[-1] == len(followers)), "'first' does not begin and end with the followers")
    _require(bool(np.all(first[:-1] < first[1:])), "a context has no followers")
    _require(bool(np.all(edges[:-1] < edges[1:])), "its contexts are out of order")
    # The shorter context must come before a context, so that every path ends at the root.
    shorter = edges // (vocabulary_size + 1)
    valid = (edges >= 0) & (shorter <= np.arange(len(edges)))
    _require(bool(np.all(valid)), "a context comes before its shorter context")
    _require(bool(np.all((followers >= 0) & (followers < vocabulary_size))), "a follower is not in the vocabulary")
    begins = np.zeros(len(followers), dtype=np.bool_)
    begins[first[:-1]] = True
    ordered = (followers[:-1] < followers[1:]) | begins[1:]
    _require(bool(np.all(ordered)), "the followers of a context are out of order")
    _require(bool(np.all(counts >= 1)), "a count is less than one")
    _require(float(np.sum(counts, dtype=np.float64)) < _MAX_TOTAL, "its counts are too large")


def _tree(arrays: Arrays) -> ContextTree:
    return ContextTree(*(np.ascontiguousarray(arrays[name], dtype=np.int64) for name in _TREE))


def _require(condition: bool, wrong: str) -> None:
    if not condition:
        raise BundleError(f"this bundle's n-gram is damaged: {wrong}", _HINT)
