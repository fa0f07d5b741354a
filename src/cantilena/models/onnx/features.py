"""The features of a network (`network/features.py`), computed inside an ONNX graph from tokens and bars.

Tokens are kept plus one: 0 is a place before the beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cantilena.models.network.features import MAX_RUN, Features
from cantilena.models.onnx.attention import MatchLoop
from cantilena.models.onnx.graph import MAX_STEPS_PER_BAR, TO_THE_END, Nodes, Value, feature_names, history_steps


@dataclass(frozen=True, slots=True)
class TokenValues:
    """The tokens of one call and those before it, each plus one.

    Args:
        given: `(melodies, steps)` of this call.
        all: `(melodies, kept + steps)`.
        clock: `(steps,)` 0, 1, 2 and so on.
    """

    given: Value
    all: Value
    clock: Value


class OnnxFeatures:
    """Writes the features of a network into a graph."""

    def __init__(self, nodes: Nodes, features: Features) -> None:
        self._nodes, self._features, self._options = nodes, features, features.options
        assert self._options.input == "paper" or features.columns == len(feature_names(self._options))
        self._start, self._kept = features.start, history_steps(features.options)
        self._token_of = nodes.constant([self._start, *range(self._start)])  # the token of each kept number

    def tokens(self) -> TokenValues:
        """The tokens as they are kept; a look-up makes tokens outside the vocabulary an error."""
        nodes = self._nodes
        given = nodes.add("Gather", nodes.constant([*range(1, self._start + 1), 0]), "tokens")
        everything = given
        if self._kept:
            everything = nodes.add("Concat", "state_heard", given, axis=1)
            nodes.output(nodes.slice(everything, -self._kept, TO_THE_END, axis=1), "next_heard")
        steps = nodes.add("Gather", nodes.add("Shape", "tokens"), nodes.constant(1))
        return TokenValues(given, everything, nodes.add("Range", nodes.constant(0), steps, nodes.constant(1)))

    def rows(self, tokens: TokenValues) -> Value:
        """`(steps, melodies, columns)` rows of the table, as `Features.encode` returns them."""
        nodes, options = self._nodes, self._options
        offsets = self._features.offsets.tolist()[1:]
        columns = [self._column(nodes.add("Gather", self._token_of, tokens.given))]
        bar = self._bar() if options.bar_position or options.look_back else ""
        if options.bar_position:
            for place in self._bar_position(tokens, bar):
                columns.append(self._offset(self._column(place), offsets.pop(0)))
        if options.look_back:
            columns += self._look_back(tokens, bar, [offsets.pop(0) for _ in range(2 * len(options.look_back))])
        if options.repeat_features:
            columns += self._repeats(tokens, [offsets.pop(0) for _ in range(2 * options.repeat_features)])
        columns += self._conditions(offsets)
        return nodes.add("Concat", *columns, axis=2)

    def windows(self, tokens: TokenValues) -> Value:
        """`(window, melodies x steps, 1)` numbers: the paper's input, as `Network.forward_windows` computes it."""
        nodes, window = self._nodes, self._options.window
        places = nodes.constant(1 + np.arange(window)[:, None])
        seen = nodes.add("Gather", tokens.all, nodes.add("Add", places, tokens.clock), axis=1)
        known = nodes.add("Cast", nodes.add("Gather", self._token_of, seen), to=1)
        numbers = nodes.add("Div", known, nodes.constant(float(self._start)))
        return nodes.reshape(nodes.transpose(numbers, 1, 0, 2), window, -1, 1)

    def _bar(self) -> Value:
        """`(melodies,)` steps in a bar; a look-up makes longer bars than the longest an error, and 0 counts as 1."""
        bars = self._nodes.constant([1, *range(1, MAX_STEPS_PER_BAR + 1)])
        return self._nodes.add("Gather", bars, "steps_per_bar")

    def _bar_position(self, tokens: TokenValues, bar: Value) -> tuple[Value, Value]:
        """`(melodies, steps)`: the position in the bar, and the length of the bar less one."""
        nodes = self._nodes
        given = nodes.add("Gather", nodes.add("Shape", "tokens"), nodes.constant(1))
        nodes.output(nodes.add("Add", "state_clock", given), "next_clock")
        begun = nodes.add("Sub", "state_clock", "pickup")
        clock = nodes.add("Add", nodes.reshape(begun, -1, 1), tokens.clock)
        length = nodes.reshape(bar, -1, 1)
        same = nodes.add("Expand", nodes.add("Sub", length, nodes.constant(1)), nodes.add("Shape", "tokens"))
        return nodes.add("Mod", clock, length), same

    def _look_back(self, tokens: TokenValues, bar: Value, offsets: list[int]) -> list[Value]:
        """The tokens that many bars before each step, and for how long the melody has repeated them."""
        nodes, bars = self._nodes, self._options.look_back
        lags = nodes.add("Mul", nodes.reshape(bar, -1, 1), nodes.constant(list(bars)))
        latest = nodes.add("Add", tokens.clock, nodes.constant(self._kept))  # the index of the token before each step
        last = nodes.add("Sub", nodes.reshape(latest, -1, 1), nodes.constant(np.arange(MAX_RUN)))
        here = nodes.unsqueeze(nodes.add("Gather", tokens.all, last, axis=1), 1)
        ago = nodes.add("Sub", nodes.reshape(latest, -1, 1), nodes.constant(np.arange(-1, MAX_RUN)))
        index = nodes.add("Sub", ago, nodes.reshape(lags, 0, len(bars), 1, 1))  # (melodies, look-backs, steps, 1 + run)
        found = nodes.add("GatherElements", tokens.all, nodes.reshape(index, 0, -1), axis=1)
        there = nodes.add("Reshape", found, nodes.add("Shape", index))
        before = nodes.slice(there, 1, TO_THE_END, axis=3)
        same = nodes.add("And", nodes.add("Equal", here, before), nodes.add("Greater", before, nodes.constant(0)))
        unlike = nodes.add("Where", same, nodes.constant(MAX_RUN), nodes.constant(np.arange(MAX_RUN)))
        runs = nodes.add("ReduceMin", unlike, axes=[3], keepdims=0)
        back = nodes.add("Gather", self._token_of, nodes.add("Gather", there, nodes.constant(0), axis=3))
        return [
            self._offset(nodes.transpose(column, 2, 0, 1), offsets[kind::2]) for kind, column in enumerate((back, runs))
        ]

    def _repeats(self, tokens: TokenValues, offsets: list[int]) -> list[Value]:
        """The tokens that followed the longest matches, and the bins of the matches."""
        nodes, count = self._nodes, self._options.repeat_features
        kept, bins = MatchLoop(nodes, self._options, nodes.transpose(tokens.given, 1, 0)).repeats()
        return [
            self._offset(nodes.add("Gather", self._token_of, kept), offsets[:count]),
            self._offset(bins, offsets[count:]),
        ]

    def _conditions(self, offsets: list[int]) -> list[Value]:
        """The conditions, the same at every step; a look-up makes unknown ids an error."""
        nodes, rows = self._nodes, []
        for number, (first, end) in enumerate(pairwise([*offsets, self._features.rows])):
            value = nodes.slice("told", number, number + 1, axis=1)
            row = nodes.add("Gather", nodes.constant([*range(first, end)]), value)
            rows.append(self._column(nodes.add("Expand", row, nodes.add("Shape", "tokens"))))
        return rows

    def _column(self, column: Value) -> Value:
        """`(melodies, steps)` as `(steps, melodies, 1)`."""
        return self._nodes.unsqueeze(self._nodes.transpose(column, 1, 0), 2)

    def _offset(self, columns: Value, offset: int | list[int]) -> Value:
        """Values as rows of the table."""
        return self._nodes.add("Add", columns, self._nodes.constant(offset))
