"""Writing an ONNX file whose bytes depend on the model alone, in the few kinds of parts that the server reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from modelwright_contract.onnx_session import ROWS_INPUT, Taken

# Versions of the formats are fixed, so that a newer library writes the same bytes.
_FILE_VERSION = 10
_OPERATORS = {"": 21, "ai.onnx.ml": 5}

Matrix: TypeAlias = NDArray[np.float64]


class NotConvertible(ValueError):
    """A model that has no ONNX form here; the text is one sentence."""


class GraphWriter:
    """Operations in the order in which they are added. Texts that it hands out are the names of their outputs."""

    def __init__(self) -> None:
        # Everything is added in place: a message that is put into another one is copied, and trees are large.
        self._model = ModelProto(ir_version=_FILE_VERSION)
        self._graph = self._model.graph
        self._graph.name = "model"
        self._names = 0

    @property
    def outputs(self) -> frozenset[str]:
        """The names of all operations' outputs."""
        return frozenset(name for node in self._graph.node for name in node.output)

    def constant(self, values: Matrix) -> str:
        """Float64 numbers."""
        name = self._name()
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=np.float64), name))
        return name

    def add(
        self,
        operator: str,
        *inputs: str,
        domain: str = "",
        output: str | None = None,
        **attributes: int | NDArray[np.generic],
    ) -> str:
        """One operation. Arrays of int64 become lists of integers, others tensors."""
        node = self._graph.node.add(op_type=operator, domain=domain)
        node.input.extend(inputs)
        node.output.append(output or self._name())
        for name, value in sorted(attributes.items()):
            _fill(node.attribute.add(name=name), value)
        return node.output[0]

    def file(self, width: int, outputs: Mapping[str, int], taken: Taken) -> bytes:
        """The file: rows of `width` features in, `outputs` out (element type by name)."""
        rows = helper.make_tensor_value_info(ROWS_INPUT, TensorProto.DOUBLE, ["rows", width])
        self._graph.input.append(rows)
        self._graph.output.extend(helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items())
        for domain, version in _OPERATORS.items():
            self._model.opset_import.add(domain=domain, version=version)
        for name, text in taken.to_texts().items():
            self._model.metadata_props.add(key=name, value=text)
        return self._model.SerializeToString(deterministic=True)

    def _name(self) -> str:
        self._names += 1
        return f"t{self._names}"


def _fill(attribute: AttributeProto, value: int | NDArray[np.generic]) -> None:
    if isinstance(value, int):
        attribute.type, attribute.i = AttributeProto.INT, value
    elif value.dtype == np.int64:
        attribute.type = AttributeProto.INTS
        attribute.ints.extend(value.tolist())
    else:
        attribute.type = AttributeProto.TENSOR
        attribute.t.CopyFrom(numpy_helper.from_array(value, attribute.name))
