"""NVIDIA's own gRPC client, unmodified, against a server process."""

from collections.abc import Iterator, Sequence
from queue import SimpleQueue

import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from .model_directories import DATATYPES, INPUTS, ModelDirectory, Row
from .processes import TIMEOUT_S, Server

DTYPES = {"string": np.object_, "number": np.float64, "integer": np.int64, "boolean": np.bool_, "timestamp": np.object_}
NUMBERS = {
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}


@pytest.fixture(scope="module")
def client(grpc_server: Server) -> Iterator[InferenceServerClient]:
    """One client with a kept connection."""
    with InferenceServerClient(f"127.0.0.1:{grpc_server.grpc_port}") as connected:
        yield connected


@pytest.fixture(scope="module")
def whole(late: ModelDirectory) -> list[Row]:
    """Rows without missing texts, which raw contents can't express."""
    return [row for row in late.rows if row["carrier"] is not None][:20]


def columns(rows: Sequence[Row]) -> list[InferInput]:
    """One tensor a raw column."""
    inputs = []
    for column in INPUTS:
        values = [np.nan if row[column.name] is None else row[column.name] for row in rows]
        tensor = InferInput(column.name, [len(rows)], DATATYPES[column.type])
        inputs.append(tensor.set_data_from_numpy(np.array(values, dtype=DTYPES[column.type])))
    return inputs


def matrix_of(matrix: NDArray[np.float64], datatype: str = "FP64") -> list[InferInput]:
    """The model's own matrix."""
    return [InferInput("features", list(matrix.shape), datatype).set_data_from_numpy(matrix.astype(NUMBERS[datatype]))]


def probabilities(model: ModelDirectory, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    expected: NDArray[np.float64] = model.estimator.predict_proba(matrix)  # type: ignore[attr-defined]
    return expected


def test_health_and_metadata(client: InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("late")
    assert client.is_model_ready("late", "v7")
    assert not client.is_model_ready("late", "v8")
    assert not client.is_model_ready("early")
    assert client.get_server_metadata().name == "modelwright"
    metadata = client.get_model_metadata("late", "v7", as_json=True)
    assert metadata["versions"] == ["v7"]
    assert [tensor["name"] for tensor in metadata["inputs"]] == [column.name for column in INPUTS]
    assert metadata["outputs"][1] == {"name": "probability", "datatype": "FP64", "shape": ["-1", "2"]}
    with pytest.raises(
        InferenceServerException, match='there is no model "early"; this server has model "late"'
    ) as refusal:
        client.get_model_metadata("early")
    assert refusal.value.status() == "StatusCode.NOT_FOUND"


@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_columns(client: InferenceServerClient, late: ModelDirectory, whole: list[Row], packed: str | None) -> None:
    outputs = [InferRequestedOutput(name) for name in ("probability", "label")]
    answer = client.infer("late", columns(whole), outputs=outputs, request_id="a-1", compression_algorithm=packed)
    matrix = late.matrix(whole)
    assert answer.get_response().id == "a-1"
    assert [output.name for output in answer.get_response().outputs] == ["probability", "label"]
    assert answer.as_numpy("label").tolist() == late.estimator.predict(matrix).tolist()  # type: ignore[attr-defined]
    assert np.array_equal(answer.as_numpy("probability"), probabilities(late, matrix))


@pytest.mark.parametrize("datatype", NUMBERS)
def test_the_models_own_matrix(client: InferenceServerClient, late: ModelDirectory, datatype: str) -> None:
    whole = [row for row in late.rows if None not in row.values()][:50]
    matrix = (np.abs(late.matrix(whole)) % 100).astype(NUMBERS[datatype]).astype(np.float64)
    answer = client.infer("late", matrix_of(matrix, datatype), model_version="v7")
    assert np.array_equal(answer.as_numpy("probability"), probabilities(late, matrix))
    assert answer.as_numpy("label").dtype == np.bool_


def test_one_output(client: InferenceServerClient, late: ModelDirectory) -> None:
    matrix = late.matrix(late.rows[:3])
    answer = client.infer("late", matrix_of(matrix), outputs=[InferRequestedOutput("label")])
    assert answer.as_numpy("label").shape == (3,)
    assert answer.as_numpy("probability") is None


def test_texts_as_labels(band: ModelDirectory) -> None:
    matrix = band.matrix(band.rows[:9])
    with Server(band.path, grpc_port="0") as server, InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
        labels = client.infer("model", matrix_of(matrix)).as_numpy("label")
        assert [label.decode() for label in labels] == band.estimator.predict(matrix).tolist()  # type: ignore[attr-defined]
        with pytest.raises(InferenceServerException, match="no missing values") as refusal:
            client.infer("model", matrix_of(np.full((1, 5), np.nan)))
    assert refusal.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_a_regression(delay: ModelDirectory) -> None:
    matrix = delay.matrix(delay.rows[:9])
    with Server(delay.path, grpc_port="0") as server, InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
        values = client.infer("model", matrix_of(matrix)).as_numpy("prediction")
    assert np.array_equal(values, delay.estimator.predict(matrix))  # type: ignore[attr-defined]


def test_many_requests_at_once(client: InferenceServerClient, late: ModelDirectory) -> None:
    matrix = late.matrix(late.rows[:300])
    answers: SimpleQueue[tuple[InferResult, InferenceServerException | None]] = SimpleQueue()
    for number in range(300):
        rows = matrix_of(matrix[number : number + 1])
        client.async_infer("late", rows, lambda result, error: answers.put((result, error)), request_id=f"{number}")
    labels = late.estimator.predict(matrix).tolist()  # type: ignore[attr-defined]
    numbers = set()
    for _ in range(300):
        answer, error = answers.get(timeout=TIMEOUT_S)
        assert error is None
        number = int(answer.get_response().id)
        assert answer.as_numpy("label").tolist() == [labels[number]]
        numbers.add(number)
    assert numbers == set(range(300))


def test_many_rows(client: InferenceServerClient, late: ModelDirectory) -> None:
    matrix = np.resize(late.matrix(late.rows), (10_000, 5))
    answer = client.infer("late", matrix_of(matrix))
    assert np.array_equal(answer.as_numpy("probability"), probabilities(late, matrix))
    with pytest.raises(InferenceServerException, match="has 10001 rows, at most 10000 are taken") as refusal:
        client.infer("late", matrix_of(np.zeros((10_001, 5))))
    assert refusal.value.status() == "StatusCode.RESOURCE_EXHAUSTED"


def test_a_message_that_is_too_large(client: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="over the limit of 4194304 bytes") as refusal:
        client.infer("late", matrix_of(np.zeros((200_000, 5))))
    assert refusal.value.status() == "StatusCode.RESOURCE_EXHAUSTED"


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        pytest.param(matrix_of(np.zeros((2, 3))), r"must be \[rows, 5\]; the model's features are", id="width"),
        pytest.param(matrix_of(np.zeros((0, 5))), "the request has no rows", id="no rows"),
        pytest.param(matrix_of(np.zeros(5)), r"shape is \[5\], must be \[rows, 5\]", id="one dimension"),
        pytest.param(columns([])[:2], "is missing", id="missing columns"),
    ],
)
def test_errors_are_sentences(client: InferenceServerClient, inputs: list[InferInput], sentence: str) -> None:
    with pytest.raises(InferenceServerException, match=sentence) as refusal:
        client.infer("late", inputs)
    assert refusal.value.status() == "StatusCode.INVALID_ARGUMENT"
