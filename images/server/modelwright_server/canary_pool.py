"""Connections to the canary: kept alive, bounded, and opened anew now and then, so that all its Pods get requests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial

from modelwright_server.canary_addresses import Addresses
from modelwright_server.canary_answer import AnswerReader, Room, Unanswered
from modelwright_server.canary_connection import CanaryConnection, Exchange, Outcome
from modelwright_server.routing import Origin

MAX_CONNECTIONS = 128
"""Open or being opened, in one process."""

MAX_AGE_S = 10.0
"""A Service spreads connections over Pods, not requests: one that is older is not used again."""

ROOM_BYTES = 32 * 1024 * 1024
"""Answers that are being read may take so much together."""


class CanaryPool:
    """Asks one origin. Everything runs on the event loop's thread."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, origin: Origin, tls: Callable[[], ssl.SSLContext] | None
    ) -> None:
        """`tls` gives what a new connection is to trust; None where plain HTTP is spoken."""
        self.origin = origin
        self._loop = loop
        self._tls = tls
        self._addresses = Addresses(loop, origin.host, origin.port)
        self._room = Room(ROOM_BYTES)
        self._idle: list[CanaryConnection] = []
        self._open: set[CanaryConnection] = set()
        self._opening = 0
        self._closed = False

    def ask(self, head: bytes, body: bytes, max_bytes: int, done: Callable[[Outcome], None]) -> Exchange:
        """Send a request; `done` is called later, once, with what became of it, unless the exchange is given up.

        `max_bytes` bounds the answer's body. How long to wait is the caller's to say.
        """
        exchange = Exchange(head, body, partial(AnswerReader, max_bytes, self._room), done)
        connection = self._kept()
        if connection is not None:
            connection.send(exchange)
        else:
            self._open_for(exchange)
        return exchange

    def sweep(self) -> None:
        """Close connections that were kept too long; to be called now and then."""
        oldest = self._loop.time() - MAX_AGE_S
        for connection in [connection for connection in self._idle if connection.made_at < oldest]:
            connection.abort()

    def close(self) -> None:
        """Keep no connection any more; requests that are under way are answered."""
        self._closed = True
        for connection in list(self._idle):
            connection.abort()

    # -- the connections' calls -----------------------------------------------------------------------------------

    def made(self, connection: CanaryConnection) -> None:
        """It is open."""
        self._open.add(connection)

    def free(self, connection: CanaryConnection) -> None:
        """It may carry another request."""
        if self._closed:
            connection.abort()
        else:
            self._idle.append(connection)

    def lost(self, connection: CanaryConnection, unanswered: Exchange | None) -> None:
        """It is closed."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if unanswered is not None:
            unanswered.connection = None
            self._open_for(unanswered)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _kept(self) -> CanaryConnection | None:
        oldest = self._loop.time() - MAX_AGE_S
        while self._idle:
            # The one used last: those that are not needed grow old.
            connection = self._idle.pop()
            if connection.usable and connection.made_at >= oldest:
                return connection
            connection.abort()
        return None

    def _open_for(self, exchange: Exchange) -> None:
        if self._opening + len(self._open) >= MAX_CONNECTIONS:
            reason = f"{MAX_CONNECTIONS} connections to it are in use"
            self._loop.call_soon(exchange.finish, Unanswered(reason, unreachable=True))
            return
        self._opening += 1
        exchange.task = self._loop.create_task(self._connect(exchange))

    async def _connect(self, exchange: Exchange) -> None:
        try:
            connection = await self._connected()
        except OSError as problem:
            exchange.finish(Unanswered(f"no connection to it could be made: {problem}", unreachable=True))
            return
        finally:
            self._opening -= 1
        if not connection.usable:
            exchange.finish(Unanswered("it closed the connection at once"))
        elif exchange.over:
            self.free(connection)
        else:
            connection.send(exchange)

    async def _connected(self) -> CanaryConnection:
        problem = OSError("it has no address")
        for host, port in await self._addresses.get():
            connection = CanaryConnection(self, self._loop.time())
            try:
                await self._loop.create_connection(
                    partial(_the_same, connection),
                    host,
                    port,
                    ssl=None if self._tls is None else self._tls(),
                    server_hostname=None if self._tls is None else self.origin.host,
                )
            except OSError as failure:
                problem = failure
            except asyncio.CancelledError:
                # Given up; it may have come to be at the same moment.
                connection.abort()
                raise
            else:
                return connection
        self._addresses.forget()
        raise problem


def _the_same(connection: CanaryConnection) -> CanaryConnection:
    return connection
