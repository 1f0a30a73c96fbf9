"""Every route, its methods, and what it says of the model."""

import re

import pytest

from .processes import Server

GET_ROUTES = [
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/late",
    "/v2/models/late/ready",
    "/v2/models/late/versions/v7",
    "/v2/models/late/versions/v7/ready",
    "/metrics",
]


@pytest.mark.parametrize("path", GET_ROUTES)
def test_get_and_head(server: Server, path: str) -> None:
    answer = server.get(path + "?verbose=1")
    assert answer.status_code == 200
    head = server.session.head(server.url + path, timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    assert path == "/metrics" or head.headers["content-length"] == answer.headers["content-length"]
    refused = server.post(path, {})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/v2/models/late/infer", "/v2/models/late/versions/v7/predict"])
def test_predictions_take_post_only(server: Server, path: str) -> None:
    refused = server.get(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert "use POST" in refused.json()["error"]


@pytest.mark.parametrize(
    "path", ["/", "/v2/", "/v2/models/other/infer", "/v2/models/late/versions/v8", "/v2/models/late/infer/", "/%00"]
)
def test_unknown_paths(server: Server, path: str) -> None:
    answer = server.get(path)
    assert answer.status_code == 404
    assert "nothing is served at" in answer.json()["error"]


def test_server_and_model_metadata(server: Server) -> None:
    assert server.get("/v2").json()["name"] == "modelwright"
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
    binary = server.post("/v2/models/late/infer", {}, headers={"inference-header-content-length": "10"})
    assert (binary.status_code, binary.json()["error"].split(";")[0]) == (
        400,
        "tensors in binary form are not taken here",
    )


def series(text: str) -> dict[str, float]:
    """Prometheus text as a mapping from series to value."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_metrics_count_requests_rows_and_time(server: Server) -> None:
    labels = 'model="late",version="v7"'
    before = series(server.get("/metrics").text)
    server.post("/v2/models/late/predict", [])
    row = {"carrier": None, "distance": None, "seats": None, "holiday": None, "sched_dep": None}
    assert server.post("/v2/models/late/predict", [row, row, row]).status_code == 200
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    after = series(answer.text)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grown(f'modelwright_server_requests_total{{{labels},route="predict",code="200"}}') == 1
    assert grown(f'modelwright_server_requests_total{{{labels},route="predict",code="400"}}') == 1
    assert grown(f"modelwright_server_rows_total{{{labels}}}") == 3
    assert grown(f"modelwright_server_prediction_seconds_count{{{labels}}}") == 1
    assert grown(f'modelwright_server_prediction_seconds_bucket{{{labels},le="+Inf"}}') == 1
    assert after[f"modelwright_server_requests_in_flight{{{labels}}}"] == 1
    assert after[f"modelwright_server_ready{{{labels}}}"] == 1
