"""The check command, settings, start, drain and end."""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from modelwright_server.check import check as run_check
from modelwright_server.settings import Settings

from .model_directories import ModelDirectory, rewrite_golden
from .processes import DEFAULTS, Server, eventually, read_all, server_environment


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
        pytest.param({"grpc_port": "8080"}, "MODELWRIGHT_GRPC_PORT 8080 and", id="one port twice"),
        pytest.param({"processes": "0"}, "MODELWRIGHT_PROCESSES is '0', must be a whole number from 1", id="processes"),
        pytest.param({"batch_delay_seconds": "nan"}, "must be a number from 0 to 10", id="no number"),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: dict[str, str], sentence: str) -> None:
    done = check(tmp_path, tmp_path / "log", **settings)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_a_taken_port_is_told(late: ModelDirectory, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for name in ("port", "grpc_port", "management_port"):
            settings = {**DEFAULTS, name: str(port), "termination_log": str(tmp_path / name)}
            environment = server_environment(model_dir=str(late.path), **settings)
            command = [sys.executable, "-m", "modelwright_server"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 1, done.stderr
            assert (tmp_path / name).read_text() == f"the server can't listen on port {port}: Address already in use"


def test_as_many_connections_as_the_container_allows(late: ModelDirectory) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        server = Server(late.path, wait_ready=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with server:
        server.wait_for("ready")
        for process in (server.workers()[0], server.management()):
            assert resource.prlimit(process, resource.RLIMIT_NOFILE) == (hard, hard)


def test_drain_of_all_processes(late: ModelDirectory) -> None:
    body = json.dumps(late.rows[:50]).encode()
    sent = b"POST /v2/models/model/predict HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    with Server(late.path, processes="2", drain_seconds="0.6") as server, contextlib.ExitStack() as open_connections:

        def connect() -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            return open_connections.enter_context(connection)

        # Enough of each that both processes have some.
        idle, in_flight = [connect() for _ in range(16)], [connect() for _ in range(16)]
        for connection in in_flight:
            connection.sendall(sent[:-100])
        eventually(lambda: server.series("connections") >= 32)
        assert server.managed("/v2/health/ready").ok
        server.terminate()
        server.wait_for("draining")
        ready = server.managed("/v2/health/ready")
        assert (ready.status_code, ready.json()["error"]) == (503, "the server is shutting down")
        ready = requests.get(f"{server.url}/v2/health/ready", timeout=10)
        assert (ready.status_code, ready.headers["retry-after"]) == (503, "1")
        # A Service that has not heard yet still sends requests, also on new connections.
        for _ in range(8):
            another = requests.post(f"{server.url}/v2/models/model/predict", json=late.rows[:1], timeout=10)
            assert (another.status_code, another.headers["connection"]) == (200, "close")
        for connection in idle:
            assert connection.recv(1) == b""
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port))
        # Requests that are still being read are waited for, and answered.
        for connection in in_flight:
            connection.sendall(sent[-100:])
        for connection in in_flight:
            answer = read_all(connection)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in answer
        assert server.process.wait(10) == 0


def test_end_within_the_grace_period(late: ModelDirectory) -> None:
    with Server(late.path, drain_seconds="0", grace_seconds="0.3") as server, socket.socket() as endless:
        endless.connect(("127.0.0.1", server.port))
        endless.sendall(b"POST /v2/models/model/predict HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n")
        eventually(lambda: server.series("connections") == 1)
        began = time.monotonic()
        server.terminate()
        assert server.process.wait(10) == 0
        assert time.monotonic() - began < 2


def test_a_process_that_hangs_does_not_hold_up_the_end(late: ModelDirectory) -> None:
    with Server(late.path, drain_seconds="0", grace_seconds="0.3") as server:
        os.kill(server.workers()[0], signal.SIGSTOP)
        server.terminate()
        assert server.process.wait(10) == 0


def test_end_while_the_model_is_loaded(late: ModelDirectory, tmp_path: Path) -> None:
    shutil.copytree(late.path, tmp_path / "model")
    (tmp_path / "model" / "golden.json").unlink()
    os.mkfifo(tmp_path / "model" / "golden.json")
    with Server(tmp_path / "model", wait_ready=False) as server:
        server.terminate()
        assert server.process.wait(10) == 0
