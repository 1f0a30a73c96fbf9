"""The golden rows: a few test rows and the answers they got where the model was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from modelwright_contract.canonical import Json
from modelwright_server.prediction import Class, Prediction
from modelwright_server.problems import ModelUnusable

RELATIVE_TOLERANCE = 1e-9
"""Another processor may round the last bits of a sum or an exponential differently; a wrong model is further off."""

_SHARE_AT_ZERO = 1e-3
"""Of the tolerance: how far an answer near 0 may be off absolutely."""


@dataclass(frozen=True, slots=True)
class GoldenRows:
    """Raw rows by column name, their expected outputs by name, and how far, relatively, numbers may be off."""

    rows: Sequence[Mapping[str, Json]]
    outputs: Mapping[str, Sequence[object]]
    tolerance: float = RELATIVE_TOLERANCE


def parse_golden(content: bytes) -> GoldenRows:
    """Read `golden.json`: `{"rows": [{column: value}], "outputs": {name: […]}}`. Raises ModelUnusable."""
    try:
        document: object = orjson.loads(content)
    except orjson.JSONDecodeError as problem:
        raise ModelUnusable(f"golden.json is no JSON: {problem}") from problem
    rows = document.get("rows") if isinstance(document, dict) else None
    outputs = document.get("outputs") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not rows or not isinstance(outputs, dict) or not outputs:
        raise ModelUnusable('golden.json has no rows to check; it must hold {"rows": [{…}], "outputs": {…}}')
    for name, values in outputs.items():
        if not isinstance(values, list) or len(values) != len(rows):
            raise ModelUnusable(f"golden.json: outputs.{name} must have one entry for each of the {len(rows)} rows")
    if not all(isinstance(row, dict) for row in rows):
        raise ModelUnusable("golden.json: each row must be an object by column name")
    return GoldenRows(rows, outputs)


def disagreement(golden: GoldenRows, prediction: Prediction, classes: Sequence[Class]) -> str | None:
    """The first difference between the expected outputs and `prediction`, as a sentence; None when there is none."""
    for name, expected in golden.outputs.items():
        match name:
            case "label" if prediction.labels is not None:
                labels = [classes[index] for index in prediction.labels.tolist()]
                for row, (want, got) in enumerate(zip(expected, labels, strict=True), 1):
                    if want != got:
                        return f"golden row {row}: the label is {got!r}, it was {want!r} after training"
            case "probability" if prediction.probabilities is not None:
                if (sentence := _difference(name, expected, prediction.probabilities, golden.tolerance)) is not None:
                    return sentence
            case "prediction" if prediction.values is not None:
                if (sentence := _difference(name, expected, prediction.values, golden.tolerance)) is not None:
                    return sentence
            case _:
                return f'golden.json expects the output "{name}", which this model does not give'
    return None


def _difference(name: str, expected: Sequence[object], got: NDArray[np.float64], tolerance: float) -> str | None:
    try:
        want = np.array(expected, dtype=np.float64)
    except (TypeError, ValueError):
        return f"golden.json: outputs.{name} holds something that is no number"
    if want.shape != got.shape:
        return f"the golden rows' {name} has shape {list(got.shape)}, it had {list(want.shape)} after training"
    close = np.isclose(got, want, rtol=tolerance, atol=tolerance * _SHARE_AT_ZERO, equal_nan=True)
    if close.all():
        return None
    at = tuple(np.argwhere(~close)[0])
    return f"golden row {at[0] + 1}: the {name} is {float(got[at])!r}, it was {float(want[at])!r} after training"
