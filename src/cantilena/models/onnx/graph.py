"""Building an ONNX graph operation by operation, and its inputs, outputs and state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from cantilena.models.network.features import BAR_POSITIONS, MAX_RUN
from cantilena.models.network.note_features import NoteFeatures
from cantilena.models.network.options import NetworkOptions

OPSET = 17
"""The operator set of 2022, which phones and browsers support."""

IR_VERSION = 8
"""The file format of that operator set."""

MAX_STEPS_PER_BAR = BAR_POSITIONS
"""Steps of the longest bar: 4/4 in the finest grid, 24 steps a quarter note."""

TO_THE_END = 2**31 - 1
"""The end of a slice."""

_TYPES = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT}

Value = str
"""The name of a tensor in the graph."""


class Nodes:
    """Operations in order of computation, and the constants that they read.

    Names are numbered, so that the same calls give the same graph, byte for byte.

    Args:
        outer: the graph around this one, as of the body of a `Scan`; its values can be read here, too.

    Examples:
        >>> nodes = Nodes()
        >>> doubled = nodes.add("Mul", "x", nodes.constant(2.0))
        >>> nodes.operators
        ['Mul']
    """

    def __init__(self, outer: Nodes | None = None) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Value] = {} if outer is None else outer._constants
        self._arrays: dict[Value, NDArray[Any]] = {} if outer is None else outer._arrays
        self._count: list[int] = [0] if outer is None else outer._count

    @property
    def operators(self) -> list[str]:
        """The operators so far."""
        return [node.op_type for node in self._nodes]

    def add(self, operator: str, *inputs: Value, **attributes: Any) -> Value:  # noqa: ANN401  (what ONNX takes)
        """Add an operation with one output; returns the output's name."""
        return self.add_many(operator, inputs, 1, **attributes)[0]

    def add_many(
        self,
        operator: str,
        inputs: Sequence[Value],
        outputs: int,
        **attributes: Any,  # noqa: ANN401
    ) -> list[Value]:
        """Add an operation with several outputs; returns their names."""
        self._count[0] += 1
        names = [f"{operator}_{self._count[0]}" + (f"_{number}" if number else "") for number in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, name=names[0], **attributes))
        return names

    def output(self, value: Value, name: str) -> None:
        """Give a value the name of an output."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))

    def constant(self, value: float | Sequence[int] | NDArray[Any]) -> Value:
        """A constant, int64 or float32; equal ones are stored once."""
        array = np.asarray(value)
        array = np.ascontiguousarray(array, dtype=np.int64 if array.dtype.kind in "iu" else np.float32)
        key = (array.dtype.name, np.shape(value), array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"number_{len(self._constants) + 1}"
            self._arrays[self._constants[key]] = array.reshape(np.shape(value))
        return self._constants[key]

    def weight(self, name: str, array: NDArray[np.floating]) -> Value:
        """A weight under its own name, as float32."""
        self._arrays[name] = np.ascontiguousarray(array, dtype=np.float32)
        return name

    def slice(self, value: Value, first: int, last: int, axis: int) -> Value:
        """`value[first:last]` along an axis."""
        return self.add("Slice", value, *(self.constant([bound]) for bound in (first, last, axis)))

    def reshape(self, value: Value, *shape: int) -> Value:
        """The value in another shape; 0 keeps a length, -1 infers it."""
        return self.add("Reshape", value, self.constant(list(shape)))

    def transpose(self, value: Value, *axes: int) -> Value:
        """The value with its axes in another order."""
        return self.add("Transpose", value, perm=list(axes))

    def unsqueeze(self, value: Value, axis: int) -> Value:
        """The value with a new axis of length 1."""
        return self.add("Unsqueeze", value, self.constant([axis]))

    def graph(self, name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]) -> GraphProto:
        """The graph so far, without constants."""
        return helper.make_graph(self._nodes, name, list(inputs), list(outputs))

    def model(self, name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]) -> ModelProto:
        """The graph with its constants as a model."""
        graph = self.graph(name, inputs, outputs)
        graph.initializer.extend(numpy_helper.from_array(array, each) for each, array in self._arrays.items())
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


@dataclass(frozen=True, slots=True)
class Port:
    """An input of a graph, or a part of its state, which is an output too.

    Args:
        name: of the tensor.
        dtype: `int64` or `float32`.
        shape: lengths; a name is a length that the caller chooses.
        doc: what it means, for users of the file.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    doc: str = ""

    def info(self) -> ValueInfoProto:
        """The description of the tensor in the graph."""
        return helper.make_tensor_value_info(self.name, _TYPES[self.dtype], list(self.shape), self.doc)

    def next(self) -> Port:
        """The output that is the next value of this part of the state."""
        return Port(self.name.replace("state_", "next_", 1), self.dtype, self.shape, self.doc)


