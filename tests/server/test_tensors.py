"""Tensors in all forms: JSON and binary data, every datatype, and what is refused."""

import json
import struct
from collections.abc import Callable

import numpy as np
import pytest

from modelwright_contract.features import FeatureContract, Input
from modelwright_server.feature_matrix import FeatureMatrix
from modelwright_server.infer import InferDecoder
from modelwright_server.predict import PredictDecoder
from modelwright_server.problems import Problem
from modelwright_server.v1 import V1Decoder

from .decoding import (
    ANSWERS,
    MIXED,
    NUMBERS,
    NUMERIC,
    binary_features,
    features,
    infer,
    infer_binary,
    request,
)


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "FP16", "INT8", "INT64", "UINT8", "UINT64"])
@pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]], ids=["flat", "nested"])
def test_every_datatype_of_numbers(datatype: str, data: object) -> None:
    assert infer(features(data, datatype=datatype)).matrix.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("datatype", "third"), [("FP64", 0.1), ("FP32", 0.10000000149011612), ("FP16", 0.0999755859375)]
)
def test_numbers_are_rounded_to_their_datatype(datatype: str, third: float) -> None:
    matrix = infer(features([1, 2, 0.1, None, 5, 6], datatype=datatype)).matrix
    assert matrix[0, 2] == third
    assert np.isnan(matrix[1, 0])


def test_parameters_that_are_not_known_are_ignored() -> None:
    work = infer(features([1, 2, 3, 4, 5, 6], parameters={"content_type": "np"}), parameters={"priority": 1})
    assert work.matrix.tolist()[1] == [4, 5, 6]


BAD_TENSORS = {
    "true": (features([1, 2, 3, 4, True, 6]), 'input "features", row 2, column "b": true is no FP64'),
    "false in a list": (features([[1, 2, 3], [4, 5, False]]), 'row 2, column "c": false is no FP64'),
    "text": (features([1, "2", 3, 4, 5, 6]), 'row 1, column "b": "2" is no FP64'),
    "an object": (features([1, {}, 3, 4, 5, 6]), 'row 1, column "b": {} is no FP64'),
    "data is an object": (features({}), '"data" must be a list'),
    "data is a text": (features("123456"), '"data" must be a list'),
    "no data": (features(None), '"data" must be a list'),
    "out of FP32": (features([1, 2, 3, 4, 5, -1e39], datatype="FP32"), 'column "c": -1e+39 is out of FP32\'s range'),
    "out of FP16": (features([1, 2, 70000, 4, 5, 6], datatype="FP16"), 'column "c": 70000 is out of FP16\'s range'),
    "out of INT8": (features([1, 2, 3, 4, 5, 128], datatype="INT8"), 'column "c": 128 is out of INT8\'s range'),
    "below UINT64": (features([1, 2, 3, 4, 5, -1], datatype="UINT64"), 'column "c": -1 is out of UINT64\'s range'),
    "a fraction": (features([1, 2, 3, 4, 5, 6.5], datatype="INT64"), 'column "c": 6.5 is no INT64'),
    "BOOL": (features([True] * 6, datatype="BOOL"), "datatype is BOOL, must be FP16 or FP32"),
    "another datatype": (features([1], datatype="FP8"), 'datatype is "FP8", must be one of BOOL, INT8'),
    "datatype is a list": (features([1], datatype=["FP64"]), "datatype is ['FP64'], must be one of"),
    "too few": (features([1, 2, 3]), "data has 3 values, shape [2, 3] asks for 6"),
    "too many": (features([1] * 7), "data has 7 values, shape [2, 3] asks for 6"),
    "too wide": (
        features([1] * 8, shape=[2, 4]),
        "shape is [2, 4], must be [rows, 3]; the model's features are a, b, c",
    ),
    "one dimension": (features([1] * 6, shape=[6]), "shape is [6], must be [rows, 3]"),
    "no dimension": (features([1] * 6, shape=[]), "must be a list of 1 to 8 whole numbers"),
    "nine dimensions": (features([1], shape=[1] * 9), "must be a list of 1 to 8 whole numbers"),
    "negative": (features([1] * 6, shape=[-2, -3]), "must be a list of 1 to 8 whole numbers"),
    "minus one": (features([1] * 6, shape=[-1, 3]), "must be a list of 1 to 8 whole numbers"),
    "a fractional shape": (features([1] * 6, shape=[2.0, 3]), "must be a list of 1 to 8 whole numbers"),
    "a fractional width": (features([1] * 6, shape=[2, 3.0]), "must be a list of 1 to 8 whole numbers"),
    "true as size": (features([1] * 3, shape=[True, 3]), "must be a list of 1 to 8 whole numbers"),
    "huge": (features([1] * 6, shape=[2**63, 2**63]), "data has 6 values, shape [9223372036854775808"),
    "overflowing to fit": (features([1] * 6, shape=[2**62, 4]), "data has 6 values"),
    "no rows": (features([], shape=[0, 3]), "the request has no rows"),
    "ragged": (features([[1, 2], [3, 4, 5, 6]]), "neither flat nor nested as its shape [2, 3] says"),
    "deeper than its shape": (features([[[1], 2, 3], [4, 5, 6]]), 'row 1, column "a": [1] is no FP64'),
    "flat and nested": (features([1, 2, 3, [4, 5, 6]]), "data has 4 values"),
    "not an object": ([], "inputs[0]: must be an object"),
    "no name": (features([1], name=""), "inputs[0].name: must be a text"),
    "no parameters": (features([1] * 6, parameters=[]), "parameters is [], must be an object"),
    "long name": (features([1], name="n" * 300), f'input "{"n" * 256}" is unknown'),
}


