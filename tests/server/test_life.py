"""Start, readiness, load, overload, drain, and the check command."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from modelwright_server.check import check as run_check
from modelwright_server.settings import Settings

from .model_directories import ModelDirectory, rewrite_golden
from .processes import Server, server_environment


def check(model_dir: Path, log: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the check command."""
    environment = server_environment(model_dir=str(model_dir), termination_log=str(log), **settings)
    command = [sys.executable, "-m", "modelwright_server", "check"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_check_passes(late: ModelDirectory, tmp_path: Path) -> None:
    done = check(late.path, tmp_path / "log")
    assert (done.returncode, (tmp_path / "log").exists()) == (0, False), done.stderr


def test_check_is_done_at_once_with_a_marker(tmp_path: Path) -> None:
    (tmp_path / ".done").touch()
    assert check(tmp_path, tmp_path / "log").returncode == 0


def _no_manifest(path: Path) -> None:
    (path / "manifest.json").unlink()


def _other_label(path: Path) -> None:
    golden = json.loads((path / "golden.json").read_bytes())
    golden["outputs"]["label"][4] = not golden["outputs"]["label"][4]
    rewrite_golden(path, golden)


def _other_probability(path: Path) -> None:
    golden = json.loads((path / "golden.json").read_bytes())
    golden["outputs"]["probability"][2][0] *= 1 + 1e-8
    rewrite_golden(path, golden)


def _missing_column(path: Path) -> None:
    golden = json.loads((path / "golden.json").read_bytes())
    del golden["rows"][1]["seats"]
    rewrite_golden(path, golden)


def _cut_archive(path: Path) -> None:
    content = (path / "model.skops").read_bytes()
    (path / "model.skops").write_bytes(content[: len(content) // 2])


def _no_golden_rows(path: Path) -> None:
    rewrite_golden(path, {"rows": [], "outputs": {}})


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(_no_manifest, "manifest.json can't be read: No such file", id="no manifest"),
        pytest.param(_other_label, "golden row 5: the label is", id="label"),
        pytest.param(_other_probability, "golden row 3: the probability is", id="probability"),
        pytest.param(_missing_column, 'row 2: column "seats" is missing', id="column"),
        pytest.param(_cut_archive, "model.skops is not the file that the manifest names", id="archive"),
        pytest.param(_no_golden_rows, "golden.json has no rows to check", id="no rows"),
    ],
)
def test_check_says_what_is_wrong(
    late: ModelDirectory, tmp_path: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    path, log = tmp_path / "model", tmp_path / "log"
    shutil.copytree(late.path, path)
    spoil(path)
    settings = {"MODELWRIGHT_MODEL_DIR": str(path), "MODELWRIGHT_TERMINATION_LOG": str(log)}
    assert run_check(Settings.from_environment(settings)) == 1
    assert sentence in log.read_text()
    assert "Traceback" not in log.read_text()


def test_check_ends_with_status_1(tmp_path: Path) -> None:
    assert check(tmp_path, tmp_path / "log").returncode == 1
    assert (tmp_path / "log").read_text().endswith("manifest.json can't be read: No such file or directory")


def test_a_server_that_cannot_serve_says_why_and_ends(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Server(tmp_path / "absent", wait_ready=False, termination_log=str(log)) as server:
        assert server.process.wait(20) == 1
    assert "manifest.json can't be read" in log.read_text()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param({"port": "http"}, "MODELWRIGHT_PORT is 'http', must be a whole number from 0 to 65535", id="port"),
        pytest.param({"grace_seconds": "1"}, "MODELWRIGHT_GRACE_SECONDS is 1, must be at least", id="grace"),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: dict[str, str], sentence: str) -> None:
    done = check(tmp_path, tmp_path / "log", **settings)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_live_before_ready(late: ModelDirectory, tmp_path: Path) -> None:
    # The manifest is a pipe that nobody has written yet: loading waits for it.
    shutil.copytree(late.path, tmp_path / "model")
    manifest = tmp_path / "model" / "manifest.json"
    content = manifest.read_bytes()
    manifest.unlink()
    os.mkfifo(manifest)
    with Server(tmp_path / "model", wait_ready=False) as server:
        assert server.get("/v2/health/live").status_code == 200
        assert server.get("/v2/health/ready").status_code == 503
        waiting = server.post("/v2/models/model/infer", {})
        assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "1")
        manifest.write_bytes(content)
        server.wait_for("ready")
        assert server.get("/v2/health/ready").json() == {"ready": True}


def test_health_is_answered_during_a_long_prediction_and_overload_is_refused(slow: ModelDirectory) -> None:
    rows = slow.rows * 12
    with Server(slow.path, queue_size="2") as server:
        codes: list[int] = []

        def ask() -> None:
            codes.append(requests.post(f"{server.url}/v2/models/model/predict", json=rows, timeout=60).status_code)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        longest = 0.0
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            assert server.get("/v2/health/ready").status_code == 200
            longest = max(longest, time.monotonic() - began)
            time.sleep(0.01)
        assert longest < 0.5
        assert codes.count(200) >= 2
        assert set(codes) <= {200, 429}
        assert 429 in codes
        refused = [line for line in server.get("/metrics").text.splitlines() if "rejected_total{" in line]
        assert refused[0].endswith(f" {codes.count(429)}")


def test_drain(late: ModelDirectory) -> None:
    body = json.dumps(late.rows[:50]).encode()
    sent = b"POST /v2/models/model/predict HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    with Server(late.path, drain_seconds="0.6") as server:
        address = ("127.0.0.1", server.port)
        with socket.create_connection(address) as idle, socket.create_connection(address) as in_flight:
            in_flight.sendall(sent[:-100])
            assert server.get("/v2/health/ready").ok
            server.terminate()
            server.wait_for("draining")
            ready = server.get("/v2/health/ready")
            assert (ready.status_code, ready.headers["connection"]) == (503, "close")
            # A Service that has not heard yet still sends requests, also on new connections.
            another = requests.post(f"{server.url}/v2/models/model/predict", json=late.rows[:1], timeout=10)
            assert (another.status_code, another.headers["connection"]) == (200, "close")
            assert idle.recv(1) == b""
            in_flight.sendall(sent[-100:])
            answer = b""
            while part := in_flight.recv(65536):
                answer += part
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in answer
        assert server.process.wait(10) == 0
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(address)


def test_end_within_the_grace_period(slow: ModelDirectory) -> None:
    with Server(slow.path, drain_seconds="0", grace_seconds="0.3") as server, socket.socket() as endless:
        endless.connect(("127.0.0.1", server.port))
        endless.sendall(b"POST /v2/models/model/predict HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n")
        time.sleep(0.1)
        began = time.monotonic()
        server.terminate()
        assert server.process.wait(10) == 0
        assert time.monotonic() - began < 2
