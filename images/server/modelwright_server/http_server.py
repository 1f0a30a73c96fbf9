"""The listening socket, its connections, and the clock that ends what takes too long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from modelwright_server.http_connection import Connection
from modelwright_server.http_message import Request, Response
from modelwright_server.settings import HttpLimits

TICK_S = 0.25


class Application(Protocol):
    """What answers requests. Both methods are called on the event loop's thread."""

    def handle(self, request: Request, reply: Callable[[Response], None]) -> None:
        """Call `reply` exactly once, now or later, on the event loop's thread; raise nothing."""

    def refused(self, response: Response) -> None:
        """Take note of a request that could not be read."""


class HttpServer:
    """Accepts connections on one socket and hands their requests to `application`."""

    def __init__(self, application: Application, limits: HttpLimits) -> None:
        self.application = application
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.connections: set[Connection] = set()
        self.draining = False
        self.date = b""
        self._listener: asyncio.Server | None = None
        self._ticker: asyncio.TimerHandle | None = None

    async def listen(self, host: str, port: int) -> int:
        """Listen on `port` (0: any free one) of `host` ("": all addresses); returns the port. Raises OSError."""
        listening = _bind(host, port)
        self._listener = await self.loop.create_server(lambda: Connection(self), sock=listening, backlog=1024)
        self._tick()
        return int(listening.getsockname()[1])

    def drain(self) -> None:
        """From now on every answer ends its connection; new connections are still taken."""
        self.draining = True

    def stop_listening(self) -> None:
        """Take no new connection and end the idle ones."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in list(self.connections):
            connection.close_if_idle()

    def is_idle(self) -> bool:
        """True when no connection is reading or owes an answer."""
        return all(connection.is_idle() for connection in self.connections)

    def _tick(self) -> None:
        self.date = formatdate(usegmt=True).encode("ascii")
        now = self.now()
        for connection in list(self.connections):
            connection.check_deadlines(now)
        self._ticker = self.loop.call_later(TICK_S, self._tick)


def _bind(host: str, port: int) -> socket.socket:
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
        except OSError:
            # A host with IPv6 switched off still compiles it in: fall through to IPv4.
            pass
    return socket.create_server(("", port), backlog=1024)