def input_ports(options: NetworkOptions, vocabulary_size: int) -> list[Port]:
    """The inputs besides the state."""
    if options.durations:
        return _note_ports(options, vocabulary_size)
    doc = (
        f"tokens, 0 to {vocabulary_size - 1}; a melody begins with {vocabulary_size}, once, with a state of zeros. "
        "One a call to compose, or many at once"
    )
    ports = [Port("tokens", "int64", ("melodies", "steps"), doc)]
    if options.input == "paper":
        return ports
    if options.bar_position or options.look_back:
        doc = f"steps in a bar, 1 to {MAX_STEPS_PER_BAR}; 16 is 4/4 in sixteenths"
        ports.append(Port("steps_per_bar", "int64", ("melodies",), doc))
    if options.bar_position:
        ports.append(Port("pickup", "int64", ("melodies",), "steps before the first barline; 0 for none"))
    if options.conditions:
        doc = "ids of the conditions, such as key and style; 0 for unknown"
        ports.append(Port("told", "int64", ("melodies", len(options.conditions)), doc))
    return ports


def _note_ports(options: NetworkOptions, vocabulary_size: int) -> list[Port]:
    features = NoteFeatures(options, vocabulary_size)
    docs = {
        "rows": ("rows of the table that the cells read before each note; `columns` names them", features.columns),
        "parts": ("rows of the table that the head reads before each token; `part_columns`", features.part_columns),
        "bounds": ("the first token that may come next, and the one after the last", 2),
    }
    ports = [Port(name, "int64", ("melodies", size), doc) for name, (doc, size) in docs.items()]
    doc = "1 if the token that is asked for is the first of a note, its duration; else 0, and the state stays"
    return [*ports, Port("begins", "int64", ("melodies",), doc)]


def history_ports(options: NetworkOptions) -> list[Port]:
    """The parts of the state that do not depend on weights: position and earlier tokens."""
    ports: list[Port] = []
    if options.durations:  # its features are computed outside the graph
        return ports
    if options.input == "features" and options.bar_position:
        ports.append(Port("state_clock", "int64", ("melodies",), "number of tokens given before"))
    if kept := history_steps(options):
        doc = "the last tokens, each plus one; 0 is before the beginning"
        ports.append(Port("state_heard", "int64", ("melodies", kept), doc))
    if needs_matches(options):
        doc = "length of the match of what lies before each of the last tokens with the end of the melody"
        ports.append(Port("state_matches", "int64", ("melodies", options.max_context), doc))
    return ports


def network_ports(options: NetworkOptions, prefix: str = "") -> list[Port]:
    """The parts of the state that a network computes; `prefix` tells two networks of one graph apart."""
    if options.input == "paper":  # each window starts from zeros
        return []
    shape = ("melodies", options.layers, options.width)
    ports = [Port(f"state_{prefix}h", "float32", shape, "hidden state of each layer")]
    if options.core == "lstm":
        ports.append(Port(f"state_{prefix}c", "float32", shape, "cell state of each layer"))
    if options.attention:
        places = ("melodies", options.max_context, 2 * options.attention)
        ports.append(Port(f"state_{prefix}places", "float32", places, "keys and values of attention"))
    return ports


