"""HTTP/1.1 to the canary on one connection: a request at a time, kept alive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias, cast

from modelwright_server.canary_answer import Answer, AnswerReader, Unanswered, Unreadable

Outcome: TypeAlias = Answer | Unanswered


class Exchange:
    """One request to the canary: `done` is called with what became of it, once and later, unless it is given up."""

    __slots__ = ("_done", "body", "connection", "head", "make_reader", "reader", "task")

    def __init__(
        self, head: bytes, body: bytes, make_reader: Callable[[], AnswerReader], done: Callable[[Outcome], None]
    ) -> None:
        self.head = head
        self.body = body
        self.make_reader = make_reader
        self.reader: AnswerReader | None = None
        self.connection: CanaryConnection | None = None
        self.task: asyncio.Task[None] | None = None
        self._done: Callable[[Outcome], None] | None = done

    @property
    def over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._done is None

    @property
    def asked(self) -> bool:
        """Whether it is on a connection."""
        return self.connection is not None

    def finish(self, outcome: Outcome) -> None:
        """Tell what became of it."""
        self._release()
        done, self._done = self._done, None
        if done is not None:
            done(outcome)

    def give_up(self) -> None:
        """Nothing is told any more, and what is under way is ended."""
        self._done = None
        connection, task = self.connection, self.task
        self._release()
        if connection is not None:
            connection.abort()
        elif task is not None:
            task.cancel()

    def _release(self) -> None:
        if self.reader is not None:
            self.reader.close()
        self.reader = self.connection = None


class Owner(Protocol):
    """Who keeps the connections."""

    def made(self, connection: CanaryConnection) -> None:
        """It is open."""

    def free(self, connection: CanaryConnection) -> None:
        """It may carry another request."""

    def lost(self, connection: CanaryConnection, unanswered: Exchange | None) -> None:
        """It is closed; `unanswered` is a request that should be asked once more on another one."""


class CanaryConnection(asyncio.Protocol):
    """Made by its owner, which gives it one request after another."""

    def __init__(self, owner: Owner, made_at: float) -> None:
        self.made_at = made_at
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._answers = 0

    @property
    def usable(self) -> bool:
        """Whether a request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, exchange: Exchange) -> None:
        """Ask; the connection must be usable and without another request."""
        assert self._transport is not None
        self._exchange = exchange
        exchange.connection = self
        exchange.reader = exchange.make_reader()
        self._transport.writelines((exchange.head, exchange.body))

    def abort(self) -> None:
        """End it at once."""
        self._exchange = None
        if self._transport is not None:
            self._transport.abort()

    def _unsent(self) -> bool:
        # It answered before it had read all: what it hasn't must not be kept.
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    # -- the transport's calls ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._owner.made(self)

    def data_received(self, data: bytes) -> None:
        """A piece of the answer; what comes without a request ends the connection."""
        exchange = self._exchange
        if exchange is None or exchange.reader is None:
            self.abort()
            return
        reader = exchange.reader
        try:
            answer = reader.feed(data)
        except Unreadable as problem:
            self.abort()
            exchange.finish(Unanswered(str(problem), unreachable=reader.no_room))
            return
        if answer is None:
            return
        self._exchange = None
        self._answers += 1
        if reader.reusable and self.usable and not self._unsent():
            self._owner.free(self)
        else:
            self.abort()
        exchange.finish(answer)

    def connection_lost(self, _exc: Exception | None) -> None:
        """A kept connection may be closed at any time: a request that met it half-way is asked anew."""
        self._transport = None
        exchange, self._exchange = self._exchange, None
        stale = exchange is not None and self._answers > 0 and not (exchange.reader and exchange.reader.began)
        self._owner.lost(self, exchange if stale else None)
        if exchange is not None and not stale:
            exchange.finish(Unanswered("it closed the connection before its answer was whole"))
