"""Echoes, attention and copies inside an ONNX graph: a loop over steps that keeps what has been heard (`echoes.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ValueInfoProto

from cantilena.models.network.features import LONGEST_MATCH, Heard, distance_kinds
from cantilena.models.network.options import NetworkOptions
from cantilena.models.onnx.graph import Nodes, Value, tensor

Floats = NDArray[np.floating]

_TO_THE_END = 2**31 - 1
_LOWEST = float(np.finfo(np.float32).min)


@dataclass(frozen=True, slots=True)
class Part:
    """What a loop hands on, step by step.

    Args:
        value: its name in the loop.
        size: lengths after `melodies`.
        kind: `int64` or `float32`.
        source: where it comes from, outside the loop; empty for what the loop makes.
    """

    value: Value
    size: tuple[int, ...]
    kind: str = "float32"
    source: Value = ""

    def port(self) -> ValueInfoProto:
        """Its description."""
        return tensor(self.value, self.kind, ("melodies", *self.size))


def kinds_of_matches() -> NDArray[np.int64]:
    """The kind of a match of each length, from 0 to the longest."""
    lengths = np.arange(LONGEST_MATCH + 1, dtype=np.uint8)[None, :]
    kinds: NDArray[np.int64] = Heard(np.zeros(lengths.shape, dtype=np.int64), lengths).kinds()[0]
    return kinds


class MatchLoop:
    """Writes loops that go through the steps of one call; each begins with the state that the call was given.

    Args:
        nodes: the graph.
        options: of the network.
        given: `(steps, melodies)` tokens as they are kept.
        prefix: of the names in the graph that belong to the weights.
    """

    def __init__(self, nodes: Nodes, options: NetworkOptions, given: Value, prefix: str = "") -> None:
        self._nodes, self._options, self._prefix = nodes, options, prefix
        self._reach, self._size = options.reach, options.attention
        self._token = Part("token", (), "int64", given)

    def echoes(self) -> tuple[Value, Value]:
        """What followed the longest matches before each step, and of what kind they are.

        Returns:
            `(steps, melodies, answers)` tokens as they are kept, and the same shape of kinds.
        """
        body, answers = Nodes(self._nodes), self._options.echoes
        heard, matches = self._after(body)
        left, said, kinds = matches, [], []
        for answer in range(answers):
            best = body.add("ArgMax", left, axis=1, keepdims=1, select_last_index=1)
            longest = body.add("GatherElements", left, best, axis=1)
            token = body.add("GatherElements", heard, best, axis=1)
            said.append(body.add("Where", body.add("Greater", longest, body.number(0)), token, body.number(0)))
            kinds.append(body.add("Gather", body.number(kinds_of_matches()), longest))
            if answer + 1 < answers:
                left = body.add("Where", body.add("Equal", heard, said[-1]), body.number(0), left)
        made = [Part(body.add("Concat", *parts, axis=1), (answers,), "int64") for parts in (said, kinds)]
        after = self._loop(body, [heard, matches], [self._token], made)
        if not self._options.attends:  # else attention's loop gives the same matches back
            self._nodes.named(after[1], "next_matches")
        return after[2], after[3]

    def attention(
        self, hidden: Value, weights: Mapping[str, Floats], vocabulary_size: int
    ) -> tuple[Value, tuple[Value, Value] | None]:
        """What the head hears after attention, and what it may copy; the formulas stand in `attention.py`.

        Args:
            hidden: `(steps, melodies, width)` output of the core.
            weights: of the network; those of attention are read.
            vocabulary_size: how many tokens there are.

        Returns:
            `(steps, melodies, width)`, and for a copy head `(steps, melodies, 1)` the greatest c and `(steps, melodies,
            vocabulary)` the sum of `exp(c - greatest)` over the places of each token.
        """
        nodes, body = self._nodes, Nodes(self._nodes)
        heard, matches = self._after(body)
        carried, scanned, made = [heard, matches], [self._token], []
        fits = self._by_kind(body, matches, weights)
        if self._size:
            query = nodes.add("Mul", self._linear(hidden, weights, "query"), nodes.number(self._size**-0.5))
            scanned.append(Part("query", (self._size,), source=query))
            scanned.append(Part("place", (2 * self._size,), source=self._linear(hidden, weights, "place")))
            keys = body.part("places", 0, self._size, axis=2)
            fit = body.add("MatMul", keys, body.add("Unsqueeze", "query", body.number([2])))
            fits = body.add("Add", fits, body.add("Squeeze", fit, body.number([2])))
            here = body.add("Unsqueeze", "place", body.number([1]))
            carried.append(body.add("Concat", body.part("places", 1, _TO_THE_END, axis=1), here, axis=1))
        fits = body.add("Where", body.add("Greater", heard, body.number(0)), fits, body.number(-np.inf))
        greatest = body.add("ReduceMax", fits, axes=[1], keepdims=1)
        if self._size:
            shares = self._shares(body, fits, greatest)
            values = body.part("places", self._size, 2 * self._size, axis=2)
            told = body.add("MatMul", body.add("Unsqueeze", shares, body.number([1])), values)
            made.append(Part(self._by_token(body, shares, heard, vocabulary_size), (vocabulary_size,)))
            made.append(Part(body.add("Squeeze", told, body.number([1])), (self._size,)))
        if self._options.copy_head:
            top = body.add("Max", greatest, body.number(_LOWEST))  # finite where nothing has sounded
            copied = self._by_token(body, body.add("Exp", body.add("Sub", fits, top)), heard, vocabulary_size)
            made += [Part(top, (1,)), Part(copied, (vocabulary_size,))]
        after = self._loop(body, carried, scanned, made)
        if not self._prefix:
            nodes.named(after[1], "next_matches")
        if self._size:
            nodes.named(after[2], f"next_{self._prefix}places")
            for name, value in zip(("said", "told"), after[3:5], strict=True):
                weight = self._weight(f"{name}.weight", np.asarray(weights[f"attention.{name}.weight"]).T)
                hidden = nodes.add("Add", hidden, nodes.add("MatMul", value, weight))
        return hidden, (after[-2], after[-1]) if self._options.copy_head else None

    def _after(self, body: Nodes) -> tuple[Value, Value]:
        """What has been heard, and the matches, after one more token: `Heard.after`, with a fixed number of places."""
        token = body.add("Unsqueeze", "token", body.number([1]))
        same = body.add("And", body.add("Equal", "heard", token), body.add("Greater", token, body.number(0)))
        longer = body.add("Add", body.add("Min", "matches", body.number(LONGEST_MATCH - 1)), body.number(1))
        heard = body.add("Concat", body.part("heard", 1, _TO_THE_END, axis=1), token, axis=1)
        return heard, body.add("Where", same, longer, body.number(0))

    def _by_kind(self, body: Nodes, matches: Value, weights: Mapping[str, Floats]) -> Value:
        """What the kinds of match and of distance say for each place: `(melodies, reach)`."""
        by_length = np.asarray(weights["attention.matches"])[kinds_of_matches()]
        distances = distance_kinds(np.arange(self._reach))[::-1]  # the furthest first
        near = self._weight("distances", np.asarray(weights["attention.distances"])[distances])
        return body.add("Add", body.add("Gather", self._weight("matches", by_length), matches), near)

    def _shares(self, body: Nodes, fits: Value, greatest: Value) -> Value:
        """The share of attention that each place gets."""
        top = body.add("Max", greatest, body.number(0.0))
        exponentials = body.add("Exp", body.add("Sub", fits, top))
        nowhere = body.add("Exp", body.add("Neg", top))
        whole = body.add("Add", body.add("ReduceSum", exponentials, body.number([1]), keepdims=1), nowhere)
        return body.add("Div", exponentials, whole)

    def _by_token(self, body: Nodes, numbers: Value, heard: Value, vocabulary_size: int) -> Value:
        """`(melodies, vocabulary)`: the sum of `(melodies, reach)` numbers over the places of each token."""
        melodies = body.part(body.add("Shape", heard), 0, 1, axis=0)
        shape = body.add("Concat", melodies, body.number([vocabulary_size + 1]), axis=0)
        zeros = body.add("Expand", body.number(0.0), shape)
        sums = body.add("ScatterElements", zeros, heard, numbers, axis=1, reduction="add")
        return body.part(sums, 1, _TO_THE_END, axis=1)  # the first is the place of what has not sounded

    def _loop(self, body: Nodes, carried: list[Value], scanned: list[Part], made: list[Part]) -> list[Value]:
        """A `Scan`: what is carried, after the last step; then what every step made, `(steps, melodies, ...)`."""
        heard = self._nodes.part("state_heard", -self._reach, _TO_THE_END, axis=1)
        before = [
            Part("heard", (self._reach,), "int64", heard),
            Part("matches", (self._reach,), "int64", "state_matches"),
            Part("places", (self._reach, 2 * self._size), "float32", f"state_{self._prefix}places"),
        ][: len(carried)]
        after = [Part(value, part.size, part.kind) for value, part in zip(carried, before, strict=True)]
        step = body.graph(
            "step", [part.port() for part in [*before, *scanned]], [part.port() for part in [*after, *made]]
        )
        inputs = [part.source for part in [*before, *scanned]]
        return self._nodes.add_many("Scan", inputs, len(after) + len(made), body=step, num_scan_inputs=len(scanned))

    def _linear(self, hidden: Value, weights: Mapping[str, Floats], name: str) -> Value:
        weight = self._weight(f"{name}.weight", np.asarray(weights[f"attention.{name}.weight"]).T)
        bias = self._weight(f"{name}.bias", np.asarray(weights[f"attention.{name}.bias"]))
        return self._nodes.add("Add", self._nodes.add("MatMul", hidden, weight), bias)

    def _weight(self, name: str, array: Floats) -> Value:
        return self._nodes.weight(f"{self._prefix}attention.{name}", array)
