"""A stable server with a routing to be changed by tests, and canaries that answer as a test wants."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import wraps
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import requests
import uvloop

from .model_directories import ModelDirectory, Row
from .processes import TIMEOUT_S, Server, eventually

PREDICT = "/v2/models/model/predict"
STABLE, CANARY = "stable-1", "canary-1"


def on_uvloop(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Run a test on the event loop that a worker process has."""

    @wraps(test)
    def run(**arguments: object) -> None:
        uvloop.run(test(**arguments))

    return run


class RoutingFolder:
    """A folder as the kubelet mounts a ConfigMap: the file is a link, and all of it is replaced at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._numbers = count(1)
        path.mkdir(exist_ok=True)

    def write(self, content: str) -> None:
        """Replace what is there."""
        newest = self.path / f"..{next(self._numbers)}"
        newest.mkdir()
        (newest / "routing.json").write_text(content)
        link = self.path / "..data_tmp"
        link.symlink_to(newest.name)
        link.rename(self.path / "..data")
        file = self.path / "routing.json"
        if not file.is_symlink():
            file.symlink_to("..data/routing.json")

    def remove(self) -> None:
        """As when the ConfigMap is deleted."""
        (self.path / "routing.json").unlink()


class Stable(Server):
    """A server that follows a routing. Each `route` is a generation of its own, so its counts begin at 0."""

    def __init__(self, model: ModelDirectory, folder: Path, scheme: str = "http", **settings: str) -> None:
        self.folder = RoutingFolder(folder)
        self.generation = 0
        super().__init__(model.path, scheme=scheme, model_version=STABLE, routing_dir=str(folder), **settings)

    def route(self, url: str, weight: float = 1.0, **more: object) -> None:
        """Have the canary at `url` answer a share, from when all processes know."""
        canary = {"url": url, "version": CANARY, "weight": str(weight), "deadlineSeconds": 10.0, **more}
        self.apply({"generation": self.generation + 1, "canary": canary})

    def apply(self, document: dict[str, Any]) -> None:
        """Have a whole routing applied by all processes."""
        self.generation = document["generation"]
        self.folder.write(json.dumps(document))
        eventually(lambda: self.routing()["generation"] == self.generation)

    def routing(self) -> dict[str, Any]:
        """What it says of the routing."""
        document: dict[str, Any] = self.managed("/live").json()["routing"]
        return document

    def ask(
        self, rows: Sequence[Row], path: str = PREDICT, session: requests.Session | None = None, **headers: str
    ) -> Asked:
        """Predict `rows`; underscores in names of headers stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = (session or self.session).post(self.url + path, json=rows, headers=named, timeout=TIMEOUT_S)
        return Asked(answer.status_code, answer.headers.get("modelwright-version", ""), answer)


@dataclass(frozen=True)
class Asked:
    """What a client got."""

    status: int
    version: str
    answer: requests.Response


@dataclass
class Seen:
    """A request that a canary got."""

    head: str
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        """The header fields, in lower case."""
        lines = self.head.split("\r\n")[1:]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)}

    def right_answer(self, *, version: str = CANARY, extra: str = "", label: object = True) -> bytes:
        """What a canary should answer to a predict request."""
        rows = len(json.loads(self.body))
        prediction = {"label": label, "probabilities": {"False": 0.25, "True": 0.75}}
        body = json.dumps({"model_name": "model", "model_version": version, "predictions": [prediction] * rows})
        head = (
            f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {self.fields['x-request-id']}\r\nmodelwright-version: {version}\r\n{extra}\r\n"
        )
        return (head + body).encode()


Behaviour = Callable[[socket.socket, Seen], bool]
"""What a canary does with one request; returns whether the connection stays."""


def well(connection: socket.socket, seen: Seen) -> bool:
    """As a canary should."""
    connection.sendall(seen.right_answer())
    return True


@dataclass
class FakeCanary:
    """Listens on a free port, in TLS if asked to, and does `behave` with each request; use as a context manager."""

    behave: Behaviour = well
    tls: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: set[socket.socket] = set()
        self._ending = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending = True
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.close_connections()

    def close_connections(self) -> None:
        """Close all that are open, as a server that ends."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float) -> None:
        """Let time pass in a behaviour, but no longer than the test."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._ending:
            time.sleep(0.01)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is None:
                self._answer(connection)
            else:
                with self.tls.wrap_socket(connection, server_side=True) as secured:
                    self._answer(secured)
        self._open.discard(connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as reading:
            stays = True
            while stays and (head := _head(reading)):
                seen = Seen(head.decode("latin-1"), b"")
                seen.body = reading.read(int(seen.fields["content-length"]))
                self.seen.append(seen)
                stays = self.behave(connection, seen)


def _head(reading: BinaryIO) -> bytes:
    """A whole request's head; nothing where there is none any more."""
    lines = []
    while (line := reading.readline()) not in (b"\r\n", b""):
        lines.append(line)
    return b"".join(lines) if line else b""
