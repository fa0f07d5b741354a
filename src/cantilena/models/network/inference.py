"""Networks in numpy, so that composing with a small model needs no torch.

The cells are those of `stepping.py`, in float32, and agree with torch to 1e-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.inference_attention import NumpyAttention, NumpyTransformer
from cantilena.models.network.note_features import features_of
from cantilena.models.network.options import NetworkOptions
from cantilena.models.network.stepwise import (
    AnyFeatures,
    Ints,
    Stepper,
    StepwiseNetwork,
    split_rows,
    token_windows,
    within_bounds,
)
from cantilena.models.network.weights import LAYER
from cantilena.models.policy import to_numpy
from cantilena.models.protocol import Bars
from cantilena.runtime import one_blas_thread

Floats = NDArray[np.float32]
Hidden = tuple[tuple[Floats, ...], ...]
State = tuple[Hidden, Any]
"""The state of the layers, and that of attention if there is any, or of notes what the head reads of the note."""

_MANY_MELODIES = 32
"""From this many melodies on it is faster to look up one column of rows after the other."""


class NumpyNetwork(StepwiseNetwork):
    """A trained network that computes in numpy alone.

    Args:
        options: its shape.
        weights: every weight by name, as `Network.numpy_weights` returns them.

    Examples:
        >>> from cantilena.models import weight_shapes
        >>> options = NetworkOptions(width=8, embedding=8)
        >>> weights = {name: np.zeros(shape) for name, shape in weight_shapes(options, 38).items()}
        >>> log_probs, state = NumpyNetwork(options, weights).start(melodies=1)
        >>> bool(np.allclose(np.exp(log_probs), 1 / 38))
        True
    """

    def __init__(self, options: NetworkOptions, weights: Mapping[str, NDArray[np.floating]]) -> None:
        self.options = options
        single = {name: np.ascontiguousarray(weight, dtype=np.float32) for name, weight in weights.items()}
        self.features = features_of(options, len(single["head.bias"]))
        core = NumpyTransformer if options.core == "transformer" else NumpyCells
        self._stepper: NumpyTransformer | NumpyCells = core(options, single, self.features)

    def stepper(self) -> Stepper:
        """The weights laid out for stepping."""
        return self._stepper

    @one_blas_thread()
    def scores(self, tokens: Any, bars: Bars | None = None) -> Floats:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` scores for `(melodies, steps)` tokens; entry t is given the tokens before."""
        known = to_numpy(tokens)
        melodies, steps = known.shape
        scores = np.empty((melodies, steps, self.vocabulary_size), dtype=np.float32)
        if self.options.input == "paper":
            windows = token_windows(known, self.options.window, self.features.start)
            for step in range(steps):
                scores[:, step] = self.window_scores(windows[:, step])
            return scores
        rows = self.features.encode(known, bars)
        if self.options.durations:
            return self._note_scores(rows, scores)
        hidden: Any = self._stepper.initial_state(melodies)
        for step in range(steps):
            scores[:, step], hidden = self._stepper(rows[:, step], hidden)
        return scores

    def _note_scores(self, rows: Ints, scores: Floats) -> Floats:
        """As `scores`, of notes: the cells make one step a note; fills `scores`."""
        hidden: Any = self._stepper.initial_state(len(rows))
        rows, parts, bounds = split_rows(rows, self.features.columns)
        for token in range(rows.shape[1]):
            begins = token % self.features.period == 0
            scores[:, token], hidden = self._stepper(rows[:, token] if begins else None, hidden, parts[:, token])
        return np.asarray(within_bounds(scores, bounds))

    def few_threads(self, melodies: int) -> AbstractContextManager[object]:
        """One thread: networks in numpy are small."""
        return one_blas_thread()

    def window_scores(self, windows: Ints) -> Floats:
        """`(windows, vocabulary)` scores of the token after each of `(windows, window)` windows."""
        assert isinstance(self._stepper, NumpyCells)  # a transformer has no such input
        return self._stepper.window_scores((windows / self.vocabulary_size).astype(np.float32))


