"""The server of a model beside this container: asked over the Pod's own loopback, and believed in nothing.

It runs code that may be hostile: its answers are bounded, no redirect is followed, and what it says is quoted.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from modelwright_contract.canonical import Json
from modelwright_worker.failures import Told

HOST = "127.0.0.1"
PORT = 8080
PORT_VARIABLE = "MODELWRIGHT_SERVER_PORT"
HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_DOCUMENT_BYTES = 1 << 20
CALL_TIMEOUT_S = 600.0
"""The server replaces a process whose call of the model stands still long before, and ends the connection by it."""
PATIENCE_S = 120.0
"""How long a server that was ready may be away: it was killed at its memory limit, say, and starts again."""
_PAUSE_S = 0.2
_QUOTED_CHARS = 300
_LENGTH_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to rows: its JSON document, and the binary data behind it."""

    document: Mapping[str, Json]
    data: memoryview


class ModelServer:
    """One connection to the server of the model `name`; one request at a time, so that calls of the model never mix."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._path = f"/v2/models/{name}/infer"
        self._port = int(environment.get(PORT_VARIABLE) or PORT)
        self._connection = http.client.HTTPConnection(HOST, self._port, timeout=CALL_TIMEOUT_S)

    def wait(self, seconds: float) -> None:
        """Until it is ready. Raises Told: ModelServerFailed."""
        end, said = time.monotonic() + seconds, "nothing listens"
        while True:
            try:
                status, _, body = self._ask("GET", "/v2/health/ready", b"", {}, MAX_DOCUMENT_BYTES)
            except (OSError, http.client.HTTPException) as error:
                said = type(error).__name__
            else:
                if status == http.HTTPStatus.OK:
                    return
                said = _quoted(body)
            if time.monotonic() > end:
                message = (
                    f"the model's server is not ready after {seconds:.0f} s ({said}); see the log of its container"
                )
                raise Told("ModelServerFailed", message, retry=True)
            time.sleep(_PAUSE_S)

    def infer(self, document: bytes, data: bytes, limit_bytes: int) -> Reply:
        """Ask once; where the server is away or overloaded, again for a while. At most `limit_bytes` are read.

        Raises Told: ModelServerFailed, RowsRefused.
        """
        end = time.monotonic() + PATIENCE_S
        headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(document))}
        while True:
            try:
                status, answer, body = self._ask("POST", self._path, document + data, headers, limit_bytes)
            except (OSError, http.client.HTTPException) as error:
                said = f"{type(error).__name__} while it was asked"
            else:
                if status == http.HTTPStatus.OK:
                    return _reply(answer, body)
                if status not in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE):
                    message = f"the model's server refuses rows of the dataset ({status}): {_quoted(body)}"
                    raise Told("RowsRefused", message, retry=False)
                said = _quoted(body)
            if time.monotonic() > end:
                message = (
                    f"the model's server has not answered for {PATIENCE_S:.0f} s ({said}); see its container's log"
                )
                raise Told("ModelServerFailed", message, retry=True)
            time.sleep(_PAUSE_S)

    def close(self) -> None:
        """Leave the connection."""
        self._connection.close()

    def _ask(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], limit_bytes: int
    ) -> tuple[int, str, bytes]:
        """Status, the length of the answer's document as its header says it, and the body."""
        try:
            self._connection.request(method, path, body=body or None, headers=dict(headers))
            response = self._connection.getresponse()
            content = response.read(limit_bytes + 1)
        except BaseException:
            self._connection.close()
            raise
        if len(content) > limit_bytes:
            self._connection.close()
            raise _unreadable(f"it has more than {limit_bytes} bytes")
        return response.status, response.headers.get(HEADER_LENGTH, ""), content


def _reply(length: str, body: bytes) -> Reply:
    size = int(length) if length.isdecimal() and len(length) <= _LENGTH_DIGITS else len(body)
    if size > min(len(body), MAX_DOCUMENT_BYTES):
        raise _unreadable("its header's length is wrong")
    try:
        document = json.loads(body[:size])
    except (ValueError, RecursionError):
        raise _unreadable("it is no JSON") from None
    if not isinstance(document, dict):
        raise _unreadable("it is no object")
    return Reply(document, memoryview(body)[size:])


def _unreadable(detail: str) -> Told:
    return Told("ModelServerFailed", f"the model's server gives an answer that can't be read: {detail}", retry=False)


def _quoted(body: bytes) -> str:
    """What a server says, for a message: its own sentence where it is JSON."""
    text = body[:4096].decode("utf-8", "replace")
    try:
        said = json.loads(text).get("error", text)
    except (ValueError, AttributeError, RecursionError):
        said = text
    words = " ".join(str(said).split())
    return words[:_QUOTED_CHARS] or "it says nothing"
