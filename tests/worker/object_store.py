"""A small S3 server in memory: what a source needs of it, and a record of what was asked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEYS = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "s3cret"}
_WRITTEN = ("2026-05-01T12:00:00.000Z", "Fri, 01 May 2026 12:00:00 GMT")


class ObjectStore:
    """One bucket, `raw`. `rewrites` counts up an object's ETag without a change of its content."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.rewrites: dict[str, int] = {}
        self.asked: list[tuple[str, str]] = []
        self.endpoint = ""
        self.away = False

    def etag(self, key: str) -> str:
        """As S3 makes it of one part."""
        return f"{hashlib.md5(self.objects[key]).hexdigest()}-{self.rewrites.get(key, 0)}"

    def read(self) -> list[str]:
        """The keys of the objects that were read since this was asked last; listing does not count."""
        found = [key for method, key in self.asked if method == "GET" and key]
        self.asked.clear()
        return found

    def listing(self, prefix: str) -> bytes:
        """The answer to ListObjectsV2."""
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_WRITTEN[0]}</LastModified>"
            f"<ETag>&quot;{self.etag(key)}&quot;</ETag><Size>{len(content)}</Size></Contents>"
            for key, content in sorted(self.objects.items())
            if key.startswith(prefix)
        )
        head = "<Name>raw</Name><IsTruncated>false</IsTruncated>"
        return f'<?xml version="1.0"?><ListBucketResult>{head}{contents}</ListBucketResult>'.encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: ObjectStore

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        store, parts = self.store, urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        store.asked.append((self.command, key))
        if store.away:
            self._say(503, b"<Error><Code>SlowDown</Code></Error>")
        elif bucket != "raw":
            self._say(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif not key:
            self._say(200, store.listing(parse_qs(parts.query).get("prefix", [""])[0]))
        elif key not in store.objects:
            self._say(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._say(200, store.objects[key], f'"{store.etag(key)}"')

    def _say(self, status: int, content: bytes, etag: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if etag:
            self.send_header("ETag", etag)
            self.send_header("Last-Modified", _WRITTEN[1])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A server while the block runs."""
    store = ObjectStore()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    store.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
