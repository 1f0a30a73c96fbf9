"""HTTP/1.1 on one connection: bytes in, requests in order to the application, responses in order out.

httptools (llhttp, strict) refuses what RFC 9112 calls malformed or ambiguous: two lengths, a length beside chunks, bare
line feeds, folded header lines. Requests of one connection are answered one after another, so that pipelined answers
keep their order and one client can't fill the queue of all. A head whose bytes were parsed before is not parsed again
(`known_heads`): clients send the same head with every request.
"""

from __future__ import annotations

import asyncio
import enum
import math
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, cast

import httptools

from modelwright_server.http_head import fault_of, head_of, refusal_of, says_close, too_long, without_upgrade
from modelwright_server.http_message import JSON, RETRY_SOON, Request, Response, error, render, render_ok
from modelwright_server.http_target import path_of
from modelwright_server.known_heads import MAX_HEAD_BYTES
from modelwright_server.request_id import fresh_id
from modelwright_server.unsent import unsent_bytes

if TYPE_CHECKING:
    from modelwright_server.http_server import HttpServer

PIECE_BYTES = 16 * 1024
"""What is parsed at once: many small requests take far more memory when they are parsed than as bytes."""

_MOST_FRAMING = 8
"""Bytes that may come over the wire for each byte of a chunked body."""

