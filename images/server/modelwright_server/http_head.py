"""The head of a request: whether it frames one request that can be read here (RFC 9112), and what it says."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

import httptools

from modelwright_server.http_message import Head
from modelwright_server.request_id import accepted_id, accepted_trace
from modelwright_server.settings import HttpLimits

LOGGER = logging.getLogger(__name__)

_HOST = re.compile(rb"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
"""RFC 3986, section 3.2: an IP literal or a registered name, and a port."""

_CODING = b"transfer-encoding"


def fault_of(version: str, headers: Mapping[bytes, bytes], limits: HttpLimits) -> tuple[int, str] | None:
    """The status and the sentence that refuse it, or None; malformed lengths and codings the parser has refused."""
    coding, expectation = headers.get(_CODING), headers.get(b"expect", b"100-continue")
    if version not in ("1.1", "1.0"):
        return 505, f"HTTP {version} is not spoken here; use HTTP/1.1"
    if version == "1.1" and b"host" not in headers:
        return 400, "malformed HTTP request: HTTP/1.1 needs a Host header"
    if not _HOST.fullmatch(headers.get(b"host", b"")):
        return 400, "malformed HTTP request: Host is no host name with an optional port"
    if coding is not None and coding.lower() != b"chunked":
        return 501, "the only Transfer-Encoding taken is chunked"
    if coding is not None and version == "1.0":
        # Section 6.1: faulty framing, because older readers on the way don't know chunks.
        return 400, "malformed HTTP request: HTTP/1.0 has no Transfer-Encoding"
    if int(headers.get(b"content-length", b"0")) > limits.body_bytes:
        return too_long(limits)
    if expectation.lower() != b"100-continue":
        return 417, "the only expectation taken is 100-continue"
    return None


def refusal_of(problem: httptools.HttpParserError) -> tuple[int, str]:
    """The status and the sentence for bytes that the parser could not take, or that this server failed on."""
    if isinstance(problem, httptools.HttpParserCallbackError):
        LOGGER.error("reading a request failed", exc_info=problem.__context__ or problem)
        return 500, "the server failed to read this request"
    return 400, f"malformed HTTP request: {problem}"


def head_of(method: bytes, version: str, path: str, headers: Mapping[bytes, bytes], *, keep_alive: bool) -> Head:
    """A head without fault as a value."""
    return Head(
        method=method.decode("ascii"),
        path=path,
        headers=headers,
        keep_alive=keep_alive,
        http_1_0=version == "1.0",
        request_id=accepted_id(headers.get(b"x-request-id")),
        trace=accepted_trace(headers.get(b"traceparent")),
    )


def too_long(limits: HttpLimits) -> tuple[int, str]:
    """What refuses a body over the limit."""
    return 413, f"the request's body is over the limit of {limits.body_bytes} bytes; send the rows in several requests"


def says_close(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the connection ends with this request, whatever else is said of it (section 9.3)."""
    options = headers.get(b"connection", b"").split(b",")
    return any(option.strip(b" \t").lower() == b"close" for option in options)


def without_upgrade(method: bytes, version: str, headers: Mapping[bytes, bytes], *, keep_alive: bool) -> bytes:
    """A head that frames the same body and offers no other protocol: the parser reads no body after such an offer."""
    framing = b"transfer-encoding: chunked"
    if _CODING not in headers:
        framing = b"content-length: " + headers.get(b"content-length", b"0")
    connection = b"keep-alive" if keep_alive else b"close"
    return b"%b / HTTP/%b\r\nconnection: %b\r\n%b\r\n\r\n" % (method, version.encode("ascii"), connection, framing)
