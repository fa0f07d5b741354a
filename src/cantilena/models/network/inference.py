"""The same networks in numpy, so that composing with a small model needs no torch.

The cells are those of `stepping.py`, in float32, and agree with torch to 1e-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.features import Features, Memory
from cantilena.models.network.inference_attention import NumpyAttention, NumpyTransformer, Recalled
from cantilena.models.network.options import NetworkOptions
from cantilena.models.network.weights import LAYER
from cantilena.models.network.windows import WindowState, shifted, windows
from cantilena.models.policy import log_softmax, numpy_of
from cantilena.models.protocol import Bars

Floats = NDArray[np.float32]
Hidden = tuple[tuple[Floats, ...], ...]
State = tuple[Hidden, Recalled | None]
"""The layers' state, and attention's where there is any."""

_MANY = 32
"""From so many melodies on it pays to look up one column of rows after the other."""


@dataclass(frozen=True, slots=True)
class NumpyState:
    """What a network remembers between steps; never changed in place."""

    hidden: Any
    """What its core gave after the step before."""
    memory: Memory


class _Core(Protocol):
    """Cells or a Transformer, with its head."""

    def silence(self, melodies: int) -> Any:  # noqa: ANN401  (each core has its own)
        """The state before anything has sounded."""
        ...

    def __call__(self, rows: NDArray[np.int64], state: Any, /) -> tuple[Floats, Any]:  # noqa: ANN401
        """`(melodies, vocabulary)` scores after one step with `(melodies, columns)` rows, and the new state."""
        ...


class NumpyNetwork:
    """A trained network that computes in numpy alone.

    Args:
        options: its shape.
        weights: every weight by name, as `Network.numpy_weights` gives them.

    Example:
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
        self.features = Features(options, len(single["head.bias"]))
        core = NumpyTransformer if options.core == "transformer" else NumpyCells
        self._core: _Core = core(options, single, self.features)

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are."""
        return self.features.vocabulary_size

    @property
    def uses_bars(self) -> bool:
        """Whether it cares where in its bar a step lies, or what else is known of a melody."""
        return self.options.uses_bars

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Floats, Any]:
        """`(melodies, vocabulary)` log p of the first token, and the state. Bars default to 4/4 in sixteenths."""
        scores, state = self.start_scores(melodies, bars)
        return log_softmax(scores), state

    def step(self, tokens: Any, state: Any) -> tuple[Floats, Any]:  # noqa: ANN401
        """`(melodies, vocabulary)` log p of the next token after one more of each melody, and the state."""
        scores, state = self.step_scores(tokens, state)
        return log_softmax(scores), state

    def log_probs(self, tokens: Any, *, bars: Bars | None = None) -> Floats:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` log p of each step given the tokens before it."""
        normalised: Floats = log_softmax(self.scores(tokens, bars))
        return normalised

    def scores(self, tokens: Any, bars: Bars | None = None) -> Floats:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` scores of the head: entry t is given the tokens before t."""
        known = numpy_of(tokens)
        melodies, steps = known.shape
        scores = np.empty((melodies, steps, self.vocabulary_size), dtype=np.float32)
        if self.options.input == "paper":
            seen = windows(known, self.options.window, self.features.start)
            for step in range(steps):
                scores[:, step] = self._of_windows(seen[:, step])
            return scores
        rows = self.features.of(known, bars)
        hidden = self._core.silence(melodies)
        for step in range(steps):
            scores[:, step], hidden = self._core(rows[:, step], hidden)
        return scores

    def start_scores(self, melodies: int, bars: Bars | None = None) -> tuple[Floats, Any]:
        """As `start`, with the head's raw scores."""
        if self.options.input == "paper":
            seen = np.full((melodies, self.options.window), self.features.start)
            return self._of_windows(seen), WindowState(seen)
        rows, memory = self.features.first(melodies, bars)
        scores, hidden = self._core(rows, self._core.silence(melodies))
        return scores, NumpyState(hidden, memory)

    def step_scores(self, tokens: Any, state: Any) -> tuple[Floats, Any]:  # noqa: ANN401
        """As `step`, with the head's raw scores."""
        known = numpy_of(tokens)
        if isinstance(state, WindowState):
            seen = shifted(state.seen, known)
            return self._of_windows(seen), WindowState(seen)
        rows, memory = self.features.next(known, state.memory)
        scores, hidden = self._core(rows, state.hidden)
        return scores, NumpyState(hidden, memory)

    def _of_windows(self, seen: NDArray[np.int64]) -> Floats:
        assert isinstance(self._core, NumpyCells)  # no transformer has the paper's input
        return self._core.of_windows((seen / self.vocabulary_size).astype(np.float32))


class NumpyCells:
    """Recurrent cells and their head.

    Args:
        options: the network's shape.
        weights: every weight by name, float32.
        features: whose rows they are told.
    """

    def __init__(self, options: NetworkOptions, weights: Mapping[str, Floats], features: Features) -> None:
        self.options = options
        self._head = np.ascontiguousarray(weights["head.weight"].T), weights["head.bias"]
        attends = options.attends
        self._attention = NumpyAttention(options, weights, features.vocabulary_size) if attends else None
        self._layers = []
        for layer in range(options.layers):
            w_ih, w_hh, b_ih, b_hh = (self._ordered(weights[f"core.{name}_l{layer}"]) for name in LAYER)
            if options.core != "gru":
                b_ih, b_hh = b_ih + b_hh, np.zeros_like(b_hh)
            self._layers.append((np.ascontiguousarray(w_ih.T), b_ih, np.ascontiguousarray(w_hh.T), b_hh))
        if options.input == "features":
            self._table = weights["table.weight"] @ self._layers[0][0]
            self._table[: features.start + 1] += self._layers[0][1]

    def silence(self, melodies: int) -> State:
        """The state before anything has sounded."""
        zeros = np.zeros((melodies, self.options.width), dtype=np.float32)
        hidden = tuple((zeros, zeros) if self.options.core == "lstm" else (zeros,) for _ in self._layers)
        return hidden, None if self._attention is None else self._attention.silence(melodies)

    def __call__(self, rows: NDArray[np.int64], state: State) -> tuple[Floats, State]:
        """Scores after one step with `(melodies, columns)` rows of the table, the first of each its token."""
        hidden, past = state
        hidden = self._after(_summed(self._table, rows), hidden)
        said = hidden[-1][0]
        if self._attention is None or past is None:
            return self._scores(said), (hidden, None)
        scores, past = self._attention(self._scores, said, rows[:, 0], past)
        return scores, (hidden, past)

    def of_windows(self, numbers: Floats) -> Floats:
        """`(windows, vocabulary)` scores after `(windows, window)` tokens as plain numbers: the paper's input."""
        w_ih, b_ih = self._layers[0][:2]
        hidden, _ = self.silence(len(numbers))
        for place in range(numbers.shape[1]):
            hidden = self._after(numbers[:, place : place + 1] @ w_ih + b_ih, hidden)
        return self._scores(hidden[-1][0])

    def _scores(self, said: Floats) -> Floats:
        weight, bias = self._head
        scores: Floats = said @ weight + bias
        return scores

    def _after(self, first: Floats, hidden: Hidden) -> Hidden:
        """The layers after one step, `first` being what the first layer is told, `(melodies, gates)`."""
        after, x = [], first
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

    def _ordered(self, weight: Floats) -> Floats:
        """An lstm's gates from torch's i, f, g, o to i, f, o, g, so that the three sigmoids lie together."""
        if self.options.core != "lstm":
            return weight
        i, f, g, o = np.split(weight, 4)
        return np.concatenate([i, f, o, g])


def _summed(table: Floats, rows: NDArray[np.int64]) -> Floats:
    """`(melodies, width)`: for each melody the sum of its `(melodies, columns)` rows of a table."""
    if len(rows) < _MANY:
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
