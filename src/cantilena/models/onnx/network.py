"""Table, core and head of a network as operations of an ONNX graph; they compute what `inference.py` does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.options import NetworkOptions
from cantilena.models.network.weights import LAYER
from cantilena.models.onnx.attention import MatchLoop
from cantilena.models.onnx.graph import Nodes, Value
from cantilena.models.policy import LOG_ZERO

Floats = NDArray[np.floating]

_OPERATORS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
"""The gates in ONNX's order (i o f c; z r h) as indices of torch's (i f g o; r z n)."""
_MIN_WEIGHT = 1e-30


class OnnxNetwork:
    """Writes a recurrent network into a graph; `prefix` begins the names of its weights and state."""

    def __init__(self, nodes: Nodes, options: NetworkOptions, weights: Mapping[str, Floats], prefix: str = "") -> None:
        self._nodes, self._options, self._weights, self._prefix = nodes, options, weights, prefix
        self._vocabulary_size = len(weights["head.bias"])

    def scores(self, rows: Value, given: Value) -> Value:
        """`(steps, melodies, vocabulary)` scores after each step.

        Args:
            rows: `(steps, melodies, columns)` rows of the table.
            given: `(melodies, steps)` tokens as they are kept.
        """
        nodes = self._nodes
        vectors = nodes.add("Gather", self._weight("table.weight"), rows)
        hidden, last = self._core(nodes.add("ReduceSum", vectors, nodes.constant([2]), keepdims=0), stateful=True)
        for name, parts in last.items():
            nodes.output(nodes.transpose(nodes.add("Concat", *parts, axis=0), 1, 0, 2), f"next_{self._prefix}{name}")
        if not self._options.attends:
            return self._head(hidden)
        loop = MatchLoop(nodes, self._options, nodes.transpose(given, 1, 0), self._prefix)
        hidden, copies = loop.attention(hidden, self._weights, self._vocabulary_size)
        scores = self._head(hidden)
        return scores if copies is None else self._add_copies(scores, *copies)

    def note_scores(self) -> Value:
        """`(1, melodies, vocabulary)` scores of one token of notes, from the inputs of the graph."""
        nodes, options = self._nodes, self._options
        x = self._sum_rows("table.weight", "rows")
        _, last = self._core(nodes.unsqueeze(x, 0), stateful=True)
        begins = nodes.reshape(nodes.add("Greater", "begins", nodes.constant(0)), -1, 1, 1)
        states = {}
        for name, layers in last.items():
            after = nodes.transpose(nodes.add("Concat", *layers, axis=0), 1, 0, 2)
            states[name] = nodes.add("Where", begins, after, f"state_{self._prefix}{name}")
            nodes.output(states[name], f"next_{self._prefix}{name}")
        hidden = nodes.slice(states["h"], options.layers - 1, options.layers, axis=1)
        hidden = nodes.add("Squeeze", hidden, nodes.constant([1]))
        notes = nodes.add("Add", self._linear("mix", hidden), self._sum_rows("direct.weight", "rows"))
        inner = nodes.add("Tanh", nodes.add("Add", notes, self._sum_rows("parts.weight", "parts")))
        scores = self._head(nodes.add("Add", inner, nodes.add("Tanh", self._linear("deep", inner))))
        tokens = nodes.constant(np.arange(self._vocabulary_size))
        first, after = (nodes.slice("bounds", side, side + 1, axis=1) for side in (0, 1))
        outside = nodes.add("Or", nodes.add("Less", tokens, first), nodes.add("GreaterOrEqual", tokens, after))
        return nodes.unsqueeze(nodes.add("Where", outside, nodes.constant(LOG_ZERO), scores), 0)

    def _linear(self, name: str, x: Value) -> Value:
        """A linear layer by the name of its weights."""
        weight = self._nodes.weight(f"{self._prefix}{name}.weight", np.asarray(self._weights[f"{name}.weight"]).T)
        return self._nodes.add("Add", self._nodes.add("MatMul", x, weight), self._weight(f"{name}.bias"))

    def _sum_rows(self, table: str, rows: Value) -> Value:
        """`(melodies, size)`: for each melody the sum of its `(melodies, columns)` rows of a table."""
        vectors = self._nodes.add("Gather", self._weight(table), rows)
        return self._nodes.add("ReduceSum", vectors, self._nodes.constant([1]), keepdims=0)

    def window_scores(self, numbers: Value, tokens: Value) -> Value:
        """`(melodies, steps, vocabulary)` scores after each window of the paper's input.

        Args:
            numbers: `(window, melodies x steps, 1)`.
            tokens: `(melodies, steps)`.
        """
        nodes = self._nodes
        hidden, _ = self._core(numbers, stateful=False)
        scores = self._head(nodes.add("Gather", hidden, nodes.constant(self._options.window - 1)))
        shape = nodes.add("Concat", nodes.add("Shape", tokens), nodes.constant([self._vocabulary_size]), axis=0)
        return nodes.add("Reshape", scores, shape)

    def _core(self, x: Value, *, stateful: bool) -> tuple[Value, dict[str, list[Value]]]:
        """`(steps, melodies, width)` output of the last layer, and the `(1, melodies, width)` states of all layers."""
        nodes, options = self._nodes, self._options
        names = ("h", "c") if options.core == "lstm" else ("h",)
        before = {}
        if stateful:
            for name in names:
                before[name] = nodes.transpose(f"state_{self._prefix}{name}", 1, 0, 2)
        last: dict[str, list[Value]] = {name: [] for name in names}
        extra = {"linear_before_reset": 1} if options.core == "gru" else {}
        for layer in range(options.layers):
            inputs = [x, *self._cell_weights(layer)]
            if stateful:
                inputs += ["", *(nodes.slice(before[name], layer, layer + 1, axis=0) for name in names)]
            output, *state = nodes.add_many(
                _OPERATORS[options.core], inputs, 1 + len(names), hidden_size=options.width, **extra
            )
            x = nodes.add("Squeeze", output, nodes.constant([1]))
            for name, value in zip(names, state, strict=True):
                last[name].append(value)
        return x, last

    def _cell_weights(self, layer: int) -> list[Value]:
        """The weights of a layer in ONNX's layout: W, R, and both biases in one row."""
        w_ih, w_hh, b_ih, b_hh = (self._reorder(self._weights[f"core.{name}_l{layer}"]) for name in LAYER)
        nodes, name = self._nodes, f"{self._prefix}core.{{}}_l{layer}"
        return [
            nodes.weight(name.format("weight_ih"), w_ih[None]),
            nodes.weight(name.format("weight_hh"), w_hh[None]),
            nodes.weight(name.format("bias"), np.concatenate([b_ih, b_hh])[None]),
        ]

    def _reorder(self, weight: Floats) -> Floats:
        order = _GATES[self._options.core]
        gates = np.split(np.asarray(weight), len(order))
        return np.concatenate([gates[gate] for gate in order])

    def _head(self, hidden: Value) -> Value:
        weight = self._nodes.weight(f"{self._prefix}head.weight", np.asarray(self._weights["head.weight"]).T)
        return self._nodes.add("Add", self._nodes.add("MatMul", hidden, weight), self._weight("head.bias"))

    def _add_copies(self, scores: Value, greatest: Value, copied: Value) -> Value:
        """`log [exp s(v) + sum exp c(j)]`, as `attention.add_copies`; the sums are of `exp(c - greatest)`."""
        nodes = self._nodes
        top = nodes.add("Max", nodes.add("ReduceMax", scores, axes=[2], keepdims=1), greatest)
        new = nodes.add("Exp", nodes.add("Sub", scores, top))
        copies = nodes.add("Mul", copied, nodes.add("Exp", nodes.add("Sub", greatest, top)))
        weights = nodes.add("Max", nodes.add("Add", new, copies), nodes.constant(_MIN_WEIGHT))
        return nodes.add("Add", top, nodes.add("Log", weights))

    def _weight(self, name: str) -> Value:
        return self._nodes.weight(f"{self._prefix}{name}", self._weights[name])


def policy_in_graph(
    nodes: Nodes, policy: str, scores: Value, prior_scores: Value | None, vocabulary_size: int
) -> Value:
    """Scores of three axes as log probabilities over the last: `policy_log_probs` as operations."""
    if policy == "argmax-q":
        best = nodes.add("ArgMax", scores, axis=2, keepdims=1)
        chosen = nodes.add("Equal", nodes.constant(np.arange(vocabulary_size)), best)
        return nodes.add("Where", chosen, nodes.constant(0.0), nodes.constant(LOG_ZERO))
    if policy == "g":
        assert prior_scores is not None
        scores = nodes.add("Add", scores, nodes.add("LogSoftmax", prior_scores, axis=2))
    return nodes.add("LogSoftmax", scores, axis=2)
