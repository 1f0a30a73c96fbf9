"""One HTTP request and one response as values, and how a response looks on the wire."""

from dataclasses import dataclass
from http import HTTPStatus

import orjson

JSON = b"application/json"
_STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    """A request whose head and body have been read whole.

    `path` is percent-decoded and without its query; header names are lower case; `received_s` is
    `time.perf_counter()` at the last byte (the event loop's own clock stands still while a handler runs).
    """

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes
    keep_alive: bool
    http_1_0: bool
    request_id: bytes
    received_s: float


@dataclass(frozen=True, slots=True)
class Response:
    """What a route answers; the connection adds the fields that belong to the connection.

    `rows` counts the rows that were predicted, for the metrics.
    """

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rows: int = 0


def error(status: int, sentence: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    """A response of the Open Inference Protocol's error form: `{"error": "<sentence>"}`."""
    return Response(status, orjson.dumps({"error": sentence}), headers=headers)


def render(response: Response, request: Request | None, date: bytes, *, close: bool) -> bytes:
    """The bytes of `response`; `request` is None where none could be read. A HEAD request gets no body."""
    parts = [
        _STATUS_LINES[response.status],
        b"content-type: %b\r\ncontent-length: %d\r\ndate: %b\r\n" % (response.content_type, len(response.body), date),
    ]
    if request is not None:
        parts.append(b"x-request-id: %b\r\n" % request.request_id)
    parts.extend(b"%b: %b\r\n" % field for field in response.headers)
    if close:
        parts.append(b"connection: close\r\n")
    elif request is not None and request.http_1_0:
        parts.append(b"connection: keep-alive\r\n")
    parts.append(b"\r\n")
    if request is None or request.method != "HEAD":
        parts.append(response.body)
    return b"".join(parts)
