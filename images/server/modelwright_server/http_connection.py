"""HTTP/1.1 on one connection: bytes in, requests in order to the application, responses in order out.

httptools (llhttp, strict) refuses what RFC 9112 calls malformed or ambiguous: two lengths, a length beside chunks, bare
line feeds, folded header lines. Requests of one connection are answered one after another, so that pipelined answers
keep their order and one client can't fill the queue of all.
"""

from __future__ import annotations

import asyncio
import enum
import math
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, cast

import httptools

from modelwright_server.http_message import Request, Response, error, render
from modelwright_server.http_target import path_of
from modelwright_server.request_id import request_id_of

if TYPE_CHECKING:
    from modelwright_server.http_server import HttpServer


class _Phase(enum.Enum):
    IDLE = "between requests"
    HEAD = "reading a head"
    BODY = "reading a body"
    DEAF = "what still arrives is thrown away"


class Connection(asyncio.Protocol):
    """One client's connection; made by `HttpServer` for each accepted socket."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._limits = server.limits
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._phase = _Phase.IDLE
        self._waiting: deque[Request | Response] = deque()
        self._current: Request | None = None
        self._busy = False
        self._last_request_read = False
        self._reading_paused = False
        self._writing_paused = False
        self._read_deadline = math.inf
        self._write_deadline = math.inf
        self._begin_message()

    # -- the transport's calls ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and start the idle clock."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)
        self._read_deadline = self._server.now() + self._limits.idle_timeout_s

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the client; an answer that is still being made is dropped when it comes."""
        self._server.connections.discard(self)
        self._transport = None
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        """Parse what came; whole requests are queued, and the first is handed on at once."""
        if self._phase is _Phase.DEAF or self._last_request_read:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # No other protocol is spoken here: the request is answered as it stands and the connection ends.
            self._last_request_read = True
        except httptools.HttpParserError as problem:
            if not self._last_request_read:
                self._refuse(400, f"malformed HTTP request: {problem}")
        self._count_head_chunk(len(data))
        self._next()
        self._update_reading()

    def eof_received(self) -> bool:
        """A client that closes its sending half still gets the answers it asked for."""
        self._last_request_read = True
        owed = self._busy or bool(self._waiting)
        if owed and self._phase in (_Phase.HEAD, _Phase.BODY):
            self._phase = _Phase.IDLE
            self._read_deadline = math.inf
        return owed

    def pause_writing(self) -> None:
        """The client reads too slowly: stop taking its requests."""
        self._writing_paused = True
        self._write_deadline = self._server.now() + self._limits.write_timeout_s
        self._update_reading()

    def resume_writing(self) -> None:
        """The client caught up."""
        self._writing_paused = False
        if self._phase is not _Phase.DEAF:
            self._write_deadline = math.inf
        self._update_reading()
        self._next()

    # -- the parser's calls ---------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A first byte of a request."""
        if self._phase is _Phase.IDLE and not self._last_request_read:
            self._begin_message()
            self._phase = _Phase.HEAD
            self._read_deadline = self._server.now() + self._limits.head_timeout_s

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        if self._phase is _Phase.HEAD:
            self._url += url
            self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One whole header field, or a trailer field, which is counted and ignored."""
        if self._phase is _Phase.HEAD:
            key = name.lower()
            known = self._headers.get(key)
            if known is not None and key == b"host":
                self._refuse(400, "malformed HTTP request: more than one Host header")
                return
            self._headers[key] = value if known is None else known + b", " + value
        if self._phase in (_Phase.HEAD, _Phase.BODY):
            self._count_head(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """The head is whole: refuse now what would be refused after the body."""
        if self._phase is not _Phase.HEAD:
            return
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._refuse(505, f"HTTP {version} is not spoken here; use HTTP/1.1")
        elif version == "1.1" and b"host" not in self._headers:
            self._refuse(400, "malformed HTTP request: HTTP/1.1 needs a Host header")
        elif self._headers.get(b"transfer-encoding", b"chunked").strip().lower() != b"chunked":
            self._refuse(501, "the only Transfer-Encoding taken is chunked")
        elif int(self._headers.get(b"content-length", b"0")) > self._limits.body_bytes:
            self._refuse_body()
        elif (expectation := self._headers.get(b"expect")) is not None and expectation.lower() != b"100-continue":
            self._refuse(417, "the only expectation taken is 100-continue")
        else:
            self._phase = _Phase.BODY
            self._read_deadline = self._server.now() + self._limits.body_timeout_s
            if expectation is not None and version == "1.1" and self._transport and not self._owes_answers():
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._phase is _Phase.BODY:
            self._body_bytes += len(body)
            if self._body_bytes > self._limits.body_bytes:
                self._refuse_body()
            else:
                self._body.append(body)

    def on_message_complete(self) -> None:
        """A whole request: queue it."""
        if self._phase is not _Phase.BODY:
            return
        self._phase = _Phase.IDLE
        self._read_deadline = math.inf
        keep_alive = self._parser.should_keep_alive()
        self._last_request_read = not keep_alive
        path = path_of(self._url)
        if path is None:
            self._refuse(400, "malformed HTTP request: the request target can't be read")
            return
        self._waiting.append(
            Request(
                method=self._parser.get_method().decode("ascii"),
                path=path,
                headers=self._headers,
                body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
                keep_alive=keep_alive,
                http_1_0=self._parser.get_http_version() == "1.0",
                request_id=request_id_of(self._headers.get(b"x-request-id")),
                received_s=perf_counter(),
            )
        )
        self._begin_message()

    # -- the server's calls ---------------------------------------------------------------------------------------

    def check_deadlines(self, now: float) -> None:
        """Called a few times a second: end what has taken too long."""
        transport = self._transport
        if transport is None:
            return
        if now > self._write_deadline:
            transport.abort()
        elif now > self._read_deadline:
            self._read_deadline = math.inf
            match self._phase:
                case _Phase.HEAD:
                    self._refuse(408, f"the request's head did not arrive in {self._limits.head_timeout_s:g} s")
                    self._next()
                case _Phase.BODY:
                    self._refuse(408, f"the request's body did not arrive in {self._limits.body_timeout_s:g} s")
                    self._next()
                case _Phase.IDLE:
                    transport.close()
                case _Phase.DEAF if transport.get_write_buffer_size():
                    self._read_deadline = now + self._limits.linger_s
                case _Phase.DEAF:
                    transport.close()

    def is_idle(self) -> bool:
        """True when nothing is being read, waited for or answered."""
        return self._phase in (_Phase.IDLE, _Phase.DEAF) and not self._owes_answers()

    def close_if_idle(self) -> None:
        """End a kept-alive connection between two requests (the last step of a drain)."""
        if self._transport is not None and self._phase is _Phase.IDLE and not self._owes_answers():
            self._close_gently()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _begin_message(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._head_began_in_this_chunk = True

    def _count_head(self, size_bytes: int) -> None:
        self._head_bytes += size_bytes
        if self._head_bytes > self._limits.head_bytes:
            self._refuse(431, f"the request's head is over the limit of {self._limits.head_bytes} bytes")

    def _count_head_chunk(self, size_bytes: int) -> None:
        # The parser reports a header field only when it is whole, so an endless field is bounded by its chunks.
        if self._phase is not _Phase.HEAD:
            return
        if self._head_began_in_this_chunk:
            self._head_began_in_this_chunk = False
        else:
            self._count_head(size_bytes)

    def _refuse_body(self) -> None:
        limit = self._limits.body_bytes
        self._refuse(413, f"the request's body is over the limit of {limit} bytes; send the rows in several requests")

    def _refuse(self, status: int, sentence: str) -> None:
        """Queue an error after what is still owed, read nothing more, and close after it."""
        self._phase = _Phase.DEAF
        self._last_request_read = True
        self._read_deadline = math.inf
        self._waiting.append(error(status, sentence))

    def _owes_answers(self) -> bool:
        return self._busy or bool(self._waiting)

    def _next(self) -> None:
        if self._busy or not self._waiting or self._writing_paused or self._transport is None:
            return
        self._busy = True
        match self._waiting.popleft():
            case Request() as request:
                self._current = request
                self._server.application.handle(request, self._reply)
            case Response() as refusal:
                self._server.application.refused(refusal)
                self._reply(refusal)

    def _reply(self, response: Response) -> None:
        """Write the answer to the current request; called exactly once for each, on the event loop's thread."""
        request, self._current = self._current, None
        self._busy = False
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        more = bool(self._waiting)
        reading = self._phase in (_Phase.HEAD, _Phase.BODY)
        close = not more and (self._last_request_read or (self._server.draining and not reading))
        transport.write(render(response, request, self._server.date, close=close))
        if close:
            self._close_gently()
        elif more:
            # Not at once: other connections take their turn between two pipelined requests.
            self._server.loop.call_soon(self._next)
        elif not reading:
            self._read_deadline = self._server.now() + self._limits.idle_timeout_s
        self._update_reading()

    def _close_gently(self) -> None:
        # Closing with unread bytes makes the kernel send a reset, which can destroy the answer on its way: so the
        # sending half is closed first and what still comes is thrown away for a moment (RFC 9112, section 9.6).
        self._phase = _Phase.DEAF
        self._last_request_read = True
        self._read_deadline = self._server.now() + self._limits.linger_s
        self._write_deadline = self._server.now() + self._limits.write_timeout_s
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
        self._update_reading()

    def _update_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        pause = self._phase is not _Phase.DEAF and (self._writing_paused or len(self._waiting) >= self._limits.pipeline)
        if pause and not self._reading_paused:
            self._reading_paused = True
            transport.pause_reading()
        elif not pause and self._reading_paused:
            self._reading_paused = False
            transport.resume_reading()
            if self._phase in (_Phase.HEAD, _Phase.BODY):
                self._read_deadline = self._server.now() + self._limits.body_timeout_s
