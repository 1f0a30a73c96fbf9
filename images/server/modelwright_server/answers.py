"""Predictions as JSON: tensors of the Open Inference Protocol v2, or one plain object a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson

from modelwright_contract.vectors import quoted
from modelwright_server.predictor import Class, Prediction
from modelwright_server.problems import Problem

OutputTensor = dict[str, object]


class Answers:
    """Encodes the predictions of one model."""

    def __init__(self, name: str, version: str, outputs: dict[str, str], classes: Sequence[Class]) -> None:
        """`outputs` maps each output's name to its datatype, in the order of the model's signature."""
        self._head: dict[str, object] = {"model_name": name, "model_version": version}
        self._outputs = outputs
        self._classes = list(classes)
        self._class_names = [_class_name(value) for value in classes]

    def requested(self, document: object) -> list[str]:
        """The names of the outputs that a request asks for: all when it names none. Raises Problem."""
        if document is None or document == []:
            return list(self._outputs)
        if not isinstance(document, list):
            raise Problem('outputs: must be a list of objects such as {"name": "label"}')
        names = []
        for position, item in enumerate(document):
            name = item.get("name") if isinstance(item, dict) else None
            if name not in self._outputs:
                known = ", ".join(self._outputs)
                raise Problem(f"outputs[{position}].name: {quoted(name)} is no output of this model; it has {known}")
            names.append(name)
        return list(dict.fromkeys(names))

    def tensors(self, prediction: Prediction, names: Sequence[str], request_id: str | None) -> bytes:
        """The body of an infer answer. NaN becomes null."""
        document = dict(self._head)
        if request_id is not None:
            document["id"] = request_id
        document["outputs"] = [self._tensor(name, prediction) for name in names]
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)

    def objects(self, prediction: Prediction) -> bytes:
        """The body of a predict answer: one object a row, in the order of the request. NaN becomes null."""
        predictions: list[dict[str, object]]
        if prediction.labels is None:
            values = [] if prediction.values is None else prediction.values.tolist()
            predictions = [{"prediction": value} for value in values]
        else:
            classes, names = self._classes, self._class_names
            predictions = [{"label": classes[index]} for index in prediction.labels.tolist()]
            if prediction.probabilities is not None:
                for row, probabilities in zip(predictions, prediction.probabilities.tolist(), strict=True):
                    row["probabilities"] = dict(zip(names, probabilities, strict=True))
        return orjson.dumps({**self._head, "predictions": predictions})

    def _tensor(self, name: str, prediction: Prediction) -> OutputTensor:
        datatype = self._outputs[name]
        match name:
            case "label":
                labels = np.empty(0, dtype=np.intp) if prediction.labels is None else prediction.labels
                data = [self._classes[index] for index in labels.tolist()]
                return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}
            case "probability":
                values = np.empty((0, 0)) if prediction.probabilities is None else prediction.probabilities
            case _:
                values = np.empty(0) if prediction.values is None else prediction.values
        return {"name": name, "datatype": datatype, "shape": list(values.shape), "data": values.reshape(-1)}


def _class_name(value: Class) -> str:
    return ("True" if value else "False") if isinstance(value, bool) else str(value)
