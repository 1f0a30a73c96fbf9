"""The server as a process of its own, and raw connections to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 20.0


def server_environment(**settings: str) -> dict[str, str]:
    """The environment of a server: this checkout's packages and `MODELWRIGHT_<NAME>` for each setting."""
    packages = os.pathsep.join(str(ROOT / "images" / part) for part in ("contract", "server"))
    variables = {f"MODELWRIGHT_{name.upper()}": value for name, value in settings.items()}
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH", ""), packages)))
    return {**os.environ, "PYTHONPATH": path, **variables}


class Server:
    """A serving process on a free loopback port; use as a context manager."""

    def __init__(self, model_dir: Path, *, wait_ready: bool = True, **settings: str) -> None:
        environment = server_environment(
            model_dir=str(model_dir), **{"host": "127.0.0.1", "port": "0", "drain_seconds": "0.2", **settings}
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "modelwright_server"], env=environment, stderr=subprocess.PIPE, text=True
        )
        self.log: list[dict[str, object]] = []
        self._arrived = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = int(str(self.wait_for("listening")["port"]))
        self.url = f"http://127.0.0.1:{self.port}"
        self.session = requests.Session()
        if wait_ready:
            self.wait_for("ready")

    def wait_for(self, message: str) -> dict[str, object]:
        """The first log line with this message."""
        deadline = time.monotonic() + TIMEOUT_S
        with self._arrived:
            while True:
                for line in self.log:
                    if line.get("message") == message:
                        return line
                if self.process.poll() is not None or not self._arrived.wait(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"no {message!r} in the log: {self.log}")

    def get(self, path: str, **options: object) -> requests.Response:
        """GET on the kept-alive session."""
        return self.session.get(self.url + path, timeout=TIMEOUT_S, **options)  # type: ignore[arg-type]

    def post(self, path: str, document: object, **options: object) -> requests.Response:
        """POST of a JSON document."""
        return self.session.post(self.url + path, json=document, timeout=TIMEOUT_S, **options)  # type: ignore[arg-type]

    def raw(self, *chunks: bytes, pause_s: float = 0.0, half_close: bool = False) -> bytes:
        """Send bytes and return all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as connection:
            for chunk in chunks:
                connection.sendall(chunk)
                time.sleep(pause_s)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            while part := connection.recv(65536):
                received += part
            return received

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
            self._arrived.notify_all()
