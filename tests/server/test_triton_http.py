"""NVIDIA's own client, unmodified, against a server process."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from .model_directories import DATATYPES, INPUTS, ModelDirectory, Row
from .processes import Server

DTYPES = {"string": np.object_, "number": np.float64, "integer": np.int64, "boolean": np.bool_, "timestamp": np.object_}


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[InferenceServerClient]:
    """One client with a kept connection."""
    with InferenceServerClient(server.url.removeprefix("http://")) as connected:
        yield connected


@pytest.fixture(scope="module")
def whole(late: ModelDirectory) -> list[Row]:
    """Rows without missing texts, which binary data can't express."""
    return [row for row in late.rows if row["carrier"] is not None][:20]


def columns(rows: Sequence[Row], *, binary: bool) -> list[InferInput]:
    """One tensor a raw column."""
    inputs = []
    for column in INPUTS:
        values = [np.nan if row[column.name] is None else row[column.name] for row in rows]
        tensor = InferInput(column.name, [len(rows)], DATATYPES[column.type])
        inputs.append(tensor.set_data_from_numpy(np.array(values, dtype=DTYPES[column.type]), binary_data=binary))
    return inputs


def matrix_of(matrix: NDArray[np.float64], datatype: str = "FP64") -> list[InferInput]:
    """The model's own matrix."""
    dtype = np.float64 if datatype == "FP64" else np.float32
    return [InferInput("features", list(matrix.shape), datatype).set_data_from_numpy(matrix.astype(dtype))]


def test_health_and_metadata(client: InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("late")
    assert client.is_model_ready("late", "v7")
    assert not client.is_model_ready("early")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert client.get_model_metadata("late", "v7")["outputs"][0] == {"name": "label", "datatype": "BOOL", "shape": [-1]}


@pytest.mark.parametrize("binary_out", [False, True], ids=["JSON out", "binary out"])
@pytest.mark.parametrize("binary_in", [False, True], ids=["JSON in", "binary in"])
def test_columns(
    client: InferenceServerClient, late: ModelDirectory, whole: list[Row], binary_in: bool, binary_out: bool
) -> None:
    rows = whole if binary_in else [row for row in whole if row["distance"] is not None]
    outputs = [InferRequestedOutput(name, binary_data=binary_out) for name in ("probability", "label")]
    answer = client.infer("late", columns(rows, binary=binary_in), outputs=outputs, request_id="a-1")
    matrix = late.matrix(rows)
    assert answer.get_response()["id"] == "a-1"
    assert answer.as_numpy("label").tolist() == late.estimator.predict(matrix).tolist()  # type: ignore[attr-defined]
    expected = late.estimator.predict_proba(matrix)  # type: ignore[attr-defined]
    assert np.array_equal(answer.as_numpy("probability"), expected)


@pytest.mark.parametrize("datatype", ["FP64", "FP32"])
def test_the_models_own_matrix(client: InferenceServerClient, late: ModelDirectory, datatype: str) -> None:
    matrix = late.matrix(late.rows[:50])
    if datatype == "FP32":
        matrix = matrix.astype(np.float32).astype(np.float64)
    answer = client.infer("late", matrix_of(matrix, datatype), model_version="v7")
    expected = late.estimator.predict_proba(matrix)  # type: ignore[attr-defined]
    assert np.array_equal(answer.as_numpy("probability"), expected)
    assert answer.as_numpy("label").dtype == np.bool_


def test_texts_as_labels(band: ModelDirectory) -> None:
    matrix = band.matrix(band.rows[:9])
    with Server(band.path) as server, InferenceServerClient(server.url.removeprefix("http://")) as client:
        for binary in (True, False):
            wanted = [InferRequestedOutput("label", binary_data=binary)]
            labels = client.infer("model", matrix_of(matrix), outputs=wanted).as_numpy("label").tolist()
            texts = [label.decode() if isinstance(label, bytes) else label for label in labels]
            assert texts == band.estimator.predict(matrix).tolist()  # type: ignore[attr-defined]
        with pytest.raises(InferenceServerException, match="no missing values") as refusal:
            client.infer("model", matrix_of(np.full((1, 5), np.nan)))
    assert refusal.value.status() == "422"


def test_many_requests_at_once(server: Server, late: ModelDirectory) -> None:
    matrix = late.matrix(late.rows[:30])
    with InferenceServerClient(server.url.removeprefix("http://"), concurrency=4) as client:
        pending = [client.async_infer("late", matrix_of(matrix[n : n + 1]), request_id=f"{n}") for n in range(30)]
        answers = [request.get_result() for request in pending]
    expected = late.estimator.predict(matrix).tolist()  # type: ignore[attr-defined]
    assert [answer.get_response()["id"] for answer in answers] == [f"{n}" for n in range(30)]
    assert [answer.as_numpy("label").tolist() for answer in answers] == [[label] for label in expected]


def test_errors_are_sentences(client: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match=r"must be \[rows, 5\]; the model's features are") as refusal:
        client.infer("late", matrix_of(np.zeros((2, 3))))
    assert refusal.value.status() == "422"
    with pytest.raises(InferenceServerException, match="nothing is served at") as unknown:
        client.infer("early", matrix_of(np.zeros((1, 5))))
    assert unknown.value.status() == "404"


def test_compressed_requests_are_refused(client: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="send the body uncompressed"):
        client.infer("late", matrix_of(np.zeros((1, 5))), request_compression_algorithm="gzip")