class NumpyCells:
    """Recurrent cells and their head, from all weights by name."""

    def __init__(self, options: NetworkOptions, weights: Mapping[str, Floats], features: AnyFeatures) -> None:
        self.options = options
        self._head = np.ascontiguousarray(weights["head.weight"].T), weights["head.bias"]
        attends = options.attends
        self._attention = NumpyAttention(options, weights, features.vocabulary_size) if attends else None
        self._layers = []
        for layer in range(options.layers):
            w_ih, w_hh, b_ih, b_hh = (self._reorder(weights[f"core.{name}_l{layer}"]) for name in LAYER)
            if options.core != "gru":
                b_ih, b_hh = b_ih + b_hh, np.zeros_like(b_hh)
            self._layers.append((np.ascontiguousarray(w_ih.T), b_ih, np.ascontiguousarray(w_hh.T), b_hh))
        self._parts = weights["parts.weight"].copy() if options.durations else None
        if self._parts is not None:
            self._direct = weights["direct.weight"]
            self._mix, self._deep = (np.ascontiguousarray(weights[f"{name}.weight"].T) for name in ("mix", "deep"))
            self._deep_bias = weights["deep.bias"]
            self._parts[: features.start + 1] += weights["mix.bias"]  # each token has exactly one of these rows
        if options.input == "features":
            self._table = weights["table.weight"] @ self._layers[0][0]
            self._table[: features.start + 1] += self._layers[0][1]  # each step has exactly one row of these

    def initial_state(self, melodies: int) -> State:
        """Zeros."""
        zeros = np.zeros((melodies, self.options.width), dtype=np.float32)
        hidden = tuple((zeros, zeros) if self.options.core == "lstm" else (zeros,) for _ in self._layers)
        return hidden, None if self._attention is None else self._attention.initial_state(melodies)

    def __call__(self, rows: Ints | None, state: State, parts: Ints | None = None) -> tuple[Floats, State]:
        """As `Stepper` has it."""
        hidden, past = state
        if rows is not None:
            hidden = self._step(_sum_rows(self._table, rows), hidden)
        output = hidden[-1][0]
        if parts is not None and self._parts is not None:
            if rows is not None:
                past = output @ self._mix + _sum_rows(self._direct, rows)
            inner = np.tanh(past + _sum_rows(self._parts, parts))
            return self._scores(inner + np.tanh(inner @ self._deep + self._deep_bias)), (hidden, past)
        assert rows is not None
        if self._attention is None or past is None:
            return self._scores(output), (hidden, None)
        scores, past = self._attention(self._scores, output, rows[:, 0], past)  # column 0 is the token
        return scores, (hidden, past)

    def window_scores(self, numbers: Floats) -> Floats:
        """`(windows, vocabulary)` scores after `(windows, window)` tokens divided by the vocabulary size."""
        w_ih, b_ih = self._layers[0][:2]
        hidden, _ = self.initial_state(len(numbers))
        for step in range(numbers.shape[1]):
            hidden = self._step(numbers[:, step : step + 1] @ w_ih + b_ih, hidden)
        return self._scores(hidden[-1][0])

    def _scores(self, hidden: Floats) -> Floats:
        weight, bias = self._head
        scores: Floats = hidden @ weight + bias
        return scores

    def _step(self, x: Floats, hidden: Hidden) -> Hidden:
        """All layers after one step; `x` is W_ih x + b_ih of the first, `(melodies, gates)`."""
        after = []
        for layer, (w_ih, b_ih, w_hh, b_hh) in enumerate(self._layers):
            x = x if layer == 0 else x @ w_ih + b_ih
            state = self._cell(x, w_hh, b_hh, hidden[layer])
            after.append(state)
            x = state[0]
        return tuple(after)

    def _cell(self, x: Floats, w_hh: Floats, b_hh: Floats, state: tuple[Floats, ...]) -> tuple[Floats, ...]:
        h, width = state[0], self.options.width
        u = h @ w_hh
        if self.options.core == "gru":
            u += b_hh
            gates = _sigma(x[:, : 2 * width] + u[:, : 2 * width])
            reset, keep = gates[:, :width], gates[:, width:]
            new = np.tanh(x[:, 2 * width :] + reset * u[:, 2 * width :])
            return (new + keep * (h - new),)
        u += x
        if self.options.core == "rnn":
            return (np.tanh(u),)
        gates = _sigma(u[:, : 3 * width])
        i, f, o = gates[:, :width], gates[:, width : 2 * width], gates[:, 2 * width :]
        c = f * state[1] + i * np.tanh(u[:, 3 * width :])
        return o * np.tanh(c), c

    def _reorder(self, weight: Floats) -> Floats:
        """An lstm's gates from torch's i, f, g, o to i, f, o, g, so that the three sigmoids are adjacent."""
        if self.options.core != "lstm":
            return weight
        i, f, g, o = np.split(weight, 4)
        return np.concatenate([i, f, o, g])


def _sum_rows(table: Floats, rows: Ints) -> Floats:
    """`(melodies, width)`: for each melody the sum of its `(melodies, columns)` rows of a table."""
    if len(rows) < _MANY_MELODIES:
        few: Floats = table[rows].sum(axis=1)
        return few
    total, column = table[rows[:, 0]], np.empty((len(rows), table.shape[1]), dtype=np.float32)
    for chosen in rows.T[1:]:  # column by column: all rows at once do not fit into the cache
        total += np.take(table, chosen, axis=0, out=column, mode="clip")  # clip: without a buffer
    return total


def _sigma(x: Floats) -> Floats:
    """The logistic function, by tanh: it cannot overflow."""
    sigma: Floats = 0.5 + 0.5 * np.tanh(0.5 * x)
    return sigma
