"""Requests to decoders without a server: small models, and short ways to ask them."""

import json
from collections.abc import Sequence

import numpy as np

from modelwright_contract.features import FeatureContract, Input, Step
from modelwright_contract.manifests import TensorSpec
from modelwright_contract.parse import parse_expression
from modelwright_server.answers import Answers
from modelwright_server.feature_matrix import FeatureMatrix
from modelwright_server.http_message import Head, Request, Response
from modelwright_server.infer import InferDecoder
from modelwright_server.prediction import Prediction
from modelwright_server.work import Work

NUMBERS = ("a", "b", "c")
NUMERIC = FeatureMatrix(FeatureContract(tuple(Input(n, "number") for n in NUMBERS), (), NUMBERS, None, {}), max_rows=50)
OUTPUTS = (TensorSpec("label", "BYTES", (-1,)), TensorSpec("probability", "FP64", (-1, 3)))
CLASSES = ("no", "maybe", 'ja, 100 % "so"')
ANSWERS = Answers("m", "v1", OUTPUTS, CLASSES)
PREDICTION = Prediction(np.array([2, 0]), np.array([[0.25, 0.25, 0.5], [1.0, np.nan, np.inf]]))

MIXED = FeatureContract(
    inputs=(
        Input("city", "string"),
        Input("height", "number"),
        Input("rooms", "integer"),
        Input("lift", "boolean"),
        Input("built", "timestamp"),
        Input("area", "number"),
        Input("unused", "integer"),
    ),
    steps=(
        Step("per_room", "number", parse_expression("area / rooms")),
        Step("one", "integer", parse_expression("1 + 0 * rooms")),
    ),
    features=("lift", "city", "height", "per_room", "built", "rooms", "one"),
    target=None,
    categories={"city": ("Bonn", "Köln")},
)


def request(body: bytes | object, **headers: bytes) -> Request:
    """A POST; a body that isn't bytes is JSON."""
    fields = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request(Head("POST", "/", fields, keep_alive=True, http_1_0=False), content, b"id", 0.0)


def features(data: object, **parts: object) -> dict[str, object]:
    """The one tensor `features` of two rows."""
    return {"name": "features", "shape": [2, 3], "datatype": "FP64", "data": data, **parts}


def infer(*inputs: object, **parts: object) -> Work[Response]:
    """What a request as JSON is made into."""
    return InferDecoder(NUMERIC, ANSWERS)(request({"inputs": list(inputs), **parts}))


def infer_binary(inputs: Sequence[dict[str, object]], data: bytes, **parts: object) -> Work[Response]:
    """The same with binary data behind the JSON."""
    head = json.dumps({"inputs": inputs, **parts}).encode()
    length = str(len(head)).encode()
    return InferDecoder(NUMERIC, ANSWERS)(request(head + data, inference_header_content_length=length))


def binary_features(content: bytes, /, **parts: object) -> dict[str, object]:
    """The one tensor `features` of one row, its data elsewhere."""
    return {
        "name": "features",
        "shape": [1, 3],
        "datatype": "FP64",
        "parameters": {"binary_data_size": len(content)},
        **parts,
    }
