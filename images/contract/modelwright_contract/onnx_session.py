"""A model's ONNX form in ONNX Runtime: the one way it is run, where it is proven and where it is served.

The bytes are hostile until they are read and judged (onnx_file.py, onnx_bounds.py): ONNX Runtime sees known operations
with sound node numbers only, and never the name of another file. One thread sums the trees in their order, as
scikit-learn does, and starts no pool: a session that is made before a fork works after it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.onnx_bounds import check_graph
from modelwright_contract.onnx_file import OnnxError, read_graph

Matrix: TypeAlias = NDArray[np.float64]
ROWS_INPUT = "features"
LABEL, PROBABILITY, VALUE = "label", "probability", "prediction"

LARGEST_FLOAT32 = float(np.nextafter(2.0**128 - 2.0**103, 0.0))
"""The greatest number that float32 doesn't round to infinity."""

LARGEST_FLOAT64 = float(np.finfo(np.float64).max)

_MISSING, _LARGEST = "modelwright.missing", "modelwright.largest"
_NOTHING_BUT_FATAL = 4


@dataclass(frozen=True, slots=True)
class Taken:
    """Which rows a model takes: with missing values (NaN) or without, and numbers of at most which size."""

    missing: bool
    largest: float

    def to_texts(self) -> dict[str, str]:
        """As it stands in a file."""
        return {_MISSING: "yes" if self.missing else "no", _LARGEST: repr(self.largest)}

    @staticmethod
    def of_texts(texts: Mapping[str, str]) -> Taken:
        """From a file. Raises OnnxError."""
        largest = {repr(size): size for size in (LARGEST_FLOAT32, LARGEST_FLOAT64, math.inf)}.get(
            texts.get(_LARGEST, "")
        )
        if texts.get(_MISSING) not in ("yes", "no") or largest is None:
            raise OnnxError("the form does not say which rows it takes")
        return Taken(texts[_MISSING] == "yes", largest)

    def mask(self, rows: Matrix) -> NDArray[np.bool_]:
        """Whether each number is taken."""
        return (np.abs(rows) <= self.largest) | (np.isnan(rows) & self.missing)


class RowsNotTaken(ValueError):
    """Rows that the model does not take; the text is one sentence."""


class Answers(NamedTuple):
    """For n rows: `labels` are positions among the classes and `probabilities` [n, classes], or `values` [n]."""

    labels: NDArray[np.int64] | None
    probabilities: Matrix | None
    values: Matrix | None


class _Tensor(Protocol):
    name: str
    type: str
    shape: Sequence[int | str | None]


class _Session(Protocol):
    """What is used of ONNX Runtime's session, which has no types."""

    def get_inputs(self) -> Sequence[_Tensor]: ...

    def get_outputs(self) -> Sequence[_Tensor]: ...

    def run(self, outputs: Sequence[str], rows: Mapping[str, Matrix]) -> Sequence[Any]: ...


class OnnxModel:
    """One ONNX form, ready to answer. Several threads may ask at the same time."""

    def __init__(self, content: bytes, width: int, classes: int) -> None:
        """Read, judge and load a form for rows of `width` features; `classes` is 0 for a regression.

        Raises OnnxError.
        """
        graph = read_graph(content)
        check_graph(graph, width, max(1, classes))
        self.taken = Taken.of_texts(graph.texts)
        self._takes_all = self.taken == Taken(missing=True, largest=math.inf)
        # No number is missing or too large where the sum of squares is no greater; and that costs little to know.
        self._small = min(self.taken.largest, 1e150) ** 2
        self._session = _session(content)
        self._outputs = _checked_outputs(self._session, width, classes)
        # As many rows as there are neither classes nor features: an output of another shape shows.
        count = max(classes, width) + 1
        try:
            answers = self.answer(np.zeros((count, width)))
        except Exception as error:
            raise OnnxError(f"the form gives no answer: {_first_line(error)}") from error
        _check_answers(answers, count, classes)

    def answer(self, rows: Matrix) -> Answers:
        """Answer for n rows of a C-contiguous matrix. Raises RowsNotTaken."""
        if not self._takes_all and not np.vdot(rows, rows) <= self._small:
            self._require_taken(rows)
        outputs = self._session.run(self._outputs, {ROWS_INPUT: rows})
        if self._outputs[0] == VALUE:
            return Answers(None, None, outputs[0].reshape(-1))
        return Answers(outputs[0], outputs[1] if len(outputs) == 2 else None, None)

    def _require_taken(self, rows: Matrix) -> None:
        if self.taken.mask(rows).all():
            return
        if not self.taken.missing and np.isnan(rows).any():
            raise RowsNotTaken("the model takes no missing values, and the rows have some")
        raise RowsNotTaken("the model takes no numbers as large as some in the rows")


def _session(content: bytes) -> _Session:
    # Unless told otherwise before they are loaded, the official builds start a thread that sends their maker what they
    # are used for, models' names and digests too. A server makes no connection, and forks without threads.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # What is proven is what was written; and there is nothing to gain in these few operations.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Both keep memory for every size of batch that was ever seen.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = _NOTHING_BUT_FATAL
    try:
        session: _Session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:
        # Its exceptions have no other base.
        raise OnnxError(f"ONNX Runtime does not take the form: {_first_line(error)}") from error
    return session


def _checked_outputs(session: _Session, width: int, classes: int) -> list[str]:
    try:
        outputs = [tensor.name for tensor in session.get_outputs()]
        inputs = [(tensor.name, tensor.type, list(tensor.shape)[1:]) for tensor in session.get_inputs()]
    except UnicodeDecodeError:
        raise OnnxError("a name that is no UTF-8") from None
    if inputs != [(ROWS_INPUT, "tensor(double)", [width])]:
        raise OnnxError(f"the form takes other rows than {width} features in float64")
    if outputs not in (([LABEL], [LABEL, PROBABILITY]) if classes else ([VALUE],)):
        raise OnnxError(f"the form gives {', '.join(outputs)[:80]}")
    return outputs


def _check_answers(answers: Answers, count: int, classes: int) -> None:
    labels, probabilities, values = answers
    sound = values is not None and values.shape == (count,) and values.dtype == np.float64
    if labels is not None:
        sound = labels.shape == (count,) and labels.dtype == np.int64 and bool((labels < classes).all())
    if probabilities is not None:
        sound = sound and probabilities.shape == (count, classes) and probabilities.dtype == np.float64
    if not sound:
        raise OnnxError("the form's outputs have other shapes than the model's answers")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
