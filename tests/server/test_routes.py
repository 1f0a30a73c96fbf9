"""Every route, its methods, and what it says of the model."""

import re
from functools import partial

import pytest

from .processes import Server

GET_ROUTES = [
    "/",
    "/openapi.json",
    "/v1/models",
    "/v1/models/late",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/late",
    "/v2/models/late/ready",
    "/v2/models/late/versions/v7",
    "/v2/models/late/versions/v7/ready",
]


@pytest.mark.parametrize("path", GET_ROUTES)
def test_get_and_head(server: Server, path: str) -> None:
    answer = server.get(path + "?verbose=1")
    assert answer.status_code == 200
    head = server.session.head(server.url + path, timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]
    refused = server.post(path, {})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/v2/models/late/infer", "/v2/models/late/versions/v7/predict", "/v1/models/late:predict"]
)
def test_predictions_take_post_only(server: Server, path: str) -> None:
    refused = server.get(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert "use POST" in refused.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/v2/",
        "/v2/models/other/infer",
        "/v2/models/late/versions/v8",
        "/v2/models/late/infer/",
        "/v1/models/other",
        "/metrics",
        "/%00",
    ],
)
def test_unknown_paths(server: Server, path: str) -> None:
    answer = server.get(path)
    assert answer.status_code == 404
    assert "nothing is served at" in answer.json()["error"]


def test_server_and_model_metadata(server: Server) -> None:
    server_itself = server.get("/v2").json()
    assert server_itself == {"name": "modelwright", "version": "0.1.0", "extensions": ["binary_tensor_data"]}
    metadata = server.get("/v2/models/late").json()
    assert (metadata["name"], metadata["versions"], metadata["platform"]) == ("late", ["v7"], "modelwright_sklearn")
    assert metadata["inputs"][0] == {"name": "carrier", "datatype": "BYTES", "shape": [-1]}
    assert metadata["outputs"][1] == {"name": "probability", "datatype": "FP64", "shape": [-1, 2]}
    assert server.get("/v2/models/late/ready").json() == {"name": "late", "ready": True}


def test_request_ids(server: Server) -> None:
    assert server.get("/v2", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    own = {server.get("/v2", headers={"x-request-id": "x" * 200}).headers["x-request-id"] for _ in range(2)}
    assert len(own) == 2
    assert all(re.fullmatch(r"[0-9a-f]+-[0-9a-f]+", value) for value in own)


def test_content_types(server: Server) -> None:
    answer = server.post("/v2/models/late/predict", [], headers={"content-type": "application/xml"})
    assert answer.status_code == 415
    gzipped = server.post("/v2/models/late/predict", [], headers={"content-encoding": "gzip"})
    assert (gzipped.status_code, gzipped.json()["error"]) == (
        415,
        "Content-Encoding is gzip; send the body uncompressed",
    )
    infer = server.post("/v2/models/late/infer", [], headers={"content-type": "text/csv"})
    assert (infer.status_code, infer.json()["error"]) == (
        415,
        "Content-Type is text/csv, must be application/json or application/octet-stream",
    )


def test_requests_and_rows_are_counted(server: Server) -> None:
    counted = {
        "good": partial(server.series, "requests_total", route="predict", code="200"),
        "unfit": partial(server.series, "requests_total", route="predict", code="422"),
        "v1": partial(server.series, "requests_total", route="v1", code="200"),
        "rows": partial(server.series, "rows_total"),
        "seconds": partial(server.series, "prediction_seconds_count"),
    }
    before = {name: count() for name, count in counted.items()}
    row = {"carrier": None, "distance": None, "seats": None, "holiday": None, "sched_dep": None}
    assert server.post("/v2/models/late/predict", []).status_code == 422
    assert server.post("/v2/models/late/predict", [row, row, row]).status_code == 200
    assert server.post("/v1/models/late:predict", {"instances": [row]}).status_code == 200
    grown = {name: count() - before[name] for name, count in counted.items()}
    assert grown == {"good": 1, "unfit": 1, "v1": 1, "rows": 4, "seconds": 3}
