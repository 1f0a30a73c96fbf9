"""A model's ONNX form behind the typed call; imported only where there is one, in place of scikit-learn.

Where the bytes come from is not trusted: `modelwright_contract.onnx_session` reads and judges them before ONNX Runtime
sees them. No library of custom operations is registered, no file but this one is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelwright_contract.onnx_file import OnnxError
from modelwright_contract.onnx_session import OnnxModel, RowsNotTaken
from modelwright_server.prediction import Class, Matrix, Prediction, Task
from modelwright_server.problems import ModelUnusable, Problem


class OnnxPredictor:
    """One ONNX form; implements `prediction.Predictor`. Several threads, and forked processes, may predict at once."""

    platform = "modelwright_onnxruntime"

    def __init__(self, content: bytes, task: Task, classes: Sequence[Class], features: int) -> None:
        """`features` is the number of columns of a matrix. Raises ModelUnusable."""
        self.task: Task = task
        self.classes: tuple[Class, ...] = tuple(classes)
        try:
            self._model = OnnxModel(content, features, len(self.classes))
        except OnnxError as problem:
            raise ModelUnusable(str(problem)) from problem

    def bind(self, rows: Matrix) -> None:
        """Nothing is to be prepared."""

    def settle_in_thread(self) -> None:
        """Nothing is a thread's own."""

    def predict(self, matrix: Matrix) -> Prediction:
        """Predict n rows. Raises Problem when the model takes no missing or no huge values and there are some."""
        try:
            return Prediction(*self._model.answer(matrix))
        except RowsNotTaken as refusal:
            raise Problem(str(refusal)) from refusal
