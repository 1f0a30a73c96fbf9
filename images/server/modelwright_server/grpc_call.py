"""One gRPC call: its messages in, and its answer out.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from modelwright_server.batcher import model_failure
from modelwright_server.grpc_head import IDENTITY, CallHead
from modelwright_server.grpc_status import OK_TRAILERS, RESPONSE, http_refusal, refusal, trailers
from modelwright_server.http2_frames import STREAM_WINDOW
from modelwright_server.http2_sending import NoRoom, Stream
from modelwright_server.problems import Problem

if TYPE_CHECKING:
    from modelwright_server.grpc_server import GrpcServer
    from modelwright_server.http2_connection import Connection

LOGGER = logging.getLogger(__name__)

PREFIX_BYTES = 5
"""Before each message: whether it is packed, and its length in four bytes."""

_WINDOW_BITS = {b"gzip": 31, b"deflate": 15}
_OK = 200


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a service.

    A unary one is given its only message once the client has sent all, and answers once, with `respond` or `fail`, now
    or later. A streaming one is given each message as it comes, is told by `ended` that no more will come, and answers
    with `send` until `finish` or `fail`. `gone` is told when nobody waits for an answer any longer. Everything happens
    on the event loop's thread.

    `route` is what its calls are counted as; None where what answers them counts. `for_all` asks for no token.
    """

    take: Callable[[Call, bytes], None]
    route: str | None
    streaming: bool = False
    ended: Callable[[Call], None] = lambda _call: None
    gone: Callable[[Call], None] = lambda _call: None
    for_all: bool = False


