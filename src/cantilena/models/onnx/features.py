"""What a network is told before each step (`features.py`), computed inside an ONNX graph from the tokens alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cantilena.models.network.features import LONGEST_RUN, Features
from cantilena.models.onnx.attention import MatchLoop
from cantilena.models.onnx.graph import LONGEST_BAR, Nodes, Value, steps_kept

_TO_THE_END = 2**31 - 1


@dataclass(frozen=True, slots=True)
class HeardTokens:
    """The tokens of one call and those before it, each plus one; 0 where nothing has sounded.

    Args:
        given: `(melodies, steps)` of this call.
        all: `(melodies, kept + steps)`.
        clock: `(steps,)` 0, 1, 2 and so on.
    """

    given: Value
    all: Value
    clock: Value


class OnnxFeatures:
    """Writes the features of a network into a graph.

    Args:
        nodes: the graph.
        features: of the network.
    """

    def __init__(self, nodes: Nodes, features: Features) -> None:
        self._nodes, self._features, self._options = nodes, features, features.options
        self._start, self._kept = features.start, steps_kept(features.options)
        self._token_of = nodes.number([self._start, *range(self._start)])  # the token that is kept as each number

    def heard(self) -> HeardTokens:
        """Tokens as they are kept; one outside the vocabulary is an error, since it has no place in the list."""
        nodes = self._nodes
        given = nodes.add("Gather", nodes.number([*range(1, self._start + 1), 0]), "tokens")
        everything = given
        if self._kept:
            everything = nodes.add("Concat", "state_heard", given, axis=1)
            nodes.named(nodes.part(everything, -self._kept, _TO_THE_END, axis=1), "next_heard")
        steps = nodes.add("Gather", nodes.add("Shape", "tokens"), nodes.number(1))
        return HeardTokens(given, everything, nodes.add("Range", nodes.number(0), steps, nodes.number(1)))

    def rows(self, heard: HeardTokens) -> Value:
        """`(steps, melodies, columns)` rows of the network's table, as `Features.of` gives them."""
        nodes, options = self._nodes, self._options
        offsets = self._features.offsets.tolist()[1:]
        columns = [self._column(nodes.add("Gather", self._token_of, heard.given))]
        bar = self._bar() if options.bar_position or options.look_back else ""
        if options.bar_position:
            for place in self._places(heard, bar):
                columns.append(self._moved(self._column(place), offsets.pop(0)))
        if options.look_back:
            columns += self._look_back(heard, bar, [offsets.pop(0) for _ in range(2 * len(options.look_back))])
        if options.echoes:
            columns += self._echoes(heard, [offsets.pop(0) for _ in range(2 * options.echoes)])
        columns += self._told(heard, offsets)
        return nodes.add("Concat", *columns, axis=2)

    def windows(self, heard: HeardTokens) -> Value:
        """`(window, melodies x steps, 1)` numbers: the paper's input, as `Network.forward_windows` has it."""
        nodes, window = self._nodes, self._options.window
        places = nodes.number(1 + np.arange(window)[:, None])
        seen = nodes.add("Gather", heard.all, nodes.add("Add", places, heard.clock), axis=1)
        tokens = nodes.add("Cast", nodes.add("Gather", self._token_of, seen), to=1)
        numbers = nodes.add("Div", tokens, nodes.number(float(self._start)))
        return nodes.reshaped(nodes.add("Transpose", numbers, perm=[1, 0, 2]), window, -1, 1)

    def _bar(self) -> Value:
        """`(melodies,)` steps in a bar; one longer than the longest is an error, one of none counts as 1."""
        bars = self._nodes.number([1, *range(1, LONGEST_BAR + 1)])
        return self._nodes.add("Gather", bars, "steps_per_bar")

    def _places(self, heard: HeardTokens, bar: Value) -> tuple[Value, Value]:
        """`(melodies, steps)`: the place in the bar, and the bar's length less one."""
        nodes = self._nodes
        given = nodes.add("Gather", nodes.add("Shape", "tokens"), nodes.number(1))
        nodes.named(nodes.add("Add", "state_clock", given), "next_clock")
        begun = nodes.add("Sub", "state_clock", "pickup")
        clock = nodes.add("Add", nodes.reshaped(begun, -1, 1), heard.clock)
        length = nodes.reshaped(bar, -1, 1)
        same = nodes.add("Expand", nodes.add("Sub", length, nodes.number(1)), nodes.add("Shape", "tokens"))
        return nodes.add("Mod", clock, length), same

    def _look_back(self, heard: HeardTokens, bar: Value, offsets: list[int]) -> list[Value]:
        """What sounded so many bars before each step, and for how long the melody has been repeating it."""
        nodes, bars = self._nodes, self._options.look_back
        lags = nodes.add("Mul", nodes.reshaped(bar, -1, 1), nodes.number(list(bars)))
        latest = nodes.add("Add", heard.clock, nodes.number(self._kept))  # where the last token before each step lies
        last = nodes.add("Sub", nodes.reshaped(latest, -1, 1), nodes.number(np.arange(LONGEST_RUN)))
        here = nodes.add("Unsqueeze", nodes.add("Gather", heard.all, last, axis=1), nodes.number([1]))
        ago = nodes.add("Sub", nodes.reshaped(latest, -1, 1), nodes.number(np.arange(-1, LONGEST_RUN)))
        index = nodes.add(
            "Sub", ago, nodes.reshaped(lags, 0, len(bars), 1, 1)
        )  # (melodies, look-backs, steps, 1 + run)
        found = nodes.add("GatherElements", heard.all, nodes.reshaped(index, 0, -1), axis=1)
        there = nodes.add("Reshape", found, nodes.add("Shape", index))
        before = nodes.part(there, 1, _TO_THE_END, axis=3)
        same = nodes.add("And", nodes.add("Equal", here, before), nodes.add("Greater", before, nodes.number(0)))
        unlike = nodes.add("Where", same, nodes.number(LONGEST_RUN), nodes.number(np.arange(LONGEST_RUN)))
        runs = nodes.add("ReduceMin", unlike, axes=[3], keepdims=0)
        back = nodes.add("Gather", self._token_of, nodes.add("Gather", there, nodes.number(0), axis=3))
        return [
            self._moved(nodes.add("Transpose", column, perm=[2, 0, 1]), offsets[kind::2])
            for kind, column in enumerate((back, runs))
        ]

    def _echoes(self, heard: HeardTokens, offsets: list[int]) -> list[Value]:
        """What followed the longest matches, and their kinds."""
        nodes, answers = self._nodes, self._options.echoes
        said, kinds = MatchLoop(nodes, self._options, self._turned(heard.given)).echoes()
        tokens = nodes.add("Gather", self._token_of, said)
        return [self._moved(tokens, offsets[:answers]), self._moved(kinds, offsets[answers:])]

    def _told(self, heard: HeardTokens, offsets: list[int]) -> list[Value]:
        """What is known of a melody beforehand, the same at every step; a number that is not known is an error."""
        nodes, rows = self._nodes, []
        for number, (first, end) in enumerate(pairwise([*offsets, self._features.rows])):
            value = nodes.part("told", number, number + 1, axis=1)
            row = nodes.add("Gather", nodes.number([*range(first, end)]), value)
            rows.append(self._column(nodes.add("Expand", row, nodes.add("Shape", "tokens"))))
        return rows

    def _turned(self, column: Value) -> Value:
        """`(melodies, steps)` as `(steps, melodies)`."""
        return self._nodes.add("Transpose", column, perm=[1, 0])

    def _column(self, column: Value) -> Value:
        """`(melodies, steps)` as `(steps, melodies, 1)`."""
        return self._nodes.add("Unsqueeze", self._turned(column), self._nodes.number([2]))

    def _moved(self, columns: Value, offset: int | list[int]) -> Value:
        """Values as rows of the table."""
        return self._nodes.add("Add", columns, self._nodes.number(offset))
