"""A small OCI registry in memory, for the client's tests: manifests, blobs, mounts, token and basic logins."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD = "pusher", "s3cret"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest(content: bytes) -> str:
    """sha256 of bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Registry:
    """What is held, what was asked, and how it is guarded."""

    def __init__(self, login: Literal["none", "basic", "token"] = "none", *, mounts: bool = True) -> None:
        self.login = login
        self.mounts = mounts
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.asked: list[str] = []
        self.address = ""

    def add_manifest(self, repository: str, tag: str, media_type: str, document: object) -> str:
        """Put a manifest; gives its digest."""
        content = json.dumps(document).encode()
        for version in (tag, digest(content)):
            self.manifests[repository, version] = (media_type, content)
        return digest(content)

    def add_blob(self, repository: str, content: bytes) -> dict[str, object]:
        """Put a blob; gives its descriptor without media type."""
        self.blobs[repository, digest(content)] = content
        return {"digest": digest(content), "size": len(content)}

    def add_base(self, repository: str = "base/server", architecture: str = "amd64") -> str:
        """Put a base image of two layers behind an index; gives the index's digest."""
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["modelwright-server"], "Env": ["PATH=/bin"], "User": "65532"},
            "rootfs": {"type": "layers", "diff_ids": [digest(b"one"), digest(b"two")]},
            "history": [{"created_by": "base"}],
        }
        gzip = "application/vnd.oci.image.layer.v1.tar+gzip"
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                       **self.add_blob(repository, json.dumps(config).encode())},
            "layers": [{"mediaType": gzip, **self.add_blob(repository, content)} for content in (b"one", b"two" * 999)],
        }  # fmt: skip
        own = self.add_manifest(repository, "own", OCI, manifest)
        platforms = [("arm64" if architecture == "amd64" else "amd64", "sha256:" + "0" * 64), (architecture, own)]
        variants = [{"digest": d, "platform": {"os": "linux", "architecture": a}} for a, d in platforms]
        return self.add_manifest(repository, "latest", INDEX, {"schemaVersion": 2, "manifests": variants})


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    """Serve a registry on an address of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": registry}))
    registry.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.registry.asked.append(f"{self.command} {self.path}")
        if url.path == "/token":
            granted = self.headers.get("Authorization") == BASIC
            self._answer(200 if granted else 401, json.dumps({"token": "granted"}).encode())
        elif not self._admitted():
            return
        elif found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", url.path):
            self._manifest(found[1], found[2], body)
        elif found := re.fullmatch(r"/v2/(.+)/blobs/uploads/(.*)", url.path):
            self._upload(found[1], query, body)
        elif found := re.fullmatch(r"/v2/(.+)/blobs/(sha256:.+)", url.path):
            content = self.registry.blobs.get((found[1], found[2]))
            self._answer(404 if content is None else 200, content or b"")
        else:
            self._answer(404)

    def _admitted(self) -> bool:
        wanted = {"none": None, "basic": BASIC, "token": "Bearer granted"}[self.registry.login]
        if wanted is None or self.headers.get("Authorization") == wanted:
            return True
        challenge = 'Basic realm="registry"'
        if self.registry.login == "token":
            challenge = f'Bearer realm="http://{self.registry.address}/token",service="registry"'
        self._answer(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', WWW_Authenticate=challenge)
        return False

    def _manifest(self, repository: str, version: str, body: bytes) -> None:
        if self.command == "PUT":
            for name in (version, digest(body)):
                self.registry.manifests[repository, name] = (self.headers["Content-Type"], body)
            self._answer(201, Docker_Content_Digest=digest(body))
            return
        media_type, content = self.registry.manifests.get((repository, version), ("", b""))
        if not content:
            self._answer(404)
            return
        self._answer(200, content, Content_Type=media_type, Docker_Content_Digest=digest(content))

    def _upload(self, repository: str, query: dict[str, str], body: bytes) -> None:
        if self.command == "POST":
            source = self.registry.blobs.get((query.get("from", ""), query.get("mount", "")))
            if source is not None and self.registry.mounts:
                self.registry.blobs[repository, query["mount"]] = source
                self._answer(201)
            else:
                self._answer(202, Location=f"/v2/{repository}/blobs/uploads/session?state=x")
        elif self.command == "PUT":
            fits = digest(body) == query.get("digest")
            if fits:
                self.registry.blobs[repository, query["digest"]] = body
            self._answer(201 if fits else 400)
        else:
            self._answer(204)


for _method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler._handle)