OK, TOO_MANY_REQUESTS = 200, 429


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
        self._known = server.known_heads
        self._handle = server.application.handle
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._phase = _Phase.IDLE
        self._waiting: deque[Request | Response] = deque()
        self._current: Request | None = None
        self._busy = self._last_request_read = False
        self._refused_head_request = False
        self._reading_paused = self._writing_paused = False
        self._read_deadline = self._write_deadline = math.inf
        self._unparsed = b""
        self._held_bytes = 0
        self._upgrade_ignored: bytes | None = None
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
        self._unparsed = b""
        # What is being answered is held by the application until it is done.
        self._release(self._held_bytes - (len(self._current.body) if self._current else 0))

    def data_received(self, data: bytes) -> None:
        """Parse what came; whole requests are queued, and the first is handed on at once."""
        if self._phase is _Phase.DEAF or self._last_request_read:
            return
        at_boundary = self._phase is _Phase.IDLE and not (self._busy or self._waiting or self._writing_paused)
        end = data.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES) + 4 if at_boundary else 0
        if end > 4:
            head = self._known.get(data[:end], len(data) - end)
            if head is not None and self._hold(len(data) - end):
                self._busy = True
                self._read_deadline = math.inf
                self._current = request = Request(head, data[end:], fresh_id(), perf_counter())
                self._handle(request, self._reply)
                return
        self._parse_on(data)
        if end > 4 and self._phase is _Phase.IDLE and len(self._waiting) == 1 and not self._last_request_read:
            self._known.learn(data, end, self._waiting[0])
        self._next()
        self._update_reading()

    def _parse_on(self, data: bytes = b"") -> None:
        """Parse what came until as many requests wait as may; the rest stays bytes."""
        data, at = self._unparsed + data, 0
        while at < len(data) and len(self._waiting) < self._limits.pipeline and not self._last_request_read:
            at += self._parse(data[at : at + PIECE_BYTES])
        self._unparsed = b"" if self._last_request_read else data[at:]

    def _parse(self, data: bytes) -> int:
        """Returns how many bytes of `data` were read."""
        read = len(data)
        unfinished = self._body if self._phase is _Phase.BODY else None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            head, self._upgrade_ignored = self._upgrade_ignored, None
            if head is None:
                # CONNECT: there is no tunnel here, and what follows is no request.
                self._last_request_read = True
            else:
                self._parser = httptools.HttpRequestParser(self)
                self._parse(head)
                read = upgrade.args[0]
        except httptools.HttpParserError as problem:
            if not self._last_request_read:
                self._refuse(*refusal_of(problem))
        self._count_head_chunk(read)
        if unfinished is self._body and self._phase is _Phase.BODY:
            self._count_framing(read)
        return read

    def eof_received(self) -> bool:
        """A client that closes its sending half still gets the answers it asked for; over TLS there is no such half."""
        self._last_request_read = True
        if self._phase in (_Phase.HEAD, _Phase.BODY):
            self._phase = _Phase.IDLE
            self._read_deadline = math.inf
        transport = self._transport
        stays = transport is not None and transport.can_write_eof() and self._owes_answers()
        if transport is not None and not stays:
            transport.close()
        return stays

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
            value = value.rstrip(b" \t")
            self._headers[key] = value if known is None else known + b", " + value
        if self._phase in (_Phase.HEAD, _Phase.BODY):
            self._count_head(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """The head is whole: refuse now what would be refused after the body."""
        if self._phase is not _Phase.HEAD:
            return
        self._phase = _Phase.BODY
        parser, headers = self._parser, self._headers
        version = parser.get_http_version()
        fault = fault_of(version, headers, self._limits)
        if fault is not None:
            self._refuse(*fault)
            return
        self._read_deadline = self._server.now() + self._limits.body_timeout_s
        if b"expect" in headers and version == "1.1" and self._transport and not self._owes_answers():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if parser.should_upgrade() and parser.get_method() != b"CONNECT":
            keep_alive = parser.should_keep_alive()
            self._upgrade_ignored = without_upgrade(parser.get_method(), version, headers, keep_alive=keep_alive)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._phase is _Phase.BODY:
            self._body_bytes += len(body)
            if self._body_bytes > self._limits.body_bytes:
                self._refuse(*too_long(self._limits))
            elif not self._hold(len(body)):
                self._refuse(429, "the server holds as many bytes of requests as it may; ask again in a second")
            else:
                self._body += body

    def on_message_complete(self) -> None:
        """A whole request: queue it."""
        if self._phase is not _Phase.BODY or self._upgrade_ignored is not None:
            return
        self._phase = _Phase.IDLE
        self._read_deadline = math.inf
        keep_alive = self._parser.should_keep_alive() and not says_close(self._headers)
        self._last_request_read = not keep_alive
        path = path_of(self._url)
        if path is None:
            self._refuse(400, "malformed HTTP request: the request target can't be read")
            return
        parser = self._parser
        head = head_of(parser.get_method(), parser.get_http_version(), path, self._headers, keep_alive=keep_alive)
        self._waiting.append(Request(head, bytes(self._body), head.request_id or fresh_id(), perf_counter()))
        self._begin_message()

    # -- the server's calls ---------------------------------------------------------------------------------------

    def check_deadlines(self, now: float) -> None:
        """Called a few times a second: end what has taken too long."""
        transport = self._transport
        if transport is None:
            return
        if now > self._write_deadline:
            transport.abort()
        elif now > self._read_deadline and (self._phase is _Phase.DEAF or not self._reading_paused):
            # While nothing is read because too much is owed, it isn't the client who is late.
            self._read_deadline = math.inf
            match self._phase:
                case _Phase.HEAD:
                    self._refuse(408, f"the request's head did not arrive in {self._limits.head_timeout_s:g} s")
                case _Phase.BODY:
                    self._refuse(408, f"the request's body did not arrive in {self._limits.body_timeout_s:g} s")
                case _Phase.DEAF if unsent_bytes(transport):
                    self._read_deadline = now + self._limits.linger_s
                case _ if transport.is_closing():
                    # Over TLS a client that says nothing would be waited for.
                    transport.abort()
                case _:
                    self._read_deadline = now + self._limits.linger_s
                    transport.close()
            self._next()

    def close_if_idle(self) -> None:
        """End a kept-alive connection between two requests (the last step of a drain)."""
        if self._transport is not None and self._phase is _Phase.IDLE and not self._owes_answers():
            self._close_gently()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _begin_message(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._body_bytes = 0
        self._framing_bytes = 0
        self._head_bytes = 0
        self._head_raw_bytes = 0
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
            return
        self._head_raw_bytes += size_bytes
        if self._head_raw_bytes > 2 * self._limits.head_bytes:
            self._refuse(431, f"the request's head is over the limit of {self._limits.head_bytes} bytes")

    def _count_framing(self, size_bytes: int) -> None:
        # RFC 9112, section 7.1.1: chunk extensions are to be bounded. A chunk of one byte takes six.
        self._framing_bytes += size_bytes
        if self._framing_bytes > _MOST_FRAMING * self._body_bytes + self._limits.head_bytes:
            self._refuse(400, "malformed HTTP request: the chunks' sizes and extensions are longer than their data")

    def _refuse(self, status: int, sentence: str) -> None:
        """Queue an error after what is still owed, read nothing more, and close after it."""
        self._refused_head_request = self._phase is _Phase.BODY and self._parser.get_method() == b"HEAD"
        self._phase = _Phase.DEAF
        self._last_request_read = True
        self._read_deadline = math.inf
        self._release(len(self._body))
        self._body = bytearray()
        self._waiting.append(error(status, sentence, RETRY_SOON if status == TOO_MANY_REQUESTS else ()))

    def _hold(self, size_bytes: int) -> bool:
        if not self._server.hold(size_bytes):
            return False
        self._held_bytes += size_bytes
        return True

    def _release(self, size_bytes: int) -> None:
        self._held_bytes -= size_bytes
        self._server.release(size_bytes)

    def _owes_answers(self) -> bool:
        return self._busy or bool(self._waiting)

    def _next(self) -> None:
        if self._busy or not self._waiting or self._writing_paused or self._transport is None:
            return
        self._busy = True
        first = self._waiting.popleft()
        if self._unparsed:
            self._parse_on()
        if isinstance(first, Request):
            self._current = first
            self._handle(first, self._reply)
        else:
            self._server.application.refused(first)
            self._reply(first)

    def _reply(self, response: Response) -> None:
        """Write the answer to the current request; called exactly once for each, on the event loop's thread."""
        request, self._current = self._current, None
        self._busy = False
        transport, server = self._transport, self._server
        if request is not None and request.body:
            self._release(len(request.body))
        if transport is None or transport.is_closing():
            return
        more = bool(self._waiting)
        if (
            request is not None
            and request.head.plain
            and response.status == OK
            and response.content_type is JSON
            and not response.headers
            and self._phase is _Phase.IDLE
            and not (more or self._last_request_read or self._reading_paused or server.draining)
        ):
            # What nearly every answer is, in the fewest steps.
            transport.write(render_ok(server.ok_prefix, request.request_id, response.body))
            self._read_deadline = server.now() + self._limits.idle_timeout_s
            return
        reading = self._phase in (_Phase.HEAD, _Phase.BODY)
        close = not more and (self._last_request_read or (server.draining and not reading))
        rendered = render(response, request, server.date, close=close, version=server.version)
        if request is None and self._refused_head_request:
            rendered = rendered.removesuffix(response.body)
        transport.write(rendered)
        if close:
            self._close_gently()
        elif more:
            # Not at once: other connections take their turn between two pipelined requests.
            server.loop.call_soon(self._next)
        elif not reading:
            self._read_deadline = server.now() + self._limits.idle_timeout_s
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
        owes_much = len(self._waiting) >= self._limits.pipeline
        pause = self._writing_paused or (owes_much and self._phase is not _Phase.DEAF)
        if pause and not self._reading_paused:
            self._reading_paused = True
            transport.pause_reading()
        elif not pause and self._reading_paused:
            self._reading_paused = False
            transport.resume_reading()
            if self._phase in (_Phase.HEAD, _Phase.BODY):
                self._read_deadline = self._server.now() + self._limits.body_timeout_s