@pytest.mark.parametrize(("tensor", "sentence"), BAD_TENSORS.values(), ids=BAD_TENSORS.keys())
def test_bad_tensors(tensor: object, sentence: str) -> None:
    with pytest.raises(Problem) as problem:
        infer(tensor)
    assert sentence in problem.value.sentence
    assert problem.value.status == 422
    assert len(problem.value.sentence) < 600


@pytest.mark.parametrize(
    "decode",
    [
        lambda: infer(features([1] * 153, shape=[51, 3])),
        lambda: infer(features([[1, 2, 3]] * 51, shape=[51, 3])),
        lambda: PredictDecoder(NUMERIC, ANSWERS)(request([{"a": 1, "b": 1, "c": 1}] * 51)),
        lambda: PredictDecoder(NUMERIC, ANSWERS)(request(b"a,b,c\n" + b"1,2,3\n" * 51, content_type=b"text/csv")),
        lambda: V1Decoder(NUMERIC, ANSWERS)(request({"instances": [[1, 2, 3]] * 51})),
        lambda: infer(*({"name": n, "shape": [51], "datatype": "FP64", "data": [1] * 51} for n in NUMBERS)),
    ],
    ids=["flat", "nested", "predict", "csv", "v1", "columns"],
)
def test_too_many_rows(decode: Callable[[], object]) -> None:
    with pytest.raises(Problem, match=r"at most 50|more than 50") as problem:
        decode()
    assert problem.value.status == 413


@pytest.mark.parametrize("code", ["<f8", "<f4", "<f2", "i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8"])
def test_binary_numbers(code: str) -> None:
    dtype = np.dtype(code)
    name = {"f": "FP", "i": "INT", "u": "UINT"}[dtype.kind] + str(dtype.itemsize * 8)
    data = np.array([1, 2, 100], dtype=dtype).tobytes()
    assert infer_binary([binary_features(data, datatype=name)], data).matrix.tolist() == [[1, 2, 100]]


@pytest.mark.filterwarnings("error")
def test_signalling_not_a_number_is_missing() -> None:
    data = bytes.fromhex("010080 7f" * 3)
    assert np.isnan(infer_binary([binary_features(data, datatype="FP32")], data).matrix).all()


def test_json_and_binary_columns_mixed() -> None:
    matrix = FeatureMatrix(MIXED)
    words = b"".join(struct.pack("<I", len(word)) + word for word in ("Köln".encode(), b""))
    parts = {
        "city": ("BYTES", words),
        "height": ("FP32", np.array([0.5, np.nan], dtype="<f4").tobytes()),
        "rooms": [3, 4],
        "lift": ("BOOL", b"\x01\x00"),
        "built": ["2026-01-31", None],
        "area": ("UINT16", np.array([9, 65535], dtype="<u2").tobytes()),
        "unused": ("INT8", b"\x01\x02"),
    }
    inputs: list[dict[str, object]] = []
    for name, part in parts.items():
        if isinstance(part, list):
            datatype = "BYTES" if name == "built" else "INT64"
            inputs.append({"name": name, "shape": [2], "datatype": datatype, "data": part})
        else:
            parameters = {"binary_data_size": len(part[1])}
            inputs.append({"name": name, "shape": [2, 1], "datatype": part[0], "parameters": parameters})
    head = json.dumps({"inputs": inputs}).encode()
    body = head + b"".join(part[1] for part in parts.values() if isinstance(part, tuple))
    work = InferDecoder(matrix, ANSWERS)(request(body, inference_header_content_length=str(len(head)).encode()))
    rows = [
        {"city": "Köln", "height": 0.5, "rooms": 3, "lift": True, "built": "2026-01-31", "area": 9, "unused": 1},
        {"city": "", "height": None, "rooms": 4, "lift": False, "built": None, "area": 65535, "unused": 2},
    ]
    assert np.array_equal(work.matrix, matrix.of_rows(rows), equal_nan=True)


