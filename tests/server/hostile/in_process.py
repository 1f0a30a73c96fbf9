"""The server's side of one connection without a socket: bytes in, answers out, in as many pieces as one likes."""

from __future__ import annotations

import asyncio
import enum
import re
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import TypeVarTuple

import orjson

from modelwright_server.http_connection import Connection
from modelwright_server.http_message import Request, Response
from modelwright_server.http_server import TICK_S, HttpServer
from modelwright_server.settings import HttpLimits

from .wire import Answer, answers_in

Ts = TypeVarTuple("Ts")

LIMITS = HttpLimits(body_bytes=2000, head_bytes=1000, buffer_bytes=1_000_000, pipeline=4)
_FRESH_ID = re.compile(r"[0-9a-f]{12}-[0-9a-f]+")


@dataclass(frozen=True)
class Outcome:
    """What came of one stream: the requests that were executed, all answers, and whether the connection ended."""

    executed: list[Request]
    answers: list[Answer]
    ended: bool

    def told(self) -> list[tuple[int, dict[str, str], bytes]]:
        """The answers without what differs from time to time: the date and ids made up by the server."""
        return [(answer.status, _lasting(answer.headers), answer.body) for answer in self.answers]


def _lasting(headers: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name != "date"}
    if _FRESH_ID.fullmatch(kept.get("x-request-id", "")):
        kept["x-request-id"] = "fresh"
    return kept


class Turns(asyncio.BaseEventLoop):
    """An event loop that runs what is due only when told to; its time stands still unless `now` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._due: deque[asyncio.Handle] = deque()

    def time(self) -> float:
        """Seconds."""
        return self.now

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run it at the next turn."""
        handle = asyncio.Handle(callback, args, self, context)
        self._due.append(handle)
        return handle

    def turn(self) -> bool:
        """Run all that is due now; False when nothing was."""
        due, self._due = self._due, deque()
        for handle in due:
            handle._run()
        return bool(due)


class When(enum.Enum):
    """When an application answers."""

    AT_ONCE = "before `handle` returns"
    LATER = "when the loop next turns"
    NEVER = "when the test says so"


class Echo:
    """An application that answers with what it was asked."""

    def __init__(self, loop: Turns, when: When) -> None:
        self.executed: list[Request] = []
        self._loop = loop
        self._when = when
        self._owed: deque[Callable[[], None]] = deque()

    def handle(self, request: Request, reply: Callable[[Response], None]) -> None:
        """See `http_server.Application`."""
        self.executed.append(request)
        fields = sorted((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.items())
        body = request.body.decode("latin-1")
        said = {"method": request.method, "path": request.path, "headers": fields, "body": body}
        self._owed.append(partial(reply, Response(404 if request.path == "/404" else 200, orjson.dumps(said))))
        if self._when is When.AT_ONCE:
            self.answer()
        elif self._when is When.LATER:
            self._loop.call_soon(self.answer)

    def answer(self) -> None:
        """Answer the oldest request that isn't."""
        self._owed.popleft()()

    def refused(self, response: Response) -> None:
        """See `http_server.Application`."""

    def tick(self, connections: int, body_bytes: int) -> None:
        """See `http_server.Application`."""


class Pipe(asyncio.Transport):
    """What the connection writes to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self.ended = False
        self.lost = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        # uvloop raises when the socket is gone.
        assert not self.lost, f"bytes for a client that is gone: {bytes(data)!r}"
        assert not self.ended, f"bytes after the end: {bytes(data)!r}"
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.ended or self.lost

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True


class Peer:
    """One server, which remembers what it learned; each stream is sent over a new connection to it."""

    def __init__(self, when: When = When.AT_ONCE, limits: HttpLimits = LIMITS) -> None:
        self.loop = Turns()
        self.echo = Echo(self.loop, when)
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self.loop)
        try:
            self.server = HttpServer(self.echo, limits)
            self.server._tick()
        finally:
            asyncio._set_running_loop(before)

    def outcome(self, pieces: Iterable[bytes]) -> Outcome:
        """Send the pieces in turn, then the end. Raises AssertionError where the connection breaks its own rules."""
        line = Line(self)
        for piece in pieces:
            line.send(piece)
        line.settle()
        ended = line.has_ended()
        line.end()
        return Outcome(self.echo.executed, line.answers(), ended)


class Line:
    """One connection to a peer."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        peer.echo.executed = []
        self._connection, self._pipe = Connection(peer.server), Pipe()
        self._connection.connection_made(self._pipe)

    def has_ended(self) -> bool:
        """Whether the server has closed it, or its sending half."""
        return self._pipe.ended

    def is_read(self) -> bool:
        """Whether the server reads, or waits until it owes less."""
        return self._pipe.reading

    def send(self, piece: bytes) -> None:
        """Bytes from the client, as soon as the server reads."""
        while not self._pipe.reading:
            assert self._peer.loop.turn(), "the connection stopped reading and owes nothing"
        if not self._pipe.ended:
            self._connection.data_received(piece)

    def settle(self) -> None:
        """Let everything happen that is due."""
        while self._peer.loop.turn():
            pass

    def wait(self, seconds: float) -> None:
        """Let time pass, with the server's clock ticking."""
        for _ in range(round(seconds / TICK_S)):
            self._peer.loop.now += TICK_S
            self._connection.check_deadlines(self._peer.loop.now)
            self.settle()

    def end(self) -> None:
        """The client is done: it ends its half, the server the other, and nothing is left."""
        if not self._pipe.ended and not self._connection.eof_received():
            self._pipe.close()
        self.settle()
        assert self._pipe.ended, "the client is done, and the connection is still open"
        self._pipe.lost = True
        self._connection.connection_lost(None)
        self.settle()
        assert self._peer.server.held_bytes == 0, f"{self._peer.server.held_bytes} bytes of bodies are still held"
        assert not self._peer.server.connections

    def vanish(self) -> None:
        """The client is gone, whatever it is owed."""
        self._pipe.lost = True
        self._connection.connection_lost(None)

    def answers(self) -> list[Answer]:
        """All that was answered so far."""
        heads = (index for index, request in enumerate(self._peer.echo.executed) if request.method == "HEAD")
        return answers_in(bytes(self._pipe.written), heads=heads, head_refused=self._pipe.ended)
