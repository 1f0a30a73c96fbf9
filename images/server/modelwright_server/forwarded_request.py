"""How a request looks that is passed on to the canary, and how its answer looks to the client."""

from __future__ import annotations

import re
from collections.abc import Mapping

from modelwright_server.answers import HEADER_LENGTH
from modelwright_server.canary_answer import Answer
from modelwright_server.http_message import FORWARDED, VERSION, Request, Response
from modelwright_server.routing import Origin

_PASSED_ON = (b"content-type", b"content-encoding", b"authorization", HEADER_LENGTH)
"""Of the client's fields, beside its trace: what the answer depends on. The rest belongs to its own connection."""

_OWN_TIME = re.compile(rb"total;dur=([0-9]{1,9}(?:\.[0-9]{1,9})?)")


def request_line(path: str, origin: Origin) -> bytes:
    """The request line and the Host field for a path of the model."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return b"POST %b HTTP/1.1\r\nhost: %b:%d\r\n" % (path.encode("ascii"), host.encode("ascii"), origin.port)


def request_head(line: bytes, generation: bytes, request: Request) -> bytes:
    """The whole head. What the client sent was read by the same strict parser, so no value can end its line."""
    parts = [
        line,
        b"%b: %b\r\nx-request-id: %b\r\ncontent-length: %d\r\n"
        % (FORWARDED, generation, request.request_id, len(request.body)),
    ]
    head = request.head
    parts += [b"%b: %b\r\n" % (name, head.headers[name]) for name in _PASSED_ON if name in head.headers]
    if head.trace is not None:
        parts.append(b"traceparent: %b\r\n" % head.trace)
    parts.append(b"\r\n")
    return b"".join(parts)


def own_seconds(headers: Mapping[bytes, bytes]) -> float | None:
    """What the canary says it took from the request's last byte to its answer; None where it says nothing."""
    told = _OWN_TIME.fullmatch(headers.get(b"server-timing", b""))
    return None if told is None else float(told[1]) / 1000


def response_of(answer: Answer, version: bytes, rows: int) -> Response:
    """The canary's answer as this server's own, with the version that it comes from."""
    fields = [(VERSION, version)]
    if HEADER_LENGTH in answer.headers:
        fields.append((HEADER_LENGTH, answer.headers[HEADER_LENGTH]))
    content_type = answer.headers.get(b"content-type", b"application/json")
    return Response(answer.status, answer.body, content_type, tuple(fields), rows)
