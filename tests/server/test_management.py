"""The management port: health of the Pod, metrics over its processes, live windows, in every phase of its life."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from .model_directories import ModelDirectory
from .processes import TIMEOUT_S, Server, eventually

PREDICT = "/v2/models/late/predict"
ROUTES = ("/v2/health/live", "/v2/health/ready", "/metrics", "/live", "/profile")


@pytest.fixture(scope="module")
def pod(late: ModelDirectory) -> Iterator[Server]:
    """Two processes, short windows."""
    with Server(late.path, processes="2", window_seconds="0.5", model_name="late", model_version="v7") as server:
        yield server


@pytest.mark.parametrize("path", ROUTES)
def test_get_and_head(pod: Server, path: str) -> None:
    assert pod.managed(path).status_code == 200
    head = pod.session.head(pod.management_url + path, timeout=TIMEOUT_S)
    assert (head.status_code, head.content) == (200, b"")
    refused = pod.session.post(pod.management_url + path, json={}, timeout=TIMEOUT_S)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_unknown_paths(pod: Server) -> None:
    refused = pod.managed("/v2/models/late")
    assert refused.status_code == 404
    assert "this port has /v2/health/live, /v2/health/ready, /metrics, /live" in refused.json()["error"]


def test_the_management_process_is_light(pod: Server) -> None:
    libraries = Path(f"/proc/{pod.management()}/maps").read_text()
    assert "uvloop" in libraries
    assert "numpy" not in libraries


def test_metrics_count_what_all_processes_did(pod: Server, late: ModelDirectory) -> None:
    before = {route: pod.series("requests_total", route=route) for route in ("predict", "metadata")}
    rows = pod.series("rows_total")

    def ask() -> None:
        # Each on a connection of its own: the kernel spreads them over the processes.
        for _ in range(20):
            assert requests.post(pod.url + PREDICT, json=late.rows[:3], timeout=TIMEOUT_S).status_code == 200
            assert requests.get(pod.url + "/v2/models/late", timeout=TIMEOUT_S).status_code == 200

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    answer = pod.managed("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    assert {(sample.labels["model"], sample.labels["version"]) for sample in samples} == {("late", "v7")}
    assert pod.series("requests_total", route="predict", code="200") == before["predict"] + 40
    assert pod.series("requests_total", route="metadata") == before["metadata"] + 40
    assert pod.series("rows_total") == rows + 120
    assert (pod.series("processes"), pod.series("ready")) == (2, 1)


def test_live_windows_add_up(pod: Server, late: ModelDirectory) -> None:
    totals = pod.managed("/live").json()["totals"]
    for rows in (1, 2, 3):
        assert pod.post(PREDICT, late.rows[:rows]).status_code == 200
    assert pod.post(PREDICT, [{"carrier": 7}]).status_code == 422
    live = pod.managed("/live").json()
    grown = {name: live["totals"][name] - totals[name] for name in ("requests", "rows", "refused", "errors")}
    assert grown == {"requests": 4, "rows": 6, "refused": 1, "errors": 0}
    last = live["open_window"]
    eventually(lambda: any(window["id"] >= last for window in pod.managed("/live").json()["windows"]))
    live = pod.managed("/live").json()
    windows = live["windows"]
    assert [window["id"] for window in windows] == sorted({window["id"] for window in windows})
    assert sum(window["requests"] for window in windows) == live["totals"]["requests"]
    for window in windows:
        assert sum(number for _, number in window["latency"]) == window["requests"]
        assert sum(number for _, number in window["classes"]) == window["sampled_rows"] == window["rows"]
    now = datetime.now(UTC)
    start = datetime.fromisoformat(windows[-1]["start"])
    assert now - timedelta(seconds=5) < start < now - timedelta(seconds=windows[-1]["seconds"])


def test_before_the_model_is_loaded(late: ModelDirectory, tmp_path: Path) -> None:
    # The golden rows are a pipe that nobody has written yet: loading waits for it.
    shutil.copytree(late.path, tmp_path / "model")
    golden = tmp_path / "model" / "golden.json"
    content = golden.read_bytes()
    golden.unlink()
    os.mkfifo(golden)
    with Server(tmp_path / "model", wait_ready=False) as server:
        assert server.managed("/v2/health/live").status_code == 200
        waiting = server.managed("/v2/health/ready")
        assert (waiting.status_code, waiting.json()["error"]) == (503, "the model is being loaded")
        assert server.managed("/live").json()["windows"] == []
        version = server.managed("/live").json()["model_version"]
        with pytest.raises(requests.ConnectionError):
            server.get("/v2/health/live")
        golden.write_bytes(content)
        server.wait_for("ready")
        assert server.managed("/v2/health/ready").json() == {"ready": True}
        assert server.get("/v2/models/model").json()["versions"] == [version]


def test_hostile_clients_of_the_management_port(pod: Server) -> None:
    with socket.create_connection(("127.0.0.1", pod.management_port), timeout=TIMEOUT_S) as connection:
        connection.sendall(b"POST /live HTTP/1.1\r\nhost: a\r\ncontent-length: 99999\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 413"
    assert pod.managed("/v2/health/ready").status_code == 200
