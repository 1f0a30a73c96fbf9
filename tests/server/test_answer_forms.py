"""In which form requests may come, and answers go."""

import json

import numpy as np
import orjson
import pytest

from modelwright_contract.manifests import TensorSpec
from modelwright_server.answers import Answers, Wanted
from modelwright_server.infer import InferDecoder
from modelwright_server.predict import PredictDecoder
from modelwright_server.prediction import Prediction
from modelwright_server.problems import Problem
from modelwright_server.v1 import V1Decoder

from .decoding import (
    ANSWERS,
    CLASSES,
    NUMERIC,
    PREDICTION,
    features,
    infer,
    request,
)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="none"),
        pytest.param({"content_type": b"application/json"}, 200, id="JSON"),
        pytest.param({"content_type": b"Application/JSON ; charset=utf-8"}, 200, id="JSON with a charset"),
        pytest.param({"content_type": b"application/x-www-form-urlencoded"}, 200, id="curl -d"),
        pytest.param({"content_encoding": b"identity"}, 200, id="not compressed"),
        pytest.param({"content_type": b"application/xml"}, 415, id="XML"),
        pytest.param({"content_type": b""}, 415, id="empty"),
        pytest.param({"content_encoding": b"gzip"}, 415, id="gzip"),
    ],
)
def test_media_types(headers: dict[str, bytes], status: int) -> None:
    bodies = {
        InferDecoder: {"inputs": [features([1, 2, 3, 4, 5, 6])]},
        PredictDecoder: [{"a": 1, "b": 2, "c": 3}],
        V1Decoder: {"instances": [[1, 2, 3]]},
    }
    for decoder, body in bodies.items():
        decode = decoder(NUMERIC, ANSWERS)
        if status == 200:
            assert decode(request(body, **headers)).rows
        else:
            with pytest.raises(Problem) as problem:
                decode(request(body, **headers))
            assert problem.value.status == status


def test_numbers_that_are_none_are_null_in_json() -> None:
    rows = json.loads(ANSWERS.objects(PREDICTION).body)["predictions"]
    assert rows == [
        {"label": CLASSES[2], "probabilities": dict(zip(CLASSES, [0.25, 0.25, 0.5], strict=True))},
        {"label": CLASSES[0], "probabilities": dict(zip(CLASSES, [1.0, None, None], strict=True))},
    ]
    tensors = json.loads(ANSWERS.tensors(PREDICTION, [Wanted("probability")], None).body)
    assert tensors["outputs"][0]["data"] == [0.25, 0.25, 0.5, 1.0, None, None]


@pytest.mark.parametrize("row", [0, 1])
def test_one_row_is_answered_like_many(row: int) -> None:
    one = PREDICTION.part(row, row + 1)
    in_general = ANSWERS.tensors(one, [Wanted("label"), Wanted("probability")], None)
    assert ANSWERS.all_tensors(one) == in_general
    assert json.loads(in_general.body)["outputs"][0]["data"] == [CLASSES[int(PREDICTION.labels[row])]]  # type: ignore[index]


def test_models_without_probabilities_and_without_classes() -> None:
    labels = Answers("m", "v1", (TensorSpec("label", "INT64", (-1,)),), (3, 5))
    some = Prediction(np.array([1]), np.array([[0.5, 0.5]]))
    assert json.loads(labels.all_tensors(some).body)["outputs"] == [
        {"name": "label", "datatype": "INT64", "shape": [1], "data": [5]}
    ]
    assert json.loads(labels.objects(some).body)["predictions"] == [{"label": 5}]
    assert labels.values(some).body == b'{"predictions":[5]}'
    values = Answers("m", "v1", (TensorSpec("prediction", "FP64", (-1,)),), ())
    numbers = Prediction(values=np.array([1.5, np.nan]))
    assert json.loads(values.objects(numbers).body)["predictions"] == [{"prediction": 1.5}, {"prediction": None}]
    assert values.values(numbers).body == b'{"predictions":[1.5,null]}'
    assert json.loads(values.all_tensors(numbers).body)["outputs"][0]["shape"] == [2]


def test_the_form_that_a_request_asks_for() -> None:
    tensor = features([1, 2, 3, 4, 5, 6])
    plain = infer(tensor).encode(PREDICTION)
    assert [output["name"] for output in json.loads(plain.body)["outputs"]] == ["label", "probability"]
    assert (plain.rows, plain.content_type) == (2, b"application/json")
    named = json.loads(infer(tensor, id="ü 1", outputs=[{"name": "probability"}]).encode(PREDICTION).body)
    assert named["id"] == "ü 1"
    assert [output["name"] for output in named["outputs"]] == ["probability"]
    outputs = [{"name": "probability", "parameters": {"binary_data": True}}, {"name": "label"}]
    mixed = infer(tensor, outputs=outputs).encode(PREDICTION)
    length = int(dict(mixed.headers)[b"inference-header-content-length"])
    document = orjson.loads(mixed.body[:length])
    assert document["outputs"] == [
        {"name": "probability", "datatype": "FP64", "shape": [2, 3], "parameters": {"binary_data_size": 48}},
        {"name": "label", "datatype": "BYTES", "shape": [2], "data": [CLASSES[2], CLASSES[0]]},
    ]
    assert np.frombuffer(mixed.body[length:]).tolist()[:3] == [0.25, 0.25, 0.5]
    everything = infer(tensor, parameters={"binary_data_output": True}, outputs=[]).encode(PREDICTION)
    assert everything.content_type == b"application/octet-stream"
    assert everything.body.endswith(np.array([0.25, 0.25, 0.5, 1, np.nan, np.inf]).tobytes())


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        pytest.param({"outputs": [{"name": "odds"}]}, '"odds" is no output of this model', id="unknown"),
        pytest.param({"outputs": [{"name": ["label"]}]}, "is no output of this model", id="name is a list"),
        pytest.param({"outputs": [{"name": "label"}] * 2}, 'outputs[1].name: "label" is there twice', id="twice"),
        pytest.param({"outputs": {"name": "label"}}, "outputs: must be a list", id="no list"),
        pytest.param(
            {"outputs": [{"name": "label", "parameters": {"binary_data": 1}}]}, "binary_data is 1, must be", id="flag"
        ),
        pytest.param({"parameters": {"binary_data_output": "yes"}}, "binary_data_output is", id="default"),
        pytest.param({"parameters": 5}, "parameters is 5, must be an object", id="parameters"),
        pytest.param({"id": 5}, "id: 5 is no text", id="id"),
    ],
)
def test_wrong_wishes(parts: dict[str, object], sentence: str) -> None:
    with pytest.raises(Problem) as problem:
        infer(features([1, 2, 3, 4, 5, 6]), **parts)
    assert sentence in problem.value.sentence
    assert problem.value.status == 422