class Call(Stream):
    """A call from its head to its status; made for each stream that a client opens."""

    __slots__ = (
        "_answering",
        "_closed",
        "_connection",
        "_credit",
        "_deadline",
        "_held_bytes",
        "_method",
        "_read_deadline",
        "_received",
        "_server",
        "half_closed",
        "head",
        "packed",
        "received_s",
        "working",
    )

    def __init__(
        self, server: GrpcServer, connection: Connection, stream: int, head: CallHead, send_window: int
    ) -> None:
        Stream.__init__(self, stream, send_window)
        self.head = head
        self.half_closed = False
        """Whether the client has sent all."""
        self.working = False
        """Whether a unary method was given its message and has not answered yet."""
        self.received_s = 0.0
        """`time.perf_counter()` when the last message was there."""
        self._server = server
        self._connection = connection
        self._method: Method | None = None
        self._deadline = self._read_deadline = math.inf
        self._credit = STREAM_WINDOW
        self._received: bytearray | None = None
        self._held_bytes = 0
        self.packed = False
        """Whether the message is to be `unpacked`."""
        self._answering = False
        self._closed = False

    # -- what the connection tells --------------------------------------------------------------------------------

    def opened(self, *, ends: bool) -> None:
        """The head is there; with `ends` it is all that comes."""
        head, server = self.head, self._server
        self.half_closed = ends
        method = server.methods.get(head.http.path)
        if head.http_status:
            self._close(head.http_status)
            self._connection.out.end(self, http_refusal(head.http_status))
        elif method is None:
            self._refuse(Problem(f"there is no method {head.http.path[:256]} here", 501))
        elif not (method.for_all or server.admits(head.http.headers.get(b"authorization"))):
            self._refuse(Problem("a bearer token is needed: send the metadata `authorization: Bearer <token>`", 401))
        elif head.encoding != IDENTITY and head.encoding not in _WINDOW_BITS:
            self._refuse(Problem("grpc-encoding must be identity, gzip or deflate", 501))
        else:
            now = server.now()
            self._method = method
            self._deadline = now + head.timeout_s
            self._read_deadline = now + server.limits.body_timeout_s
            if ends:
                self._collect(b"", method)

    def data_received(self, payload: bytes, size: int, *, ends: bool) -> None:
        """A piece of the messages; `size` is what it counted in the window."""
        method = self._method
        if method is None or self._closed:
            return
        if (
            ends
            and self._received is None
            and len(payload) >= PREFIX_BYTES
            and not payload[0]
            and int.from_bytes(payload[1:PREFIX_BYTES], "big") == len(payload) - PREFIX_BYTES
        ):
            # The one message of nearly every call, in one piece.
            self.half_closed = True
            self._take(payload[PREFIX_BYTES:], method)
            method.ended(self)
            return
        self._credit -= size
        self.half_closed = ends
        self._collect(payload, method)
        if self._credit < STREAM_WINDOW // 2 and not (ends or self._closed):
            self._connection.give_window(self.id, STREAM_WINDOW - self._credit)
            self._credit = STREAM_WINDOW

    def cancelled(self) -> None:
        """The client no longer waits."""
        self._close(0)

    def check_deadline(self, now: float) -> None:
        """Called a few times a second."""
        if self._closed:
            return
        if now > self._deadline:
            self._refuse(Problem("the client's deadline passed before there was an answer", 504))
        elif now > self._read_deadline and not self.half_closed:
            limit = self._server.limits.body_timeout_s
            self._refuse(Problem(f"the request's body did not arrive in {limit:g} s", 408))

    def all_sent(self) -> None:
        """The end of the answer is on its way."""
        self._connection.ended(self)

    # -- what methods ask -----------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether nobody waits for an answer any longer."""
        return self._closed

    def unpacked(self, message: bytes) -> bytes:
        """The message as it was before it was packed. Raises Problem. May be called on any thread."""
        if not self.packed:
            return message
        limit = self._server.limits.body_bytes
        try:
            unpacking = zlib.decompressobj(_WINDOW_BITS[self.head.encoding])
            data = unpacking.decompress(message, limit + 1)
        except (KeyError, zlib.error) as problem:
            raise Problem(f"the message can't be unpacked: {problem}", 400) from None
        if len(data) > limit:
            raise self._too_large()
        if not unpacking.eof:
            raise Problem("the message can't be unpacked: it ends too early", 400)
        return data

    def respond(self, message: bytes) -> None:
        """Answer a unary call."""
        if self._is_wanted():
            self._close(_OK)
            self._answering = True
            try:
                self._connection.out.answer(self, RESPONSE + self.head.echo, _framed(message), OK_TRAILERS)
            except NoRoom:
                self._connection.out.end(self, trailers(_NOBODY_READS))

    def fail(self, problem: Problem) -> None:
        """Answer with a status that says what went wrong."""
        if self._is_wanted():
            self._refuse(problem)

    def send(self, message: bytes) -> None:
        """One of the answers of a streaming call."""
        if self._closed:
            return
        out = self._connection.out
        if not self._answering:
            self._answering = True
            out.headers(self, RESPONSE + self.head.echo)
        try:
            out.data(self, _framed(message))
        except NoRoom:
            self._refuse(_NOBODY_READS)

    def finish(self) -> None:
        """A streaming call has had its last answer."""
        if not self._closed:
            self._close(_OK)
            block = OK_TRAILERS if self._answering else RESPONSE + self.head.echo + OK_TRAILERS
            self._connection.out.end(self, block)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _collect(self, payload: bytes, method: Method) -> None:
        """Put pieces together and hand over what is whole."""
        received = self._received = bytearray() if self._received is None else self._received
        if payload:
            if not self._server.room.hold(len(payload)):
                self._refuse(
                    Problem("the server holds as many bytes of requests as it may; ask again in a second", 429)
                )
                return
            self._held_bytes += len(payload)
            received += payload
        while len(received) >= PREFIX_BYTES and not self._closed:
            length = int.from_bytes(received[1:PREFIX_BYTES], "big")
            end = PREFIX_BYTES + length
            if received[0] > 1:
                self._refuse(Problem("the message has a malformed prefix", 400))
            elif length > self._server.limits.body_bytes:
                self._refuse(self._too_large())
            elif not method.streaming and len(received) > end:
                self._refuse(Problem("this method takes one message", 501))
            elif len(received) < end or not (method.streaming or self.half_closed):
                break
            else:
                self.packed = bool(received[0])
                message = bytes(memoryview(received)[PREFIX_BYTES:end])
                del received[:end]
                self._take(message, method)
        if self.half_closed and not self._closed:
            if received or not (method.streaming or self.working):
                self._refuse(Problem("the request ends before its message does", 400))
            else:
                method.ended(self)

    def _take(self, message: bytes, method: Method) -> None:
        self.received_s = perf_counter()
        self.working = not method.streaming
        if method.streaming:
            self._read_deadline = self._server.now() + self._server.limits.body_timeout_s
            self._release()
        try:
            method.take(self, message)
        except Problem as problem:
            self.fail(problem)
        except Exception as failure:
            LOGGER.exception("a call failed")
            self.fail(model_failure(failure))

    def _is_wanted(self) -> bool:
        """Whether an answer of the method still has somebody to read it."""
        working, self.working = self.working, False
        if self._closed and working:
            self._release()
            self._connection.orphan_answered()
        return not self._closed

    def _refuse(self, problem: Problem) -> None:
        self._close(problem.status)
        block = trailers(problem) if self._answering else refusal(problem) + self.head.echo
        self._connection.out.end(self, block)

    def _close(self, status: int) -> None:
        """Nothing more comes in, and nothing more is to be said but what the caller now says."""
        if self._closed:
            return
        self._closed = True
        if not self.working:
            # Else the model's side has the message still.
            self._release()
        self._received = None
        method = self._method
        route = "other" if method is None else method.route
        # What has its message and counts for itself will do so, even when it isn't wanted any more.
        route = "grpc" if route is None and not self.received_s else route
        if status and route is not None:
            self._server.count(route, status)
        if method is not None:
            method.gone(self)

    def _release(self) -> None:
        self._server.room.release(self._held_bytes)
        self._held_bytes = 0

    def _too_large(self) -> Problem:
        limit = self._server.limits.body_bytes
        return Problem(f"the request's body is over the limit of {limit} bytes; send the rows in several requests", 413)


_NOBODY_READS = Problem("the client doesn't read its answers, and too many of them wait already", 429)


def _framed(message: bytes) -> bytes:
    return b"\x00%b%b" % (len(message).to_bytes(4, "big"), message)
