"""One HTTP request and one response as values, and how a response looks on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from time import perf_counter

import orjson

JSON = b"application/json"
RETRY_SOON = ((b"retry-after", b"1"),)
"""What 429 and 503 tell: ask again in so many seconds."""

VERSION = b"modelwright-version"
"""The field of a response that names the model version which answered."""

FORWARDED = b"modelwright-forwarded"
"""The field of a request that another server passed on, with the generation of its routing."""

_STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head, read and found sound: it may be shared by many requests and is never changed.

    `path` is percent-decoded and without its query; header names are lower case; `request_id` and `trace` are the
    client's own x-request-id and traceparent (W3C Trace Context) where they can be taken over.
    """

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    keep_alive: bool
    http_1_0: bool
    request_id: bytes | None = None
    trace: bytes | None = None
    plain: bool = field(init=False)
    """Whether a response needs nothing that depends on this head but the request id."""

    def __post_init__(self) -> None:
        plain = self.keep_alive and not self.http_1_0 and self.trace is None and self.method != "HEAD"
        plain = plain and FORWARDED not in self.headers
        object.__setattr__(self, "plain", plain)


class Request:
    """A request whose head and body have been read whole.

    `received_s` is `time.perf_counter()` at the last byte (the event loop's own clock stands still while a handler
    runs); `request_id` is the client's or one made up.
    """

    __slots__ = ("body", "head", "received_s", "request_id")

    def __init__(self, head: Head, body: bytes, request_id: bytes, received_s: float) -> None:
        self.head = head
        self.body = body
        self.request_id = request_id
        self.received_s = received_s

    @property
    def method(self) -> str:
        """GET, POST, …"""
        return self.head.method

    @property
    def path(self) -> str:
        """See Head."""
        return self.head.path

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """See Head."""
        return self.head.headers


@dataclass(slots=True)
class Response:
    """What a route answers; the connection adds the fields that belong to the connection.

    `rows` counts the rows that were predicted, for the log.
    """

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rows: int = 0


def error(status: int, sentence: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    """A response of the Open Inference Protocol's error form: `{"error": "<sentence>"}`."""
    return Response(status, orjson.dumps({"error": sentence}), headers=headers)


def render(response: Response, request: Request | None, date: bytes, *, close: bool, version: bytes = b"") -> bytes:
    """The bytes of `response`; `request` is None where none could be read. A HEAD request gets no body.

    `version` is `version_field`'s, unless the response itself says which version it comes from.
    """
    parts = [
        _STATUS_LINES[response.status],
        b"content-type: %b\r\ncontent-length: %d\r\ndate: %b\r\n" % (response.content_type, len(response.body), date),
    ]
    if request is not None:
        parts.append(b"x-request-id: %b\r\n" % request.request_id)
        if request.head.trace is not None:
            parts.append(b"traceparent: %b\r\n" % request.head.trace)
        if FORWARDED in request.head.headers:
            # Who passed it on compares this server's own time with its own.
            parts.append(b"server-timing: total;dur=%.3f\r\n" % (1000 * (perf_counter() - request.received_s)))
    if all(name != VERSION for name, _ in response.headers):
        parts.append(version)
    parts.extend(b"%b: %b\r\n" % field for field in response.headers)
    if close:
        parts.append(b"connection: close\r\n")
    elif request is not None and request.head.http_1_0:
        parts.append(b"connection: keep-alive\r\n")
    parts.append(b"\r\n")
    if request is None or request.method != "HEAD":
        parts.append(response.body)
    return b"".join(parts)


def version_field(version: str) -> bytes:
    """What tells in each response which version answered; nothing where the version has no name, or no plain one."""
    plain = version.isascii() and version.isprintable()
    return b"%b: %b\r\n" % (VERSION, version.encode("ascii")) if version and plain else b""


def ok_prefix(date: bytes, version: bytes = b"") -> bytes:
    """What `render` begins the most frequent response with: 200, JSON. The request id follows."""
    begin = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: %b\r\n" % date
    return b"%b%bx-request-id: " % (begin, version)


def render_ok(prefix: bytes, request_id: bytes, body: bytes) -> bytes:
    """The bytes of a 200 with a JSON body on a connection that stays open; `prefix` is `ok_prefix`'s."""
    return b"%b%b\r\ncontent-length: %d\r\n\r\n%b" % (prefix, request_id, len(body), body)
