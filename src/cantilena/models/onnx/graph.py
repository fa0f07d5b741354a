"""An ONNX graph as it grows: each operation is one call that gives the name of what it computes.

What an ONNX graph is given and gives back: tokens and bars, and a state that begins as zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from cantilena.models.network.features import LONGEST_RUN, PLACES
from cantilena.models.network.options import NetworkOptions

OPSET = 17
"""The set of operators that is written, of 2022: what is old enough for phones and browsers."""

IR_VERSION = 8
"""The file format that came with it; newer ones add nothing that a network of ours needs."""

_KINDS = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT}

Value = str
"""The name of a tensor in the graph."""

Shape = Sequence[int | str]
"""A tensor's shape: a name stands for a length that the caller chooses."""


class Nodes:
    """Operations in the order in which they are computed, with the numbers that they read.

    Names are counted, so the same calls give the same graph, byte for byte.

    Args:
        outer: the graph that this one is the inside of, as of a `Scan`; its values can be read here too.

    Example:
        >>> nodes = Nodes()
        >>> doubled = nodes.add("Mul", "x", nodes.number(2.0))
        >>> nodes.operators
        ['Mul']
    """

    def __init__(self, outer: Nodes | None = None) -> None:
        self._nodes: list[NodeProto] = []
        self._numbers: dict[tuple[str, tuple[int, ...], bytes], Value] = {} if outer is None else outer._numbers
        self._arrays: dict[Value, NDArray[Any]] = {} if outer is None else outer._arrays
        self._count: list[int] = [0] if outer is None else outer._count

    @property
    def operators(self) -> list[str]:
        """The kinds of operations so far."""
        return [node.op_type for node in self._nodes]

    def add(self, operator: str, *inputs: Value, **attributes: Any) -> Value:  # noqa: ANN401  (what ONNX takes)
        """One more operation with one output, whose name comes back."""
        return self.add_many(operator, inputs, 1, **attributes)[0]

    def add_many(
        self,
        operator: str,
        inputs: Sequence[Value],
        outputs: int,
        **attributes: Any,  # noqa: ANN401
    ) -> list[Value]:
        """One more operation with several outputs, whose names come back."""
        self._count[0] += 1
        names = [f"{operator}_{self._count[0]}" + (f"_{number}" if number else "") for number in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, name=names[0], **attributes))
        return names

    def named(self, value: Value, name: str) -> Value:
        """A value under the name by which the caller knows it."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))
        return name

    def number(self, value: float | Sequence[int] | NDArray[Any]) -> Value:
        """Numbers known beforehand: whole ones int64, others float32. The same ones are kept once."""
        array = np.asarray(value)
        array = np.ascontiguousarray(array, dtype=np.int64 if array.dtype.kind in "iu" else np.float32)
        key = (array.dtype.name, np.shape(value), array.tobytes())
        if key not in self._numbers:
            self._numbers[key] = f"number_{len(self._numbers) + 1}"
            self._arrays[self._numbers[key]] = array.reshape(np.shape(value))
        return self._numbers[key]

    def weight(self, name: str, array: NDArray[np.floating]) -> Value:
        """A network's weights under their own name, in float32."""
        self._arrays[name] = np.ascontiguousarray(array, dtype=np.float32)
        return name

    def part(self, value: Value, first: int, last: int, axis: int) -> Value:
        """What lies from `first` to before `last` along an axis; negative ones are counted from the end."""
        return self.add("Slice", value, *(self.number([bound]) for bound in (first, last, axis)))

    def reshaped(self, value: Value, *shape: int) -> Value:
        """The same numbers in another shape; 0 keeps a length, -1 finds it."""
        return self.add("Reshape", value, self.number(list(shape)))

    def graph(self, name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]) -> GraphProto:
        """The graph so far, without the numbers if it lies inside another."""
        return helper.make_graph(self._nodes, name, list(inputs), list(outputs))

    def model(self, name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]) -> ModelProto:
        """The whole as a model; who made it and what it means is for the caller to write."""
        graph = self.graph(name, inputs, outputs)
        graph.initializer.extend(numpy_helper.from_array(array, each) for each, array in self._arrays.items())
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def tensor(name: str, kind: str, shape: Shape, doc: str = "") -> ValueInfoProto:
    """The description of an input or output.

    Args:
        name: of the tensor.
        kind: `int64` or `float32`.
        shape: as the caller shall see it.
        doc: what it means.
    """
    return helper.make_tensor_value_info(name, _KINDS[kind], list(shape), doc)


