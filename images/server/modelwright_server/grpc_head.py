"""The head of a gRPC call: which method, how long its client waits, how its messages are packed, and its metadata.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from modelwright_server.hpack import Field, HeaderBlockError, HeaderDecoder, literal
from modelwright_server.http2_frames import ConnectionFault, ErrorCode
from modelwright_server.http_message import Head
from modelwright_server.request_id import accepted_id, accepted_trace

IDENTITY = b"identity"
MAX_KNOWN_HEADS = 64
REQUEST_ID, TRACE = b"x-request-id", b"traceparent"

_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNIT_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_OF_A_CONNECTION = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
_PSEUDO = frozenset({b":method", b":scheme", b":path", b":authority"})
_NEEDED = frozenset({b":method", b":scheme", b":path"})
_NO_HEAD = Head("", "", {}, keep_alive=True, http_1_0=False)


@dataclass(frozen=True, slots=True)
class CallHead:
    """What a header block says; calls with the same block share it.

    `http` is the call as a request of HTTP, its metadata the headers. `echo` is the part of the response's header block
    that repeats the client's request id and trace. `malformed` says what HTTP/2 forbids and `http_status` is answered
    to HTTP that is no gRPC; both are empty for a call.
    """

    http: Head = _NO_HEAD
    timeout_s: float = math.inf
    encoding: bytes = IDENTITY
    echo: bytes = b""
    malformed: str = ""
    http_status: int = 0


class HeadReader:
    """Reads the header blocks of one connection. What was read before is not read again while the same bytes still
    mean the same: clients send the same head with every call.
    """

    def __init__(self, list_bytes: int) -> None:
        """`list_bytes` bounds one head."""
        self._decoder = HeaderDecoder(list_bytes)
        self._known: dict[bytes, CallHead] = {}

    def head_of(self, block: bytes) -> CallHead:
        """What a block says. Raises ConnectionFault when it can't be read."""
        known = self._known.get(block)
        if known is not None:
            return known
        changes = self._decoder.changes
        try:
            head = head_of(self._decoder.fields(block))
        except HeaderBlockError as problem:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, str(problem)) from problem
        if self._decoder.changes != changes or len(self._known) >= MAX_KNOWN_HEADS:
            self._known.clear()
        if self._decoder.changes == changes:
            self._known[block] = head
        return head


def head_of(fields: Sequence[Field]) -> CallHead:
    """Read the fields of one header block."""
    pseudo: dict[bytes, bytes] = {}
    metadata: dict[bytes, bytes] = {}
    for name, value in fields:
        if name.startswith(b":"):
            if name in pseudo or name not in _PSEUDO or metadata:
                return CallHead(malformed="a pseudo-header field is unknown, there twice, or late")
            pseudo[name] = value
        elif not _NAME.fullmatch(name) or name in _OF_A_CONNECTION or (name == b"te" and value != b"trailers"):
            return CallHead(malformed="a header field has no place in HTTP/2")
        else:
            metadata[name] = metadata[name] + b"," + value if name in metadata else value
    if not pseudo.keys() >= _NEEDED or not pseudo[b":path"]:
        return CallHead(malformed="a pseudo-header field is missing")
    if pseudo[b":method"] != b"POST":
        return CallHead(http_status=405)
    if not metadata.get(b"content-type", b"").startswith(b"application/grpc"):
        return CallHead(http_status=415)
    path = pseudo[b":path"].decode("utf-8", "replace")
    request_id, trace = accepted_id(metadata.get(REQUEST_ID)), accepted_trace(metadata.get(TRACE))
    echo = b"" if request_id is None else literal(REQUEST_ID, request_id)
    return CallHead(
        http=Head("POST", path, metadata, keep_alive=True, http_1_0=False, request_id=request_id, trace=trace),
        timeout_s=_timeout_s(metadata.get(b"grpc-timeout", b"")),
        encoding=metadata.get(b"grpc-encoding", IDENTITY),
        echo=echo if trace is None else echo + literal(TRACE, trace),
    )


def _timeout_s(text: bytes) -> float:
    """How long the client waits. What can't be read is no bound of ours: the client keeps it itself."""
    parsed = _TIMEOUT.fullmatch(text)
    return math.inf if parsed is None else int(parsed[1]) * _UNIT_S[parsed[2]]
