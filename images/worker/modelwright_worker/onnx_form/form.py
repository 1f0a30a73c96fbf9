"""A model's ONNX form, or the reason why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelwright_worker.onnx_form.convert import convert
from modelwright_worker.onnx_form.graph import Matrix, NotConvertible
from modelwright_worker.onnx_form.proof import Difference, Proof, prove
from modelwright_worker.onnx_form.trees import Fitted


@dataclass(frozen=True, slots=True)
class OnnxForm:
    """A file that answers as its model does, and what was compared."""

    content: bytes
    proof: Proof


@dataclass(frozen=True, slots=True)
class NoForm:
    """Why the model is served by scikit-learn, in one sentence."""

    reason: str


def attempt(estimator: Fitted, classes: Sequence[object], rows: Matrix) -> OnnxForm | NoForm:
    """Convert a fitted model and prove it on `rows` (test rows as a feature matrix).

    `classes` are the manifest's, none for a regression. Raises nothing that a model or its rows could cause.
    """
    if np.asarray(getattr(estimator, "classes_", ())).tolist() != list(classes):
        return NoForm("the model has other classes than its manifest")
    try:
        content = convert(estimator)
        outcome = prove(estimator, content, rows)
    except NotConvertible as reason:
        return NoForm(str(reason))
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        return NoForm(f"the conversion failed: {type(error).__name__}: {error}")
    if isinstance(outcome, Difference):
        return NoForm(f"the ONNX form differs from scikit-learn: {outcome.sentence}")
    return OnnxForm(content, outcome)
