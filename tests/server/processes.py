"""The server as a process of its own, and raw connections to it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 20.0
_SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

DEFAULTS = {
    "host": "127.0.0.1",
    "port": "0",
    "grpc_port": "off",
    "management_port": "0",
    "processes": "1",
    "drain_seconds": "0.2",
}


def server_environment(**settings: str) -> dict[str, str]:
    """The environment of a server: this checkout's packages and `MODELWRIGHT_<NAME>` for each setting."""
    packages = os.pathsep.join(str(ROOT / "images" / part) for part in ("contract", "server"))
    variables = {f"MODELWRIGHT_{name.upper()}": value for name, value in settings.items()}
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH", ""), packages)))
    return {**os.environ, "PYTHONPATH": path, **variables}


def eventually(holds: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    """Ask a few times a second until `holds()` is true; fails when it doesn't become so."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not so within {timeout_s:g} s"
        time.sleep(0.02)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


class Server:
    """A model server on free loopback ports, with one worker process and no gRPC; use as a context manager.

    `port`, `grpc_port` (0 when there is none) and `management_port` are where it listens; `url` and `management_url`
    begin the addresses of HTTP routes. Further settings are those of the environment, in lower case:
    `Server(path, processes="2", grpc_port="0")`.
    """

    def __init__(
        self,
        model_dir: Path,
        *,
        wait_ready: bool = True,
        scheme: str = "http",
        program: Sequence[str] = ("-m", "modelwright_server"),
        **settings: str,
    ) -> None:
        environment = server_environment(**{**DEFAULTS, "model_dir": str(model_dir), **settings})
        self.process = subprocess.Popen([sys.executable, *program], env=environment, stderr=subprocess.PIPE, text=True)
        self.log: list[dict[str, object]] = []
        self._arrived = threading.Condition()
        self._all_read = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        listening = self.wait_for("listening")
        self.port = int(str(listening["port"]))
        self.grpc_port = int(str(listening["grpc_port"] or 0))
        self.management_port = int(str(listening["management_port"]))
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.management_url = f"http://127.0.0.1:{self.management_port}"
        self.session = requests.Session()
        if wait_ready:
            self.wait_for("ready")

    def wait_for(self, message: str, times: int = 1) -> dict[str, object]:
        """The first log line with this message, or the second with `times=2`, and so on."""
        deadline = time.monotonic() + TIMEOUT_S
        with self._arrived:
            while True:
                lines = [line for line in self.log if line.get("message") == message]
                if len(lines) >= times:
                    return lines[times - 1]
                if self._all_read or not self._arrived.wait(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"no {message!r} in the log: {self.log}")

    def get(self, path: str, **options: object) -> requests.Response:
        """GET on the kept-alive session."""
        return self.session.get(self.url + path, timeout=TIMEOUT_S, **options)  # type: ignore[arg-type]

    def post(self, path: str, document: object, **options: object) -> requests.Response:
        """POST of a JSON document."""
        return self.session.post(self.url + path, json=document, timeout=TIMEOUT_S, **options)  # type: ignore[arg-type]

    def managed(self, path: str) -> requests.Response:
        """GET on the management port."""
        return self.session.get(self.management_url + path, timeout=TIMEOUT_S)

    def series(self, name: str, **labels: str) -> float:
        """The sum over all series of the metric `modelwright_server_<name>` that have these labels; 0 without any."""
        total = 0.0
        for series, text, value in _SERIES.findall(self.managed("/metrics").text):
            if series == f"modelwright_server_{name}" and labels.items() <= dict(_LABEL.findall(text)).items():
                total += float(value)
        return total

    def workers(self) -> list[int]:
        """The ids of its worker processes, oldest first, as the log tells them (some may have ended)."""
        with self._arrived:
            return [int(str(line["pid"])) for line in self.log if line.get("message") == "worker started"]

    def management(self) -> int:
        """The id of its management process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        (pid,) = {int(child) for child in children} - set(self.workers())
        return pid

    def raw(self, *chunks: bytes, pause_s: float = 0.0, half_close: bool = False) -> bytes:
        """Send bytes and return all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as connection:
            for chunk in chunks:
                connection.sendall(chunk)
                time.sleep(pause_s)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.session.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"text": text}
            with self._arrived:
                self.log.append(line)
                self._arrived.notify_all()
        with self._arrived:
            self._all_read = True
            self._arrived.notify_all()
