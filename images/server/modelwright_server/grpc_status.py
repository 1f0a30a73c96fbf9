"""gRPC's status codes, how what goes wrong becomes one, and the header blocks that carry it.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

from enum import IntEnum
from urllib.parse import quote

from modelwright_server.hpack import literal
from modelwright_server.problems import Problem


class Code(IntEnum):
    """The codes that are answered here (https://grpc.io/docs/guides/status-codes/)."""

    OK = 0
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    404: Code.NOT_FOUND,
    408: Code.DEADLINE_EXCEEDED,
    413: Code.RESOURCE_EXHAUSTED,
    422: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    500: Code.INTERNAL,
    501: Code.UNIMPLEMENTED,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}
_TRY_AGAIN = frozenset({429, 503})
_MAX_SENTENCE = 2048
_NOT_ESCAPED = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}~"
"""Printable ASCII but the percent sign; letters, digits and _.- are never escaped."""

_STATUS_200 = b"\x88"
"""`:status: 200`, field 8 of HPACK's static table."""

_CONTENT_TYPE = literal(b"content-type", b"application/grpc")

RESPONSE = _STATUS_200 + _CONTENT_TYPE + literal(b"grpc-accept-encoding", b"identity,deflate,gzip")
"""The header block of a response with messages."""

OK_TRAILERS = literal(b"grpc-status", b"0")


def code_of(problem: Problem) -> Code:
    """The status for what went wrong."""
    return _CODES.get(problem.status, Code.UNKNOWN)


def trailers(problem: Problem) -> bytes:
    """The trailers that tell what went wrong. Where asking again soon may help they say so, also to retry policies."""
    text = quote(problem.sentence[:_MAX_SENTENCE], safe=_NOT_ESCAPED, errors="replace").encode("ascii")
    block = literal(b"grpc-status", b"%d" % code_of(problem)) + literal(b"grpc-message", text)
    if problem.status in _TRY_AGAIN:
        block += literal(b"retry-after", b"1") + literal(b"grpc-retry-pushback-ms", b"1000")
    return block


def refusal(problem: Problem) -> bytes:
    """The header block of a response that is nothing but what went wrong."""
    return RESPONSE + trailers(problem)


def http_refusal(status: int) -> bytes:
    """The header block that answers what is no gRPC at all."""
    return literal(b":status", b"%d" % status)
