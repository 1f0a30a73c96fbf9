"""Connections to the canary and its addresses: how many, how old, and that none is left behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from modelwright_server import canary_pool
from modelwright_server.canary_addresses import FRESH_S, Addresses
from modelwright_server.canary_answer import Answer, Unanswered
from modelwright_server.canary_connection import Exchange, Outcome
from modelwright_server.canary_pool import MAX_CONNECTIONS, CanaryPool
from modelwright_server.routing import Origin

from .canaries import on_uvloop

HEAD = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Service:
    """A server that answers each request once it may, and counts its connections."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.accepted = self.open = 0


class Serving(asyncio.Protocol):
    """One connection to it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._answers: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._service.accepted += 1
        self._service.open += 1

    def connection_lost(self, _exc: Exception | None) -> None:
        self._service.open -= 1
        for answer in self._answers:
            answer.cancel()

    def data_received(self, data: bytes) -> None:
        assert data == HEAD
        self._answers.add(asyncio.create_task(self._answer()))

    async def _answer(self) -> None:
        await self._service.may_answer.wait()
        self._transport.write(ANSWER)


@asynccontextmanager
async def service() -> AsyncIterator[tuple[Service, CanaryPool]]:
    """A server, and a pool that asks it."""
    running = Service()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Serving(running), "127.0.0.1", 0, backlog=256)
    port = server.sockets[0].getsockname()[1]
    pool = CanaryPool(loop, Origin("127.0.0.1", port, tls=False), None)
    yield running, pool
    pool.close()
    await until(lambda: running.open == 0)
    server.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that the other side of a socket does."""
    async with asyncio.timeout(10):
        for _ in iter(holds, True):
            await asyncio.sleep(0.005)


def ask(pool: CanaryPool) -> tuple[Exchange, asyncio.Future[Outcome]]:
    """A request, and what will become of it."""
    outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    return pool.ask(HEAD, b"", 1000, outcome.set_result), outcome


async def told(pool: CanaryPool) -> Outcome:
    """What becomes of a request."""
    async with asyncio.timeout(10):
        return await ask(pool)[1]


@on_uvloop
async def test_connections_are_bounded_and_given_back() -> None:
    async with service() as (running, pool):
        asked = [ask(pool) for _ in range(MAX_CONNECTIONS)]
        over = await told(pool)
        assert isinstance(over, Unanswered)
        assert over.unreachable
        await until(lambda: running.accepted == MAX_CONNECTIONS)
        for exchange, _ in asked[1:]:
            exchange.give_up()
        await until(lambda: running.open == 1)
        running.may_answer.set()
        assert isinstance(await told(pool), Answer)
        assert isinstance(await asked[0][1], Answer)
        assert not any(outcome.done() for _, outcome in asked[1:])


@pytest.mark.parametrize("turns", range(6))
@on_uvloop
async def test_what_is_given_up_at_any_moment_leaves_no_connection(turns: int) -> None:
    async with service() as (running, pool):
        for _ in range(20):
            exchange, outcome = ask(pool)
            for _ in range(turns):
                await asyncio.sleep(0)
            exchange.give_up()
            exchange.give_up()
            assert not outcome.done()
        await until(lambda: running.open == 0)
        running.may_answer.set()
        assert isinstance(await told(pool), Answer)
        assert running.open == 1


@on_uvloop
async def test_a_connection_is_kept_and_ended_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    async with service() as (running, pool):
        running.may_answer.set()
        for _ in range(5):
            assert isinstance(await told(pool), Answer)
        assert running.accepted == 1
        pool.sweep()
        assert isinstance(await told(pool), Answer)
        assert (running.accepted, running.open) == (1, 1)
        monkeypatch.setattr(canary_pool, "MAX_AGE_S", -1.0)
        assert isinstance(await told(pool), Answer)
        assert running.accepted == 2
        pool.sweep()
        await until(lambda: running.open == 0)


@on_uvloop
async def test_a_closed_pool_keeps_nothing_but_answers_what_is_under_way() -> None:
    async with service() as (running, pool):
        _, outcome = ask(pool)
        await until(lambda: running.open == 1)
        pool.close()
        running.may_answer.set()
        assert isinstance(await outcome, Answer)
        await until(lambda: running.open == 0)


@on_uvloop
async def test_a_request_that_nobody_can_take_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    outcome = await told(CanaryPool(asyncio.get_running_loop(), Origin("127.0.0.1", port, tls=False), None))
    assert isinstance(outcome, Unanswered)
    assert outcome.unreachable
    assert "no connection" in outcome.reason


class Names:
    """Stands in for an event loop that looks names up; its clock is the test's."""

    def __init__(self) -> None:
        self.now = 100.0
        self.found: list[str] | OSError = ["10.0.0.1"]
        self.asked = 0
        self.create_task = asyncio.get_running_loop().create_task

    def time(self) -> float:
        return self.now

    async def getaddrinfo(self, host: str, port: int, *, type: int) -> list[tuple[object, ...]]:  # noqa: A002
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.found, OSError):
            raise self.found
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in self.found for _ in range(2)]


@pytest.fixture
async def names() -> Names:
    """One address is known of any name."""
    return Names()


def addresses(names: Names) -> Addresses:
    """Of a Service."""
    return Addresses(names, "late-canary.ns.svc", 80)  # type: ignore[arg-type]


async def test_a_name_is_looked_up_once_for_some_seconds(names: Names) -> None:
    known = addresses(names)
    found = await asyncio.gather(*(known.get() for _ in range(5)))
    assert found == [[("10.0.0.1", 80)]] * 5
    names.now += FRESH_S
    await known.get()
    assert names.asked == 1


async def test_while_it_is_looked_up_again_the_old_address_serves(names: Names) -> None:
    known = addresses(names)
    await known.get()
    names.found = ["10.0.0.2"]
    names.now += FRESH_S + 1
    assert await known.get() == [("10.0.0.1", 80)]
    await asyncio.sleep(0.01)
    assert await known.get() == [("10.0.0.2", 80)]


async def test_an_old_address_serves_when_none_is_found(names: Names) -> None:
    known = addresses(names)
    await known.get()
    names.found = OSError("no such name")
    for _ in range(3):
        names.now += FRESH_S + 1
        assert await known.get() == [("10.0.0.1", 80)]
        await asyncio.sleep(0.01)
    assert names.asked == 4


async def test_without_any_address_all_are_told(names: Names) -> None:
    names.found = OSError("no such name")
    known = addresses(names)
    outcomes = await asyncio.gather(*(known.get() for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, OSError) for outcome in outcomes)
    names.found = ["10.0.0.3"]
    assert await known.get() == [("10.0.0.3", 80)]


async def test_what_was_of_no_use_is_looked_up_at_once(names: Names) -> None:
    known = addresses(names)
    await known.get()
    known.forget()
    names.found = ["10.0.0.4"]
    assert await known.get() == [("10.0.0.4", 80)]


async def test_several_addresses_take_turns(names: Names) -> None:
    names.found = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    known = addresses(names)
    firsts = {(await known.get())[0][0] for _ in range(3)}
    assert firsts == set(names.found)