NUMBER = struct.pack("<3d", 1, 2, 3)
BAD_BINARY = {
    "too short for its shape": (
        binary_features(NUMBER, shape=[2, 3]),
        NUMBER,
        422,
        "there are 24 bytes of binary data",
    ),
    "longer than the body": (binary_features(NUMBER + b"x"), NUMBER, 400, "only 24 bytes are left"),
    "bytes left over": (binary_features(NUMBER), NUMBER + b"xy", 400, "2 bytes at the body's end"),
    "negative": (binary_features(NUMBER, parameters={"binary_data_size": -1}), NUMBER, 400, "is -1, must be"),
    "true": (binary_features(NUMBER, parameters={"binary_data_size": True}), NUMBER, 400, "is true, must be"),
    "huge": (binary_features(NUMBER, parameters={"binary_data_size": 2**64 - 1}), NUMBER, 400, "only 24 bytes"),
    "beside JSON": (binary_features(NUMBER, data=[1, 2, 3]), NUMBER, 422, "send one of them"),
    "shared memory": (binary_features(b"", parameters={"shared_memory_region": "x"}), b"", 501, "not supported"),
}


@pytest.mark.parametrize(("tensor", "data", "status", "sentence"), BAD_BINARY.values(), ids=BAD_BINARY.keys())
def test_bad_binary(tensor: dict[str, object], data: bytes, status: int, sentence: str) -> None:
    with pytest.raises(Problem) as problem:
        infer_binary([tensor], data)
    assert (problem.value.status, sentence in problem.value.sentence) == (status, True), problem.value.sentence


@pytest.mark.parametrize(
    ("data", "count", "status", "sentence"),
    [
        pytest.param(b"\x05\x00\x00\x00ab", 1, 400, "ends within the value", id="text too short"),
        pytest.param(b"\x01\x00\x00\x00a\x01\x00", 2, 400, "row 2: the binary data ends", id="length too short"),
        pytest.param(b"\x02\x00\x00\x00\xff\xfe", 1, 422, "row 1: the value is no UTF-8", id="no UTF-8"),
        pytest.param(b"\x01\x00\x00\x00a", 2, 422, "has 1 values, shape [2] asks for 2", id="too few"),
        pytest.param(b"\x00\x00\x00\x00" * 3, 2, 422, "has more than 2 values", id="too many"),
        pytest.param(b"\xff\xff\xff\xff", 2**62, 400, "ends within the value", id="huge"),
    ],
)
def test_bad_binary_texts(data: bytes, count: int, status: int, sentence: str) -> None:
    contract = FeatureContract((Input("city", "string"),), (), ("city",), None, {"city": ("Bonn",)})
    tensor = {"name": "city", "shape": [count], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    decode = InferDecoder(FeatureMatrix(contract), ANSWERS)
    with pytest.raises(Problem) as problem:
        decode(request(head + data, inference_header_content_length=str(len(head)).encode()))
    assert (problem.value.status, sentence in problem.value.sentence) == (status, True), problem.value.sentence


def test_bytes_that_are_no_booleans() -> None:
    contract = FeatureContract((Input("lift", "boolean"),), (), ("lift",), None, {})
    tensor = {"name": "lift", "shape": [3], "datatype": "BOOL", "parameters": {"binary_data_size": 3}}
    head = json.dumps({"inputs": [tensor]}).encode()
    decode = InferDecoder(FeatureMatrix(contract), ANSWERS)
    with pytest.raises(Problem, match='input "lift", row 2: 2 is no BOOL; send the byte 0 or 1'):
        decode(request(head + b"\x00\x02\x01", inference_header_content_length=str(len(head)).encode()))


@pytest.mark.parametrize("length", [b"", b"-1", b"x", b"1e3", b"999", b"9" * 5000, "٣".encode()])
def test_header_lengths_that_are_none(length: bytes) -> None:
    with pytest.raises(Problem, match="Inference-Header-Content-Length is ") as problem:
        InferDecoder(NUMERIC, ANSWERS)(request(b"{}", inference_header_content_length=length))
    assert problem.value.status == 400
    assert len(problem.value.sentence) < 200


def test_binary_data_without_its_header() -> None:
    with pytest.raises(Problem, match="needs the header Inference-Header-Content-Length"):
        infer(binary_features(b""))
