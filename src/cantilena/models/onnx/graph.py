"""An ONNX graph as it grows: each operation is one call that gives the name of what it computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

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
