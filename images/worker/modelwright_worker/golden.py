"""Golden rows: a few raw rows of the test split and what the model said, for every place that loads it to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from modelwright_contract.canonical import Json, canonical_bytes
from modelwright_contract.features import FeatureContract, Input
from modelwright_contract.vectors import EPOCH, Vector
from modelwright_worker.fitting import Answers, Model, ask
from modelwright_worker.labels import Classes

MAX_ROWS = 32


def golden_document(
    model: Model, contract: FeatureContract, columns: Mapping[str, Vector], classes: Classes | None
) -> tuple[bytes, Answers]:
    """golden.json: `{"rows": [{column: value}], "outputs": {…}}`, asked the way a server asks, from raw values."""
    raw = {item.name: _raw(columns[item.name]) for item in contract.inputs}
    answers = ask(model, contract.matrix(raw), classes)
    outputs: dict[str, Json] = {}
    if classes is None:
        outputs["prediction"] = answers.predicted.tolist()
    else:
        outputs["label"] = answers.predicted.tolist()
        if answers.probability is not None:
            outputs["probability"] = answers.probability.tolist()
    return canonical_bytes({"rows": _rows(contract.inputs, raw), "outputs": outputs}), answers


def _rows(inputs: Sequence[Input], columns: Mapping[str, Sequence[Json]]) -> list[Json]:
    names = [item.name for item in inputs]
    return [dict(zip(names, values, strict=True)) for values in zip(*(columns[name] for name in names), strict=True)]


def _raw(column: Vector) -> list[Json]:
    missing = None if column.missing is None else column.missing[:MAX_ROWS]
    values = Vector(column.type, column.values[:MAX_ROWS], missing).to_list()
    if column.type != "timestamp":
        return list(values)
    return [None if value is None else _moment(int(value)) for value in values]


def _moment(microseconds: int) -> str:
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")
