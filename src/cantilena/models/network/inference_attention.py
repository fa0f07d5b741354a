"""Attention, the copy head (`attention.py`) and the transformer (`transformer.py`) in numpy, one step at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.features import Features, TokenHistory, distance_bins
from cantilena.models.network.kv_cache import KVCache
from cantilena.models.network.note_features import NoteFeatures
from cantilena.models.network.options import NetworkOptions

Floats = NDArray[np.float32]

_MIN_WEIGHT = np.float32(1e-30)
_EPSILON = np.float32(1e-5)
"""Added to the variance by torch's layer norm."""


@dataclass(frozen=True, slots=True)
class AttentionState:
    """What attention reads; immutable.

    Args:
        vectors: `(melodies, past + 1, 2 size)`, each k and u; the last is still without its token.
        history: the tokens and their matches.
    """

    vectors: Floats
    history: TokenHistory


class NumpyAttention:
    """A head that attends or copies, from all weights of the network by name.

    Examples:
        >>> from cantilena.models.network.weights import weight_shapes
        >>> options = NetworkOptions(width=8, copy_head=True)
        >>> weights = {name: np.zeros(shape, np.float32) for name, shape in weight_shapes(options, 3).items()}
        >>> attention, head = NumpyAttention(options, weights, 3), lambda hidden: np.zeros((1, 3), np.float32)
        >>> scores, state = attention(head, np.zeros((1, 8)), np.array([3]), attention.initial_state(1))  # the start
        >>> scores, state = attention(head, np.zeros((1, 8)), np.array([1]), state)
        >>> np.exp(scores).round(3).tolist()
        [[1.0, 2.0, 1.0]]
    """

    def __init__(self, options: NetworkOptions, weights: Mapping[str, Floats], vocabulary_size: int) -> None:
        self.size, self.max_context, self.copies = options.attention, options.max_context, options.copy_head
        self.vocabulary_size = vocabulary_size
        if self.size:
            self._query, self._place = _linear(weights, "attention.query"), _linear(weights, "attention.place")
            self._told = np.ascontiguousarray(weights["attention.told.weight"].T)
            self._said = np.ascontiguousarray(weights["attention.said.weight"].T)
        self._matches = weights["attention.matches"]
        distances = distance_bins(np.arange(self.max_context))[::-1]
        self._distances = np.ascontiguousarray(weights["attention.distances"][distances])  # the furthest first

    def initial_state(self, melodies: int) -> AttentionState:
        """The state before the start symbol."""
        vectors = np.zeros((melodies, 1, 2 * self.size), dtype=np.float32)
        return AttentionState(vectors, TokenHistory.empty(melodies))

    def __call__(
        self, head: Callable[[Floats], Floats], hidden: Floats, previous: NDArray[np.int64], state: AttentionState
    ) -> tuple[Floats, AttentionState]:
        """`(melodies, vocabulary)` scores after one step, and the new state.

        Args:
            head: gives scores for `(melodies, width)` vectors.
            hidden: `(melodies, width)` output of the core.
            previous: `(melodies,)` the token before this step.
            state: of the step before.
        """
        history = state.history.append(previous, self.max_context)
        past = history.tokens.shape[1]
        c = self._matches[history.match_bins()] + self._distances[self.max_context - past :]
        vectors = state.vectors
        if self.size:
            weight, bias = self._query
            query = (hidden @ weight + bias) * np.float32(self.size**-0.5)
            c = c + (vectors[:, -past:, : self.size] @ query[:, :, None])[:, :, 0]
        c[history.tokens >= self.vocabulary_size] = -np.inf
        if self.size:
            weight, bias = self._place
            here = (hidden @ weight + bias)[:, None, :]
            shares = _attention_shares(c)
            hidden = hidden + self._sum_by_token(shares, history.tokens) @ self._said
            attended: Floats = (shares[:, None, :] @ vectors[:, -past:, self.size :])[:, 0]
            hidden = hidden + attended @ self._told
            vectors = np.concatenate([vectors, here], axis=1)[:, -self.max_context - 1 :]
        scores = head(hidden)
        if self.copies:
            top = np.maximum(scores.max(axis=1), c.max(axis=1))[:, None]
            weights = np.exp(scores - top) + self._sum_by_token(np.exp(c - top), history.tokens)
            scores = top + np.log(np.maximum(weights, _MIN_WEIGHT))
        return scores, AttentionState(vectors, history)

    def _sum_by_token(self, numbers: Floats, tokens: NDArray[np.int64]) -> Floats:
        """`(melodies, vocabulary)`: sums of `(melodies, past)` numbers over the places of each token."""
        melodies, size = len(tokens), self.vocabulary_size + 1
        bins = np.arange(melodies)[:, None] * size + tokens
        sums = np.bincount(bins.ravel(), numbers.ravel(), minlength=melodies * size).reshape(melodies, size)
        return sums[:, :-1].astype(np.float32)