LONGEST_BAR = PLACES
"""Steps of the longest bar that a graph counts: a bar of 4/4 in the finest grid, 24 steps a quarter note."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input of a graph, or a part of its state, which is an output too.

    Args:
        name: by which it is known.
        kind: `int64` or `float32`.
        shape: lengths, a name where the caller chooses.
        doc: what it means, in a sentence.
    """

    name: str
    kind: str
    shape: tuple[int | str, ...]
    doc: str

    @property
    def after(self) -> str:
        """The output that is given back as this part of the state."""
        return self.name.replace("state_", "next_", 1)


def steps_kept(options: NetworkOptions) -> int:
    """How many of the last tokens a graph keeps, so that all that it looks back on is there.

    Example:
        >>> steps_kept(NetworkOptions(look_back=(1, 2))), steps_kept(NetworkOptions(look_back=()))
        (207, 0)
    """
    if options.input == "paper":
        return options.window
    bars = max(options.look_back, default=0)
    return max(bars * LONGEST_BAR + LONGEST_RUN if bars else 0, options.reach if remembers(options) else 0)


def known_columns(options: NetworkOptions) -> list[str]:
    """The columns of features that are made of tokens and bars, in words; what comes after them is told beforehand.

    Example:
        >>> known_columns(NetworkOptions(bar_position=False, look_back=(1,)))
        ['token before', 'token 1 bar ago', 'steps on end like 1 bar ago']
    """
    if options.input == "paper":
        return [f"the last {options.window} tokens, each divided by the size of the vocabulary"]
    columns = ["token before"]
    columns += ["place in the bar", "steps in the bar, less one"] if options.bar_position else []
    for bars in options.look_back:
        ago = f"{bars} bar{'s' if bars > 1 else ''} ago"
        columns += [f"token {ago}", f"steps on end like {ago}"]
    columns += [f"token after match {number}" for number in range(1, options.echoes + 1)]
    return columns + [f"kind of match {number}, by its length" for number in range(1, options.echoes + 1)]


def remembers(options: NetworkOptions) -> bool:
    """Whether a network asks how long its melody's end matches earlier parts."""
    return bool(options.echoes) or options.attends


def memory(options: NetworkOptions) -> list[Port]:
    """The parts of the state that say what has sounded, whatever the weights."""
    ports = []
    if options.input == "features" and options.bar_position:
        ports.append(Port("state_clock", "int64", ("melodies",), "how many tokens were given before"))
    if kept := steps_kept(options):
        ports.append(
            Port(
                "state_heard", "int64", ("melodies", kept), "the last tokens, each plus one; 0 is before the beginning"
            )
        )
    if remembers(options):
        doc = "how long what lies before each of the last tokens equals the melody's end"
        ports.append(Port("state_matches", "int64", ("melodies", options.reach), doc))
    return ports


def hidden(options: NetworkOptions, prefix: str = "") -> list[Port]:
    """The parts of the state that a network's weights make.

    Args:
        options: its shape.
        prefix: told before each name, where a graph holds two networks.
    """
    if options.input == "paper":  # it begins anew in every window
        return []
    shape = ("melodies", options.layers, options.width)
    ports = [Port(f"state_{prefix}h", "float32", shape, "what the cells of each layer say")]
    if options.core == "lstm":
        ports.append(Port(f"state_{prefix}c", "float32", shape, "what the cells of each layer hold"))
    if options.attention:
        places = ("melodies", options.reach, 2 * options.attention)
        ports.append(Port(f"state_{prefix}places", "float32", places, "what attention finds at each of the last steps"))
    return ports


def asked(options: NetworkOptions, vocabulary_size: int, told: int) -> list[Port]:
    """The inputs besides the state.

    Args:
        options: the network's shape.
        vocabulary_size: how many tokens there are.
        told: how many things the network is told of a melody beforehand.
    """
    doc = (
        f"tokens, 0 to {vocabulary_size - 1}; a melody begins with {vocabulary_size}, once, with a state of zeros. "
        "One a call to compose, or many at once"
    )
    ports = [Port("tokens", "int64", ("melodies", "steps"), doc)]
    if options.input == "paper":
        return ports
    if options.bar_position or options.look_back:
        ports.append(
            Port(
                "steps_per_bar", "int64", ("melodies",), f"steps in a bar, 1 to {LONGEST_BAR}; 16 is 4/4 in sixteenths"
            )
        )
    if options.bar_position:
        ports.append(Port("pickup", "int64", ("melodies",), "steps before the first barline; 0 for none"))
    if told:
        ports.append(
            Port("told", "int64", ("melodies", told), "what is known beforehand, by number; 0 for what is not")
        )
    return ports
