"""Attention and the copy head in numpy, one step at a time, equal to torch (`attention.py`, `copying.py`) to 1e-5.

A Transformer in numpy, one step at a time, equal to torch (`transformer.py`) to 1e-5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.features import Features, Heard, distance_kinds
from cantilena.models.network.kv_cache import KeysAndValues
from cantilena.models.network.options import NetworkOptions

Floats = NDArray[np.float32]

_LEAST = np.float32(1e-30)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What attention looks back on; never changed in place.

    Args:
        places: `(melodies, past + 1, 2 size)`, each k and u: the last still waits for its token.
        heard: the tokens and their matches.
    """

    places: Floats
    heard: Heard


class NumpyAttention:
    """A head that attends or copies.

    Args:
        options: the network's shape.
        weights: every weight by name; those that begin with `attention.` are read.
        vocabulary_size: how many tokens there are.

    Example:
        >>> from cantilena.models.network.weights import weight_shapes
        >>> options = NetworkOptions(width=8, copy_head=True)
        >>> weights = {name: np.zeros(shape, np.float32) for name, shape in weight_shapes(options, 3).items()}
        >>> attention, head = NumpyAttention(options, weights, 3), lambda hidden: np.zeros((1, 3), np.float32)
        >>> scores, past = attention(head, np.zeros((1, 8)), np.array([3]), attention.silence(1))  # the start symbol
        >>> scores, past = attention(head, np.zeros((1, 8)), np.array([1]), past)
        >>> np.exp(scores).round(3).tolist()
        [[1.0, 2.0, 1.0]]
    """

    def __init__(self, options: NetworkOptions, weights: Mapping[str, Floats], vocabulary_size: int) -> None:
        self.size, self.reach, self.copies = options.attention, options.reach, options.copy_head
        self.vocabulary_size = vocabulary_size
        if self.size:
            self._query = np.ascontiguousarray(weights["attention.query.weight"].T), weights["attention.query.bias"]
            self._place = np.ascontiguousarray(weights["attention.place.weight"].T), weights["attention.place.bias"]
            self._told = np.ascontiguousarray(weights["attention.told.weight"].T)
            self._said = np.ascontiguousarray(weights["attention.said.weight"].T)
        self._matches = weights["attention.matches"]
        distances = distance_kinds(np.arange(self.reach))[::-1]
        self._distances = np.ascontiguousarray(weights["attention.distances"][distances])  # the furthest first

    def silence(self, melodies: int) -> Recalled:
        """The state before anything has sounded."""
        return Recalled(np.zeros((melodies, 1, 2 * self.size), dtype=np.float32), Heard.nothing(melodies))

    def __call__(
        self, head: Callable[[Floats], Floats], hidden: Floats, previous: NDArray[np.int64], state: Recalled
    ) -> tuple[Floats, Recalled]:
        """`(melodies, vocabulary)` scores after one step, and the new state.

        Args:
            head: gives scores for what the core says.
            hidden: `(melodies, width)` output of the core.
            previous: `(melodies,)` the token before this step.
            state: of the step before.
        """
        heard = state.heard.after(previous, self.reach)
        past = heard.tokens.shape[1]
        fits = self._matches[heard.kinds()] + self._distances[self.reach - past :]
        places = state.places
        if self.size:
            weight, bias = self._query
            query = (hidden @ weight + bias) * np.float32(self.size**-0.5)
            fits = fits + (places[:, -past:, : self.size] @ query[:, :, None])[:, :, 0]
        fits[heard.tokens >= self.vocabulary_size] = -np.inf
        if self.size:
            weight, bias = self._place
            here = (hidden @ weight + bias)[:, None, :]
            shared = _shares(fits)
            hidden = hidden + self._by_token(shared, heard.tokens) @ self._said
            told: Floats = (shared[:, None, :] @ places[:, -past:, self.size :])[:, 0]
            hidden = hidden + told @ self._told
            places = np.concatenate([places, here], axis=1)[:, -self.reach - 1 :]
        scores = head(hidden)
        if self.copies:
            top = np.maximum(scores.max(axis=1), fits.max(axis=1))[:, None]
            weights = np.exp(scores - top) + self._by_token(np.exp(fits - top), heard.tokens)
            scores = top + np.log(np.maximum(weights, _LEAST))
        return scores, Recalled(places, heard)

    def _by_token(self, numbers: Floats, tokens: NDArray[np.int64]) -> Floats:
        """`(melodies, vocabulary)`: the sum of `(melodies, past)` numbers over the places of each token."""
        melodies, kinds = len(tokens), self.vocabulary_size + 1
        places = np.arange(melodies)[:, None] * kinds + tokens
        sums = np.bincount(places.ravel(), numbers.ravel(), minlength=melodies * kinds).reshape(melodies, kinds)
        return sums[:, :-1].astype(np.float32)


