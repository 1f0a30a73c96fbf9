"""A second, slow and plain reading of RFC 9112: which requests does a stream of bytes hold?

Where the RFC lets a recipient be lenient without doubt about where a request ends, this reading is. A server may refuse
what is read here; it must never execute what is not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") +([\x21-\x7e\x80-\xff]+) +(?:HTTP|RTSP|ICE)/1\.([01])")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_HOST = re.compile(rb"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]*)?")
_CHUNK = re.compile(rb"([0-9a-fA-F]+)[ \t]*(;[^\x00\r\n]*)?")
_LENGTH = re.compile(rb"[0-9]+")


@dataclass(frozen=True)
class Seen:
    """One request as it stands in the stream; header names are lower case, repeated ones joined."""

    method: str
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes
    is_last: bool
    """Whether the connection ends with it."""


def requests_in(stream: bytes) -> list[Seen]:
    """The whole, well-formed requests up to the first that is malformed, cut off, or the last of its connection."""
    return list(_requests(stream))


def _requests(stream: bytes) -> Iterator[Seen]:
    at = 0
    while True:
        while stream[at : at + 1] in (b"\r", b"\n"):
            at += 1
        end = stream.find(b"\r\n\r\n", at)
        head = None if end < 0 else _head(stream[at:end])
        if head is None:
            return
        method, target, minor, headers = head
        if method == "CONNECT":
            # What follows is for a tunnel, which there is not: the connection ends.
            yield Seen(method, target, headers, b"", is_last=True)
            return
        framed = _body(stream, end + 4, headers, minor)
        if framed is None:
            return
        body, at = framed
        options = {option.strip(b" \t").lower() for option in headers.get(b"connection", b"").split(b",")}
        is_last = b"close" in options or (minor == b"0" and b"keep-alive" not in options)
        yield Seen(method, target, headers, body, is_last)
        if is_last:
            return


def _head(head: bytes) -> tuple[str, bytes, bytes, dict[bytes, bytes]] | None:
    line, *fields = head.split(b"\r\n")
    request_line = _REQUEST_LINE.fullmatch(line)
    headers = _fields(fields)
    if request_line is None or headers is None:
        return None
    method, target, minor = request_line.groups()
    hosts = [field for field in fields if field.lower().startswith(b"host:")]
    if len(hosts) > 1 or (minor == b"1" and not hosts) or _HOST.fullmatch(headers.get(b"host", b"")) is None:
        return None
    return method.decode(), target, minor, headers


def _fields(lines: list[bytes]) -> dict[bytes, bytes] | None:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            return None
        name, value = field[1].lower(), field[2]
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def _body(stream: bytes, at: int, headers: dict[bytes, bytes], minor: bytes) -> tuple[bytes, int] | None:
    """The body that begins at `at`, and where it ends."""
    coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
    if coding is not None:
        # A length beside it, another coding or an old version: faulty framing (section 6.1 and 6.3).
        if length is not None or coding.lower() != b"chunked" or minor == b"0":
            return None
        return _chunks(stream, at)
    if length is None:
        return b"", at
    if _LENGTH.fullmatch(length) is None or len(stream) - at < int(length[:20]):
        return None
    return stream[at : at + int(length)], at + int(length)


def _chunks(stream: bytes, at: int) -> tuple[bytes, int] | None:
    body = b""
    while True:
        end = stream.find(b"\r\n", at)
        size_line = None if end < 0 else _CHUNK.fullmatch(stream[at:end])
        if size_line is None:
            return None
        size, at = int(size_line[1], 16), end + 2
        if size == 0:
            break
        if stream[at + size : at + size + 2] != b"\r\n":
            return None
        body += stream[at : at + size]
        at += size + 2
    end = at if stream[at : at + 2] == b"\r\n" else stream.find(b"\r\n\r\n", at) + 2
    if end < at or (end > at and _fields(stream[at : end - 2].split(b"\r\n")) is None):
        return None
    return body, end + 2
