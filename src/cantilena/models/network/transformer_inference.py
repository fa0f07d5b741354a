"""A Transformer in numpy, one step at a time, equal to torch (`transformer.py`) to 1e-5."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.features import Features
from cantilena.models.network.keys_and_values import KeysAndValues
from cantilena.models.network.options import NetworkOptions

Floats = NDArray[np.float32]
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
