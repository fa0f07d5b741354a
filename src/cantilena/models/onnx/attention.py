"""Repeat features, attention and copies inside an ONNX graph: loops over steps that carry tokens and matches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.features import MAX_MATCH, TokenHistory, distance_bins
from cantilena.models.network.options import NetworkOptions
from cantilena.models.onnx.graph import TO_THE_END, Nodes, Port, Value

Floats = NDArray[np.floating]

_LOWEST = float(np.finfo(np.float32).min)


@dataclass(frozen=True, slots=True)
class LoopValue:
    """A value of the body of a loop.

    Args:
        value: its name in the body.
        size: lengths after `melodies`.
        dtype: `int64` or `float32`.
        source: the value outside the loop that it comes from; empty for what the body computes.
    """

    value: Value
    size: tuple[int, ...]
    dtype: str = "float32"
    source: Value = ""

    def port(self) -> Port:
        """Its description."""
        return Port(self.value, self.dtype, ("melodies", *self.size))


class MatchLoop:
    """Writes loops over the steps of one call, which begin with the state that the call was given.

    `given` are `(steps, melodies)` tokens as they are kept; `prefix` begins the names that belong to the weights.
    """

    def __init__(self, nodes: Nodes, options: NetworkOptions, given: Value, prefix: str = "") -> None:
        self._nodes, self._options, self._prefix = nodes, options, prefix
        self._max_context, self._size = options.max_context, options.attention
        self._token = LoopValue("token", (), "int64", given)

    def repeats(self) -> tuple[Value, Value]:
        """Repeat features.

        Returns:
            `(steps, melodies, repeat features)` tokens as they are kept, and the bins of their matches.
        """
        body, count = Nodes(self._nodes), self._options.repeat_features
        heard, matches = self._append(body)
        left, tokens, bins = matches, [], []
        for number in range(count):
            best = body.add("ArgMax", left, axis=1, keepdims=1, select_last_index=1)
            longest = body.add("GatherElements", left, best, axis=1)
            token = body.add("GatherElements", heard, best, axis=1)
            tokens.append(body.add("Where", body.add("Greater", longest, body.constant(0)), token, body.constant(0)))
            bins.append(body.add("Gather", body.constant(_bins_of_lengths()), longest))
            if number + 1 < count:
                left = body.add("Where", body.add("Equal", heard, tokens[-1]), body.constant(0), left)
        made = [LoopValue(body.add("Concat", *parts, axis=1), (count,), "int64") for parts in (tokens, bins)]
        after = self._scan(body, [heard, matches], [self._token], made)
        if not self._options.attends:  # else the loop of attention outputs the same matches
            self._nodes.output(after[1], "next_matches")
        return after[2], after[3]

    def attention(
        self, hidden: Value, weights: Mapping[str, Floats], vocabulary_size: int
    ) -> tuple[Value, tuple[Value, Value] | None]:
        """Attention and copies; `network/attention.py` has the formulas.

        Args:
            hidden: `(steps, melodies, width)` output of the core.
            weights: of the network.
            vocabulary_size: number of tokens.

        Returns:
            `(steps, melodies, width)` input of the head, and for a copy head `(steps, melodies, 1)` the greatest c and
            `(steps, melodies, vocabulary)` the sum of `exp(c - greatest)` over the places of each token.
        """
        nodes, body = self._nodes, Nodes(self._nodes)
        heard, matches = self._append(body)
        carried, scanned, made = [heard, matches], [self._token], []
        c = self._bias(body, matches, weights)
        if self._size:
            query = nodes.add("Mul", self._linear(hidden, weights, "query"), nodes.constant(self._size**-0.5))
            scanned.append(LoopValue("query", (self._size,), source=query))
            scanned.append(LoopValue("place", (2 * self._size,), source=self._linear(hidden, weights, "place")))
            keys = body.slice("places", 0, self._size, axis=2)
            product = body.add("MatMul", keys, body.unsqueeze("query", 2))
            c = body.add("Add", c, body.add("Squeeze", product, body.constant([2])))
            here = body.unsqueeze("place", 1)
            carried.append(body.add("Concat", body.slice("places", 1, TO_THE_END, axis=1), here, axis=1))
        c = body.add("Where", body.add("Greater", heard, body.constant(0)), c, body.constant(-np.inf))
        greatest = body.add("ReduceMax", c, axes=[1], keepdims=1)
        if self._size:
            shares = self._shares(body, c, greatest)
            values = body.slice("places", self._size, 2 * self._size, axis=2)
            attended = body.add("MatMul", body.unsqueeze(shares, 1), values)
            made.append(LoopValue(self._sum_by_token(body, shares, heard, vocabulary_size), (vocabulary_size,)))
            made.append(LoopValue(body.add("Squeeze", attended, body.constant([1])), (self._size,)))
        if self._options.copy_head:
            top = body.add("Max", greatest, body.constant(_LOWEST))  # finite if there is no token yet
            weights_of_copies = body.add("Exp", body.add("Sub", c, top))
            copied = self._sum_by_token(body, weights_of_copies, heard, vocabulary_size)
            made += [LoopValue(top, (1,)), LoopValue(copied, (vocabulary_size,))]
        after = self._scan(body, carried, scanned, made)
        if not self._prefix:
            nodes.output(after[1], "next_matches")
        if self._size:
            nodes.output(after[2], f"next_{self._prefix}places")
            for name, value in zip(("said", "told"), after[3:5], strict=True):
                weight = self._weight(f"{name}.weight", np.asarray(weights[f"attention.{name}.weight"]).T)
                hidden = nodes.add("Add", hidden, nodes.add("MatMul", value, weight))
        return hidden, (after[-2], after[-1]) if self._options.copy_head else None

    def _append(self, body: Nodes) -> tuple[Value, Value]:
        """Tokens and matches after one more token: `TokenHistory.append` with a fixed number of places."""
        token = body.unsqueeze("token", 1)
        same = body.add("And", body.add("Equal", "heard", token), body.add("Greater", token, body.constant(0)))
        longer = body.add("Add", body.add("Min", "matches", body.constant(MAX_MATCH - 1)), body.constant(1))
        heard = body.add("Concat", body.slice("heard", 1, TO_THE_END, axis=1), token, axis=1)
        return heard, body.add("Where", same, longer, body.constant(0))

    def _bias(self, body: Nodes, matches: Value, weights: Mapping[str, Floats]) -> Value:
        """`(melodies, max_context)`: the biases of matches and distances."""
        by_length = np.asarray(weights["attention.matches"])[_bins_of_lengths()]
        distances = distance_bins(np.arange(self._max_context))[::-1]  # the furthest first
        near = self._weight("distances", np.asarray(weights["attention.distances"])[distances])
        return body.add("Add", body.add("Gather", self._weight("matches", by_length), matches), near)

    def _shares(self, body: Nodes, c: Value, greatest: Value) -> Value:
        """The share of attention of each place."""
        top = body.add("Max", greatest, body.constant(0.0))
        exponentials = body.add("Exp", body.add("Sub", c, top))
        empty = body.add("Exp", body.add("Neg", top))
        total = body.add("Add", body.add("ReduceSum", exponentials, body.constant([1]), keepdims=1), empty)
        return body.add("Div", exponentials, total)

    def _sum_by_token(self, body: Nodes, numbers: Value, heard: Value, vocabulary_size: int) -> Value:
        """`(melodies, vocabulary)`: sums of `(melodies, max_context)` numbers over the places of each token."""
        melodies = body.slice(body.add("Shape", heard), 0, 1, axis=0)
        shape = body.add("Concat", melodies, body.constant([vocabulary_size + 1]), axis=0)
        zeros = body.add("Expand", body.constant(0.0), shape)
        sums = body.add("ScatterElements", zeros, heard, numbers, axis=1, reduction="add")
        return body.slice(sums, 1, TO_THE_END, axis=1)  # the first is that of places before the beginning

    def _scan(self, body: Nodes, carried: list[Value], scanned: list[LoopValue], made: list[LoopValue]) -> list[Value]:
        """A `Scan`: returns what is carried after the last step, then what each step made, `(steps, melodies, ...)`."""
        heard = self._nodes.slice("state_heard", -self._max_context, TO_THE_END, axis=1)
        before = [
            LoopValue("heard", (self._max_context,), "int64", heard),
            LoopValue("matches", (self._max_context,), "int64", "state_matches"),
            LoopValue("places", (self._max_context, 2 * self._size), "float32", f"state_{self._prefix}places"),
        ][: len(carried)]
        after = [LoopValue(value, part.size, part.dtype) for value, part in zip(carried, before, strict=True)]
        inputs, outputs = [*before, *scanned], [*after, *made]
        step = body.graph("step", [part.port().info() for part in inputs], [part.port().info() for part in outputs])
        sources = [part.source for part in inputs]
        return self._nodes.add_many("Scan", sources, len(outputs), body=step, num_scan_inputs=len(scanned))

    def _linear(self, hidden: Value, weights: Mapping[str, Floats], name: str) -> Value:
        weight = self._weight(f"{name}.weight", np.asarray(weights[f"attention.{name}.weight"]).T)
        bias = self._weight(f"{name}.bias", np.asarray(weights[f"attention.{name}.bias"]))
        return self._nodes.add("Add", self._nodes.add("MatMul", hidden, weight), bias)

    def _weight(self, name: str, array: Floats) -> Value:
        return self._nodes.weight(f"{self._prefix}attention.{name}", array)


def _bins_of_lengths() -> NDArray[np.int64]:
    """The bin of a match of each length, from 0 to the longest."""
    lengths = np.arange(MAX_MATCH + 1, dtype=np.uint8)[None, :]
    bins: NDArray[np.int64] = TokenHistory(np.zeros(lengths.shape, dtype=np.int64), lengths).match_bins()[0]
    return bins
