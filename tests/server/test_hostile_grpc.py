"""gRPC attacks over sockets: the call or the connection ends as it must, and the next honest ones are right."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest

from .hostile.clients import Slow, deafen, drip
from .hostile.grpc_attack import HEAD, RIGHT, GrpcAttack
from .hostile.grpc_attacks import GRPC_ATTACKS
from .hostile.honest import MIB
from .hostile.http2 import (
    CONTINUATION,
    OPEN,
    PING,
    PREFACE,
    call,
    data,
    fields,
    frame,
    headers,
    message,
    settings,
    talk,
)
from .hostile.http2_attacks import HTTP2_ATTACKS
from .hostile.wire import connect, reset
from .model_directories import ModelDirectory
from .processes import eventually
from .victim import UNDER_ATTACK_S, Victim

MOST_CALLS = 256
"""Calls of one connection at a time."""


@pytest.fixture(scope="module")
def victim(band: ModelDirectory) -> Iterator[Victim]:
    """A server with small bounds."""
    with Victim(band, grpc_port="0") as running:
        yield running


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in (*HTTP2_ATTACKS, *GRPC_ATTACKS)])
def test_attack(victim: Victim, attack: GrpcAttack) -> None:
    attack.check(talk(victim.server.grpc_port, attack.sent, attack.awaited))
    victim.honest()
    victim.honest_grpc()
    victim.alive()


SLOW = (
    Slow("nothing at all", b"", b"", ""),
    Slow("half a preface", PREFACE[:10], b"", ""),
    Slow("a preface byte by byte", b"", PREFACE + b"\0\0\0", ""),
    Slow("no settings", PREFACE, b"", ""),
    Slow("half a frame of settings", PREFACE + settings()[:5], b"", ""),
    Slow("a head without an end", OPEN + headers(fields(), flags=0), b"", ""),
    Slow(
        "a head that goes on slowly",
        OPEN + headers(fields(), flags=0),
        frame(CONTINUATION, 0, 1, b"\x00\x01x\x01y"),
        "",
    ),
    Slow("an HTTP/1.1 request", b"", b"GET /v2/health/live HTTP/1.1\r\n", ""),
)


def test_slow_connections_are_ended_in_time(victim: Victim) -> None:
    files = victim.open_files()
    with ThreadPoolExecutor(len(SLOW)) as threads:
        running = [threads.submit(drip, victim.server.grpc_port, slow) for slow in SLOW]
        while not all(each.done() for each in running):
            victim.honest_grpc(UNDER_ATTACK_S)
            time.sleep(0.05)
    took = {slow.name: each.result()[1] for slow, each in zip(SLOW, running, strict=True)}
    assert {name: seconds for name, seconds in took.items() if seconds > SLOW[0].at_most_s} == {}
    all_released(victim, files)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(HEAD, id="a head"),
        pytest.param(HEAD + data(b"\0\0", ends=False), id="half a prefix"),
        pytest.param(HEAD + data(message(RIGHT)[:-1], ends=False), id="all but a byte"),
        pytest.param(HEAD + data(message(RIGHT), ends=False), id="all but the end"),
    ],
)
def test_a_call_that_does_not_end_is_refused(victim: Victim, sent: bytes) -> None:
    heard = talk(victim.server.grpc_port, OPEN + sent, awaited=(1,))
    assert not heard.ended
    assert heard.outcome() == "4"
    victim.honest_grpc()


def test_too_many_calls_at_a_time_are_refused(victim: Victim) -> None:
    streams = range(1, 2 * (MOST_CALLS + 50), 2)
    heard = talk(
        victim.server.grpc_port, OPEN + b"".join(headers(fields(), stream) for stream in streams), streams[-50:]
    )
    assert {heard.outcome(stream) for stream in streams[-50:]} == {"reset 7"}
    assert {heard.outcome(stream) for stream in streams[:MOST_CALLS]} <= {"", "4"}
    victim.honest_grpc()


def test_a_thousand_calls_at_once_are_all_answered(victim: Victim) -> None:
    # Nobody waits for the server's settings: what is over the bound may be refused, and everything is told.
    streams = range(1, 2000, 2)
    heard = talk(victim.server.grpc_port, OPEN + b"".join(call(RIGHT, stream=stream) for stream in streams), streams)
    outcomes = [heard.outcome(stream) for stream in streams]
    assert set(outcomes) <= {"0", "8", "reset 7"}
    assert outcomes.count("0") >= MOST_CALLS
    victim.honest_grpc()


def test_resets_at_each_byte(victim: Victim) -> None:
    files = victim.open_files()
    sent = OPEN + call(RIGHT) + call(RIGHT, stream=3)
    for size in range(0, len(sent) + 1, 3):
        connection = connect(victim.server.grpc_port)
        connection.sendall(sent[:size])
        reset(connection)
    victim.honest_grpc()
    all_released(victim, files)


@pytest.mark.parametrize("first", [settings(), settings((4, 0))], ids=["a window that is never read", "no window"])
def test_answers_that_nobody_takes(victim: Victim, first: bytes) -> None:
    # As many calls as one connection may have at a time; their answers wait.
    sent = PREFACE + first + b"".join(call(RIGHT, stream=stream) for stream in range(1, 2 * MOST_CALLS, 2))
    files, held = victim.open_files(), []
    for _ in range(3):
        with ExitStack() as stack:
            for _ in range(10):
                stack.enter_context(connect(victim.server.grpc_port)).sendall(sent)
            victim.honest_grpc(UNDER_ATTACK_S)
            held.append(victim.memory_bytes())
        all_released(victim, files)
    assert held[-1] - held[0] < 16 * MIB, held


def test_pings_whose_answers_nobody_reads(victim: Victim) -> None:
    files, before = victim.open_files(), victim.memory_bytes()
    pings = frame(PING, payload=b"12345678") * 1000
    meanwhile = partial(victim.honest_grpc, UNDER_ATTACK_S)
    with ExitStack() as stack:
        for connection in deafen(victim.server.grpc_port, pings, 10, meanwhile, opening=OPEN):
            stack.enter_context(connection)
        victim.honest_grpc()
        assert victim.memory_bytes() - before < 64 * MIB
    all_released(victim, files)


def test_a_thousand_idle_connections(victim: Victim) -> None:
    files, before = victim.open_files(), victim.memory_bytes()
    with ExitStack() as stack:
        for number in range(1000):
            connection = stack.enter_context(connect(victim.server.grpc_port))
            connection.sendall((b"", OPEN, OPEN + HEAD)[number % 3])
        victim.honest_grpc()
        assert victim.memory_bytes() - before < 64 * MIB
    all_released(victim, files)


def all_released(victim: Victim, files: int) -> None:
    """The server holds no connection more than before, is alive, and answers rightly."""
    eventually(lambda: victim.open_files() <= files)
    victim.alive()
    victim.honest_grpc()
    victim.honest()