def _shares(fits: Floats) -> Floats:
    top = np.maximum(fits.max(axis=1), 0.0)[:, None]
    weights = np.exp(fits - top)
    shares: Floats = weights / (weights.sum(axis=1, keepdims=True) + np.exp(-top))
    return shares


State = tuple[KeysAndValues, ...]
"""What each layer remembers."""

_TINY = np.float32(1e-5)
"""Added to a variance by torch's layer norm."""


class NumpyTransformer:
    """A Transformer and its head.

    Args:
        options: the network's shape.
        weights: every weight by name, float32.
        features: whose rows it is told.

    Example:
        >>> from cantilena.models.network.weights import weight_shapes
        >>> options = NetworkOptions(core="transformer", width=8, heads=2, embedding=8)
        >>> weights = {name: np.zeros(shape, np.float32) for name, shape in weight_shapes(options, 3).items()}
        >>> transformer = NumpyTransformer(options, weights, Features(options, 3))
        >>> scores, state = transformer(np.array([[3, 4]]), transformer.silence(1))
        >>> scores.tolist(), state[0].last(9).shape
        ([[0.0, 0.0, 0.0]], (2, 1, 2, 1, 4))
    """

    def __init__(self, options: NetworkOptions, weights: Mapping[str, Floats], features: Features) -> None:
        self.reach, self.heads, self.size = options.reach, options.heads, options.width // options.heads
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
        self._bias = (slopes[:, None] * np.arange(1 - self.reach, 1)).astype(np.float32)

    def silence(self, melodies: int) -> State:
        """The state before anything has sounded."""
        like = np.empty((2, melodies, self.heads, 1, self.size), dtype=np.float32)
        return tuple(KeysAndValues.nothing(like) for _ in self._layers)

    def __call__(self, rows: NDArray[np.int64], before: State) -> tuple[Floats, State]:
        """`(melodies, vocabulary)` scores after one step with `(melodies, columns)` rows, and the new state."""
        x: Floats = self._table[rows].sum(axis=1)
        after = []
        for layer, past in zip(self._layers, before, strict=True):
            looks = _through(layer["look"], _normed(layer["norm"], x))
            query, *latest = looks.reshape(len(x), 3, self.heads, 1, self.size).swapaxes(0, 1)
            past = past.after(np.stack(latest), self.reach)
            found = self._found(query, *past.last(self.reach))
            x = x + _through(layer["mix"], found.reshape(x.shape))
            x = x + _through(layer["narrow"], _gelu(_through(layer["widen"], _normed(layer["feed_norm"], x))))
            after.append(past)
        return _through(self._head, _normed(self._norm, x)), tuple(after)

    def _found(self, query: Floats, keys: Floats, values: Floats) -> Floats:
        """`(melodies, heads, 1, size)`: the values that each head attends to, mixed by their shares."""
        fits = (query * np.float32(query.shape[3] ** -0.5)) @ keys.swapaxes(2, 3)
        fits += self._bias[:, None, -keys.shape[2] :]
        shares = np.exp(fits - fits.max(axis=3, keepdims=True))
        found: Floats = (shares @ values) / shares.sum(axis=3, keepdims=True)
        return found


_Pair = tuple[Floats, Floats]
"""A matrix and what is added to it, or the scale and the shift of a layer norm."""


def _linear(weights: Mapping[str, Floats], name: str) -> _Pair:
    return np.ascontiguousarray(weights[f"{name}.weight"].T), weights[f"{name}.bias"]


def _norm(weights: Mapping[str, Floats], name: str) -> _Pair:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _through(linear: _Pair, x: Floats) -> Floats:
    y: Floats = x @ linear[0]
    y += linear[1]
    return y


def _normed(norm: _Pair, x: Floats) -> Floats:
    centred = x - x.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + _TINY)
    normed: Floats = centred / spread * norm[0] + norm[1]
    return normed


def _gelu(x: Floats) -> Floats:
    """A number times how likely a standard normal one is below it, by tanh (Hendrycks and Gimpel, arXiv 1606.08415)."""
    gelu: Floats = 0.5 * x * (1.0 + np.tanh((2.0 / math.pi) ** 0.5 * x * (1.0 + 0.044715 * x * x)))
    return gelu
