"""Clients that are slow, deaf, many, or suddenly gone: they are ended in time, and cost nobody else anything."""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest

from .hostile.attack import refused
from .hostile.clients import Slow, deafen, drip
from .hostile.honest import LIVE, MIB, PREDICT, ROW, ROWS, chunks, get, head, post
from .hostile.wire import answers_in, connect, exchange, received_until_end, reset
from .model_directories import ModelDirectory
from .processes import eventually
from .victim import UNDER_ATTACK_S, Victim

CHUNKED = b"transfer-encoding: chunked"


@pytest.fixture(scope="module")
def victim(band: ModelDirectory) -> Iterator[Victim]:
    """A server with small bounds."""
    with Victim(band) as running:
        yield running


def all_released(victim: Victim, files: int) -> None:
    """The server holds no request and no connection more than before, is alive, and answers rightly."""
    eventually(lambda: victim.in_flight() == 0)
    eventually(lambda: victim.open_files() <= files)
    victim.alive()
    victim.honest()


def numbered(count: int) -> list[bytes]:
    """Requests of one row each, all rows different, each with its own id."""
    bodies = (b"[" + ROW.replace(b"733.5", b"%d" % number) + b"]" for number in range(count))
    return [post(PREDICT, body, b"x-request-id: n%d" % number) for number, body in enumerate(bodies)]


@pytest.mark.parametrize("size", [1 << 20, 1009], ids=["one piece", "pieces of 1,009 bytes"])
def test_a_thousand_pipelined_requests_are_answered_in_order(victim: Victim, band: ModelDirectory, size: int) -> None:
    count = 1000
    sent = b"".join(numbered(count)) + LIVE.replace(b"host", b"connection: close\r\nhost")
    answers = answers_in(exchange(victim.port, *(sent[at : at + size] for at in range(0, len(sent), size))))
    assert [answer.request_id for answer in answers[:count]] == [f"n{number}" for number in range(count)]
    rows = [{**json.loads(ROW), "distance": number} for number in range(count)]
    expected: list[list[float]] = band.estimator.predict_proba(band.matrix(rows)).tolist()  # type: ignore[attr-defined]
    got = [list(json.loads(answer.body)["predictions"][0]["probabilities"].values()) for answer in answers[:count]]
    assert got == [pytest.approx(row, abs=1e-12) for row in expected]
    victim.honest()


SLOW = (
    Slow("request line", b"GET /v2/health/live?", b"q", "408"),
    Slow("one header field", b"GET / HTTP/1.1\r\nhost: a\r\nx: ", b"y", "408"),
    Slow("many header fields", b"GET / HTTP/1.1\r\nhost: a\r\n", b"x: y\r\n", "408"),
    Slow("a silent head", b"GET / HTTP/1.1\r\nhost: a\r\n", b"", "408"),
    Slow("a body", head(b"content-length: 1000"), b" ", "408"),
    Slow("a silent body", head(b"content-length: 1000") + b"[", b"", "408"),
    Slow("a second request's body", LIVE + head(b"content-length: 1000"), b" ", "200 408"),
    Slow("a body that was to be continued", head(b"content-length: 1000", b"expect: 100-continue"), b"", "408"),
    Slow("chunks", head(CHUNKED), b"1\r\n1\r\n", "408"),
    Slow("a chunk's size", head(CHUNKED), b"0", "408"),
    Slow("a chunk's extension", head(CHUNKED) + b"5;", b"e", "408"),
    Slow("trailers", head(CHUNKED) + b"5\r\n12345\r\n0\r\n", b"x: y\r\n", "408"),
    Slow("empty lines before a request", b"", b"\r\n", "(408|400)?"),
    Slow("nothing at all", b"", b"", "(408)?"),
    Slow("nothing after an answer", LIVE, b"", "200"),
    Slow("what is sent after a refusal", refused("", b"bad\r\n\r\n").sent, b"x", "400", at_least_s=0.0),
)


