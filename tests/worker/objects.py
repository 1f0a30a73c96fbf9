"""An S3 server with just what a step asks of one object: PUT, HEAD and GET, in memory, with the user's metadata."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEYS = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret"}
META = "x-amz-meta-"


@dataclass
class Objects:
    """What was put, by path; `puts` counts, `refuse` answers every request with 403."""

    endpoint: str = ""
    held: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    puts: int = 0
    refuse: bool = False


@contextmanager
def object_server() -> Iterator[Objects]:
    """The server on a free port, while the block runs."""
    objects = Objects()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if not self._refused():
                told = {name.lower(): value for name, value in self.headers.items()}
                objects.held[self.path] = content, {n: v for n, v in told.items() if n.startswith(META)}
                objects.puts += 1
                self._answer(200, {"ETag": '"x"'})

        def do_HEAD(self) -> None:
            if not self._refused():
                content, told = objects.held.get(self.path, (b"", {}))
                self._answer(200 if self.path in objects.held else 404, {**told, "Content-Length": str(len(content))})

        def _refused(self) -> bool:
            if objects.refuse:
                self._answer(403, {})
            return objects.refuse

        def _answer(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    objects.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield objects
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