def history_steps(options: NetworkOptions) -> int:
    """Number of earlier tokens that a graph keeps.

    Examples:
        >>> history_steps(NetworkOptions(look_back=(1, 2))), history_steps(NetworkOptions(look_back=()))
        (207, 0)
    """
    if options.input == "paper":
        return options.window
    bars = max(options.look_back, default=0)
    look_back = bars * MAX_STEPS_PER_BAR + MAX_RUN if bars else 0
    return max(look_back, options.max_context if needs_matches(options) else 0)


def needs_matches(options: NetworkOptions) -> bool:
    """Whether a network reads matches of the end of the melody with earlier parts."""
    return bool(options.repeat_features) or options.attends


def feature_names(options: NetworkOptions) -> list[str]:
    """Descriptions of the columns of features, the conditions last.

    Examples:
        >>> feature_names(NetworkOptions(bar_position=False, look_back=(1,)))
        ['token before', 'token 1 bar ago', 'steps on end like 1 bar ago']
    """
    if options.input == "paper":
        return [f"the last {options.window} tokens, each divided by the size of the vocabulary"]
    if options.durations:
        return _note_feature_names(options)
    names = ["token before"]
    names += ["place in the bar", "steps in the bar, less one"] if options.bar_position else []
    for bars in options.look_back:
        ago = _bars_ago(bars)
        names += [f"token {ago}", f"steps on end like {ago}"]
    names += [f"token after match {number}" for number in range(1, options.repeat_features + 1)]
    names += [f"kind of match {number}, by its length" for number in range(1, options.repeat_features + 1)]
    return [*names, *options.conditions]


def part_names(options: NetworkOptions) -> list[str]:
    """Descriptions of the columns that the head of a network of notes reads; none of other networks."""
    if not options.durations:
        return []
    names = ["token before", "place in the bar where the note ends", "the same in the quarter note"]
    names += ["time left when it ends", "whether it ends with the melody"]
    names += [f"whether it ends like {_bars_ago(bars)}" for bars in options.look_back]
    names.append("whether it has the duration after the longest match")
    names += ["whether it ends like the bar that returns"] * options.plan
    return [*names, *["chord where it ends"] * options.harmony]


def _note_feature_names(options: NetworkOptions) -> list[str]:
    names = ["token before", "pitch that sounds"]
    names += [f"{kind} {number} before" for kind in ("interval", "duration") for number in (1, 2, 3)]
    names += ["place in the bar", "place in the quarter note", "ticks in the bar, less one", "number of the bar"]
    names += ["number of the bar modulo 8", "bars left", "time left", "time since a long note or a rest"]
    names += ["semitones above the lowest note", "semitones below the highest note"]
    for ago in map(_bars_ago, options.look_back):
        names += [f"pitch {ago}", f"time to the next onset {ago}", f"interval that followed {ago}"]
        names += [f"notes on end like {ago}", f"rhythm on end like {ago}"]
    for kind, followed in (
        ("notes", ("duration", "interval")),
        ("rhythm", ("duration",)),
        ("intervals", ("interval",)),
    ):
        names += [f"longest match of {kind}, by its length", *(f"{what} after it" for what in followed)]
    if options.plan:
        names += ["how the bar returns", "bars back to what returns", "bars left of the phrase", "cadence to come"]
        names += [f"{what} in what returns" for what in ("pitch", "time to the next onset", "interval that followed")]
        names.append("whether the last note was as in what returns")
    names += ["chord", "bass of the chord", "next chord", "time to the next chord"] * options.harmony
    return [*names, *options.conditions]


def _bars_ago(bars: int) -> str:
    return f"{bars} bar{'s' if bars > 1 else ''} ago"
