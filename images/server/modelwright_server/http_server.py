"""The connections of one listening socket, and the clock that ends what takes too long."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from modelwright_server.http_connection import Connection
from modelwright_server.http_message import Request, Response, ok_prefix
from modelwright_server.known_heads import KnownHeads
from modelwright_server.settings import HttpLimits

TICK_S = 0.25
BACKLOG = 1024


class Application(Protocol):
    """What answers requests. All methods are called on the event loop's thread."""

    def handle(self, request: Request, reply: Callable[[Response], None]) -> None:
        """Call `reply` exactly once, now or later, on the event loop's thread; raise nothing."""

    def refused(self, response: Response) -> None:
        """Take note of a request that could not be read."""

    def tick(self, connections: int, body_bytes: int) -> None:
        """Called a few times a second with the number of connections and the bytes of bodies that they hold."""


class HttpServer:
    """Accepts connections on one socket and hands their requests to `application`."""

    def __init__(self, application: Application, limits: HttpLimits, version: bytes = b"") -> None:
        """`version` is `http_message.version_field`'s."""
        self.application = application
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.connections: set[Connection] = set()
        self.known_heads = KnownHeads()
        self.draining = False
        self.version = version
        self.date = b""
        self.ok_prefix = b""
        self.held_bytes = 0
        self._listener: asyncio.Server | None = None
        self._ticker: asyncio.TimerHandle | None = None

    async def listen(self, listening: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Take connections of `listening`, which is bound. Raises OSError."""
        self._listener = await self.loop.create_server(
            lambda: Connection(self),
            sock=listening,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else self.limits.head_timeout_s,
        )
        self._tick()

    def hold(self, size_bytes: int) -> bool:
        """Take room for bytes of a body; False when all bodies together would be too large."""
        if self.held_bytes + size_bytes > self.limits.buffer_bytes:
            return False
        self.held_bytes += size_bytes
        return True

    def release(self, size_bytes: int) -> None:
        """Give room back."""
        self.held_bytes -= size_bytes

    def drain(self) -> None:
        """From now on every answer ends its connection; new connections are still taken."""
        self.draining = True

    def stop_accepting(self) -> None:
        """Take no new connection."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def stop_listening(self) -> None:
        """Take no new connection and end the idle ones."""
        self.stop_accepting()
        for connection in list(self.connections):
            connection.close_if_idle()

    def _tick(self) -> None:
        self.date = formatdate(usegmt=True).encode("ascii")
        self.ok_prefix = ok_prefix(self.date, self.version)
        now = self.now()
        for connection in list(self.connections):
            connection.check_deadlines(now)
        self.application.tick(len(self.connections), self.held_bytes)
        self._ticker = self.loop.call_later(TICK_S, self._tick)
