"""The OCI distribution API: manifests and blobs, streamed, with basic and token logins.

Follows the OCI Distribution Specification 1.1 (pull, push, cross-repository mount) and Docker's token authentication.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3

from modelwright_contract.canonical import Json
from modelwright_worker.failures import Told, shortened
from modelwright_worker.references import Login

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    f"{OCI_MANIFEST}, application/vnd.docker.distribution.manifest.v2+json"
)
MAX_DOCUMENT_BYTES = 4 << 20
_TIMEOUT = urllib3.Timeout(connect=3.0, read=60.0)
_RETRIES = urllib3.Retry(
    connect=2, read=1, status=2, redirect=5, other=0, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504),
    allowed_methods=frozenset({"GET", "HEAD"}), raise_on_status=False, respect_retry_after_header=False,
)  # fmt: skip
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')

Response: TypeAlias = urllib3.BaseHTTPResponse
Stream: TypeAlias = "Callable[[], IO[bytes] | Response]"
"""Opens what is to be sent; called again when a login is asked for, closed after sending."""

Body: TypeAlias = "bytes | Stream | None"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Content in a registry."""

    media_type: str
    digest: str
    size: int

    def to_json(self) -> dict[str, Json]:
        """As it stands in a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


class Registry:
    """One registry as one user sees it. Raises Told: RegistryUnreachable, ImagePushForbidden."""

    def __init__(self, host: str, login: Login | None, *, insecure: bool) -> None:
        self.host = host
        self._root = f"{'http' if insecure else 'https'}://{host}"
        self._login = login
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=_RETRIES)
        self._authorization: dict[str, str] = {}

    def manifest(self, repository: str, version: str) -> tuple[bytes, str] | None:
        """A manifest's bytes and media type; None when there is none."""
        path = f"/v2/{repository}/manifests/{version}"
        answer = self._request("GET", path, _pull(repository), {"Accept": ACCEPT})
        content = _bounded(answer)
        if answer.status == 404:
            return None
        self._require(answer, (200,), f"reading {repository}", content)
        return content, str(answer.headers.get("Content-Type", "")).partition(";")[0]

    def manifest_digest(self, repository: str, version: str) -> str | None:
        """The digest that a tag stands for, as the registry says."""
        path = f"/v2/{repository}/manifests/{version}"
        answer = self._request("HEAD", path, _pull(repository), {"Accept": ACCEPT})
        answer.drain_conn()
        return answer.headers.get("Docker-Content-Digest") if answer.status == 200 else None

    def document(self, repository: str, digest: str) -> bytes | None:
        """A small blob's bytes, checked against its digest."""
        answer = self._request("GET", f"/v2/{repository}/blobs/{digest}", _pull(repository))
        content = _bounded(answer)
        if answer.status == 404:
            return None
        self._require(answer, (200,), f"reading {repository}", content)
        return content if "sha256:" + hashlib.sha256(content).hexdigest() == digest else None

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether a blob is there."""
        answer = self._request("HEAD", f"/v2/{repository}/blobs/{digest}", _push(repository))
        answer.drain_conn()
        if answer.status in (401, 403):
            self._require(answer, (200,), f"pushing to {repository}", b"")
        return answer.status == 200

    def mount(self, repository: str, digest: str, source: str) -> bool:
        """Let a blob of another repository of this registry be there too; whether the registry did so."""
        query = urlencode({"mount": digest, "from": source})
        scope = f"{_push(repository)} {_pull(source)}"
        answer = self._request("POST", f"/v2/{repository}/blobs/uploads/?{query}", scope, {"Content-Length": "0"})
        content = _bounded(answer)
        self._require(answer, (201, 202), f"pushing to {repository}", content)
        if answer.status == 202:
            # A session was opened instead; it is ended so that nothing is left behind.
            location = urljoin(self._root, answer.headers.get("Location", ""))
            self._request("DELETE", location, scope).drain_conn()
        return answer.status == 201

    def upload(self, repository: str, blob: Descriptor, body: bytes | Stream) -> None:
        """Upload a blob of known digest in one stream."""
        scope = _push(repository)
        begun = self._request("POST", f"/v2/{repository}/blobs/uploads/", scope, {"Content-Length": "0"})
        self._require(begun, (202,), f"pushing to {repository}", _bounded(begun))
        location = urljoin(self._root, begun.headers.get("Location", ""))
        address = f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': blob.digest})}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        ended = self._request("PUT", address, scope, headers, body)
        self._require(ended, (201, 204), f"pushing to {repository}", _bounded(ended))

    def open_blob(self, repository: str, digest: str) -> Response:
        """A blob as a stream; the caller reads it to its end."""
        answer = self._request("GET", f"/v2/{repository}/blobs/{digest}", _pull(repository))
        if answer.status != 200:
            self._require(answer, (200,), f"reading {repository}", _bounded(answer))
        return answer

    def put_manifest(self, repository: str, version: str, content: bytes) -> None:
        """Write a manifest under a tag or its digest."""
        path = f"/v2/{repository}/manifests/{version}"
        answer = self._request("PUT", path, _push(repository), {"Content-Type": OCI_MANIFEST}, content)
        self._require(answer, (200, 201), f"pushing to {repository}", _bounded(answer))

    def _request(
        self, method: str, path: str, scope: str, headers: Mapping[str, str] | None = None, body: Body = None
    ) -> Response:
        address = urljoin(self._root, path)
        answer = self._send(method, address, scope, headers, body)
        if answer.status == 401 and self._is_its_own(address):
            challenge = answer.headers.get("WWW-Authenticate", "")
            answer.drain_conn()
            authorization = self._authorize(challenge, scope)
            if authorization is not None and authorization != self._authorization.get(scope):
                self._authorization[scope] = authorization
                answer = self._send(method, address, scope, headers, body)
        return answer

    def _send(self, method: str, address: str, scope: str, headers: Mapping[str, str] | None, body: Body) -> Response:
        sent = {"User-Agent": "modelwright", **(headers or {})}
        if scope in self._authorization and self._is_its_own(address):
            sent["Authorization"] = self._authorization[scope]
        content = body() if callable(body) else body
        try:
            return self._pool.request(method, address, headers=sent, body=content, preload_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        finally:
            if callable(body) and content is not None and not isinstance(content, bytes):
                content.close()

    def _is_its_own(self, address: str) -> bool:
        """Whether the address is of this registry, and so may be shown its logins; a Location can lead elsewhere."""
        try:
            return _origin(address) == _origin(self._root)
        except ValueError:
            return False

    def _authorize(self, challenge: str, scope: str) -> str | None:
        """The Authorization header that a challenge asks for; None when we have nothing to show."""
        basic = None
        if self._login is not None:
            pair = f"{self._login.user}:{self._login.password}".encode()
            basic = "Basic " + base64.b64encode(pair).decode()
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic":
            return basic
        if kind.lower() != "bearer":
            return None
        asked = dict(_CHALLENGE.findall(rest))
        realm = asked.get("realm", "")
        if not realm.startswith(("https://", "http://")):
            return None
        if realm.startswith("http://") and self._root.startswith("https://"):
            message = f"the registry {self.host} wants the login sent to {realm} without TLS, which is refused"
            raise Told("ImagePushForbidden", message, retry=True)
        query = [("service", asked.get("service", "")), *(("scope", item) for item in scope.split(" "))]
        try:
            answer = self._pool.request(
                "GET",
                f"{realm}?{urlencode(query)}",
                headers={"Authorization": basic} if basic else {},
                redirect=False,
                preload_content=False,
            )
            content = _bounded(answer)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.status != 200:
            return None
        try:
            document = json.loads(content)
        except ValueError:
            return None
        token = document.get("token") or document.get("access_token")
        return f"Bearer {token}" if token else None

    def _unreachable(self, error: Exception) -> Told:
        cause = getattr(error, "reason", None) or error
        message = f"can't reach the registry {self._root}: {type(cause).__name__}: is the address right, and does it "
        message += "speak " + ("plain http?" if self._root.startswith("http://") else "https? (registry.insecure)")
        return Told("RegistryUnreachable", message, retry=True)

    def _require(self, answer: Response, wanted: tuple[int, ...], doing: str, content: bytes) -> None:
        if answer.status in wanted:
            return
        said = shortened(content.decode("utf-8", "replace"), 200)
        if answer.status in (401, 403):
            secret = "the push Secret's login may not do it" if self._login else "there is no push Secret for it"
            message = f"{doing}: the registry {self.host} answers {answer.status}: {secret}: {said}"
            raise Told("ImagePushForbidden", message, retry=True)
        message = f"{doing}: the registry {self.host} answers {answer.status}: {said}"
        raise Told("RegistryUnreachable", message, retry=True)


def _origin(address: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port. Raises ValueError."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def _push(repository: str) -> str:
    return f"repository:{repository}:pull,push"


def _bounded(answer: Response) -> bytes:
    try:
        content: bytes = answer.read(MAX_DOCUMENT_BYTES + 1)
    except urllib3.exceptions.HTTPError as error:
        raise Told("RegistryUnreachable", f"the registry broke off: {type(error).__name__}", retry=True) from error
    answer.release_conn()
    if len(content) > MAX_DOCUMENT_BYTES:
        raise Told("RegistryUnreachable", f"the registry's answer is over {MAX_DOCUMENT_BYTES} bytes", retry=True)
    return content


def descriptor_of(media_type: str, path: Path) -> Descriptor:
    """A file's descriptor."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Descriptor(media_type, f"sha256:{digest}", file.tell())