def _attention_shares(c: Floats) -> Floats:
    top = np.maximum(c.max(axis=1), 0.0)[:, None]
    weights = np.exp(c - top)
    shares: Floats = weights / (weights.sum(axis=1, keepdims=True) + np.exp(-top))
    return shares


class NumpyTransformer:
    """A transformer and its head, from all weights by name; the state is a cache for each layer.

    Examples:
        >>> from cantilena.models.network.weights import weight_shapes
        >>> options = NetworkOptions(core="transformer", width=8, heads=2, embedding=8)
        >>> weights = {name: np.zeros(shape, np.float32) for name, shape in weight_shapes(options, 3).items()}
        >>> transformer = NumpyTransformer(options, weights, Features(options, 3))
        >>> scores, state = transformer(np.array([[3, 4]]), transformer.initial_state(1))
        >>> scores.tolist(), state[0].last(9).shape
        ([[0.0, 0.0, 0.0]], (2, 1, 2, 1, 4))
    """

    def __init__(
        self, options: NetworkOptions, weights: Mapping[str, Floats], features: Features | NoteFeatures
    ) -> None:
        self.max_context, self.heads, self.size = options.max_context, options.heads, options.width // options.heads
        self._layers = [
            {name: _linear(weights, f"core.layers.{layer}.{name}") for name in ("look", "mix", "widen", "narrow")}
            | {name: _norm(weights, f"core.layers.{layer}.{name}") for name in ("norm", "feed_norm")}
            for layer in range(options.layers)
        ]
        self._norm, self._head = _norm(weights, "core.norm"), _linear(weights, "head")
        weight, bias = _linear(weights, "core.below")
        self._table = weights["table.weight"] @ weight
        self._table[: features.start + 1] += bias  # each step has exactly one row of these
        slopes = 2.0 ** (-8.0 * np.arange(1, self.heads + 1) / self.heads)
        self._bias = (slopes[:, None] * np.arange(1 - self.max_context, 1)).astype(np.float32)

    def initial_state(self, melodies: int) -> tuple[KVCache, ...]:
        """Empty caches."""
        like = np.empty((2, melodies, self.heads, 1, self.size), dtype=np.float32)
        return tuple(KVCache.empty(like) for _ in self._layers)

    def __call__(
        self, rows: NDArray[np.int64] | None, state: tuple[KVCache, ...], parts: NDArray[np.int64] | None = None
    ) -> tuple[Floats, tuple[KVCache, ...]]:
        """As `Stepper` has it."""
        assert rows is not None  # notes, which have steps without rows, need recurrent cells
        x: Floats = self._table[rows].sum(axis=1)
        after = []
        for layer, cache in zip(self._layers, state, strict=True):
            projected = _apply_linear(layer["look"], _apply_norm(layer["norm"], x))
            query, *latest = projected.reshape(len(x), 3, self.heads, 1, self.size).swapaxes(0, 1)
            cache = cache.append(np.stack(latest), self.max_context)
            attended = self._attend(query, *cache.last(self.max_context))
            x = x + _apply_linear(layer["mix"], attended.reshape(x.shape))
            widened = _gelu(_apply_linear(layer["widen"], _apply_norm(layer["feed_norm"], x)))
            x = x + _apply_linear(layer["narrow"], widened)
            after.append(cache)
        return _apply_linear(self._head, _apply_norm(self._norm, x)), tuple(after)

    def _attend(self, query: Floats, keys: Floats, values: Floats) -> Floats:
        """`(melodies, heads, 1, size)`: the attended values."""
        scores = (query * np.float32(query.shape[3] ** -0.5)) @ keys.swapaxes(2, 3)
        scores += self._bias[:, None, -keys.shape[2] :]
        shares = np.exp(scores - scores.max(axis=3, keepdims=True))
        attended: Floats = (shares @ values) / shares.sum(axis=3, keepdims=True)
        return attended


_Pair = tuple[Floats, Floats]
"""Weight and bias of a linear layer, or scale and shift of a layer norm."""


def _linear(weights: Mapping[str, Floats], name: str) -> _Pair:
    return np.ascontiguousarray(weights[f"{name}.weight"].T), weights[f"{name}.bias"]


def _norm(weights: Mapping[str, Floats], name: str) -> _Pair:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _apply_linear(linear: _Pair, x: Floats) -> Floats:
    y: Floats = x @ linear[0]
    y += linear[1]
    return y


def _apply_norm(norm: _Pair, x: Floats) -> Floats:
    centred = x - x.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + _EPSILON)
    normed: Floats = centred / spread * norm[0] + norm[1]
    return normed


def _gelu(x: Floats) -> Floats:
    """GELU in its tanh approximation (Hendrycks and Gimpel, arXiv 1606.08415)."""
    gelu: Floats = 0.5 * x * (1.0 + np.tanh((2.0 / math.pi) ** 0.5 * x * (1.0 + 0.044715 * x * x)))
    return gelu