def test_slow_clients_are_ended_in_time(victim: Victim) -> None:
    files = victim.open_files()
    with ThreadPoolExecutor(len(SLOW)) as threads:
        running = [threads.submit(drip, victim.port, slow) for slow in SLOW]
        while not all(each.done() for each in running):
            victim.honest(UNDER_ATTACK_S)
            time.sleep(0.05)
    wrong = []
    for slow, each in zip(SLOW, running, strict=True):
        received, took_s = each.result()
        statuses = [answer.status for answer in answers_in(received)]
        in_time = slow.at_least_s <= took_s <= slow.at_most_s
        if not in_time or not re.fullmatch(slow.answers, " ".join(map(str, statuses))):
            wrong.append(f"{slow.name}: answered {statuses}, ended after {took_s:.2f} s")
    assert not wrong
    all_released(victim, files)


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(LIVE[:20], [], id="half a head"),
        pytest.param(post(PREDICT, ROWS)[:-5], [], id="half a body"),
        pytest.param(head(CHUNKED) + chunks(ROWS)[:-2], [], id="all chunks but the end"),
        pytest.param(post(PREDICT, ROWS), [200], id="a request"),
        pytest.param(LIVE + post(PREDICT, ROWS) + LIVE[:9], [200, 200], id="two requests and a half"),
        pytest.param(LIVE * 1000, [200] * 1000, id="a pipeline"),
    ],
)
def test_half_closed(victim: Victim, sent: bytes, answers: list[int]) -> None:
    received = answers_in(exchange(victim.port, sent, half_close=True))
    # What was asked for whole is answered; a request that was cut off may be told so.
    assert [answer.status for answer in received if answer.status not in (400, 408)] == answers
    victim.honest()


def test_resets_at_each_byte(victim: Victim) -> None:
    files = victim.open_files()
    request = post(PREDICT, ROWS, b"x-request-id: reset") + head(CHUNKED) + chunks(ROWS[:9], ROWS[9:])
    for size in range(len(request) + 1):
        connection = connect(victim.port)
        connection.sendall(request[:size])
        reset(connection)
        if size % 100 == 0:
            victim.honest()
    all_released(victim, files)


def test_resets_while_answers_are_written(victim: Victim) -> None:
    files = victim.open_files()
    request = post(PREDICT, b"[" + b",".join([ROW] * 1000) + b"]")
    for read in (0, 1, 100, 10_000):
        for _ in range(10):
            connection = connect(victim.port)
            connection.sendall(request * 2)
            if read:
                connection.recv(read)
            reset(connection)
        victim.honest()
    all_released(victim, files)


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(post(PREDICT, b"[" + b",".join([ROW] * 1000) + b"]"), id="large requests"),
        pytest.param(get(target=b"/openapi.json") * 100, id="small requests with large answers"),
    ],
)
def test_clients_that_never_read(victim: Victim, request_bytes: bytes) -> None:
    files = victim.open_files()
    held: list[int] = []
    for _ in range(3):
        with ExitStack() as stack:
            for connection in deafen(victim.port, request_bytes, 10, partial(victim.honest, UNDER_ATTACK_S)):
                stack.enter_context(connection)
            victim.honest()
            held.append(victim.memory_bytes())
        all_released(victim, files)
    assert held[-1] - held[0] < 24 * MIB, held


def test_a_thousand_idle_connections(victim: Victim) -> None:
    files, before = victim.open_files(), victim.memory_bytes()
    with ExitStack() as stack:
        for number in range(1000):
            connection = stack.enter_context(connect(victim.port))
            connection.sendall((b"", LIVE, LIVE[:30])[number % 3])
        victim.honest()
        assert victim.memory_bytes() - before < 64 * MIB
        # Nobody says goodbye: the server ends them all by itself.
        all_released(victim, files)


def test_many_half_bodies_at_once(victim: Victim) -> None:
    files, held = victim.open_files(), []
    for _ in range(3):
        with ExitStack() as stack:
            connections = [stack.enter_context(connect(victim.port)) for _ in range(100)]
            for connection in connections:
                connection.sendall(post(PREDICT, b" " * 190_000, length=200_000))
            held.append(victim.memory_bytes())
            victim.honest()
            answers = [answers_in(received_until_end(connection)) for connection in connections]
            assert {answer.status for received in answers for answer in received} <= {408, 429, 503}
        all_released(victim, files)
    assert held[-1] - held[0] < 24 * MIB, held


def test_a_body_in_tiny_chunks_costs_no_more_than_its_bytes(band: ModelDirectory) -> None:
    size = 2 * MIB
    body = b"2\r\n  \r\n" * (size // 2) + b"0\r\n\r\n"
    with Victim(band, max_body_bytes=str(2 * size), body_timeout_seconds="60") as victim:
        before = victim.peak_bytes()
        (answer,) = answers_in(exchange(victim.port, head(CHUNKED, b"connection: close") + body))
        assert answer.status == 400
        assert victim.peak_bytes() - before < 4 * size
        victim.honest()
        victim.alive()
