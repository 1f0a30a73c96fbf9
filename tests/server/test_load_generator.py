"""The load generator of the benchmarks, against servers whose every answer is known."""

import json
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.servers import generator
from benchmarks.servers.generator import Load, Report

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-LENGTH: 2\r\n\r\n%02d"
CORE = min(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def program() -> Path:
    return generator.build()


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    whole = [b"POST /%02d HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" % number for number in range(10)]
    return generator.write_requests(tmp_path_factory.mktemp("load") / "requests", whole)


@contextmanager
def serving(answer: Callable[[int, bytes], bytes]) -> Iterator[int]:
    """One thread that answers the n-th request with `answer(n, request)`, and closes after an empty one."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    stop, count = threading.Event(), 0

    def serve() -> None:
        nonlocal count
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            while not stop.is_set():
                for key, _ in selector.select(0.05):
                    if key.fileobj is listener:
                        selector.register(listener.accept()[0], selectors.EVENT_READ)
                        continue
                    connection = key.fileobj
                    assert isinstance(connection, socket.socket)
                    try:
                        request = connection.recv(65536)
                    except ConnectionResetError:
                        request = b""
                    reply = answer(count, request) if request else b""
                    count += bool(request)
                    if reply:
                        connection.sendall(reply)
                    else:
                        selector.unregister(connection)
                        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        stop.set()
        thread.join()
        listener.close()


def number_of(request: bytes) -> int:
    return int(request[6:8])


def run(program: Path, load: Load) -> Report:
    return generator.run(program, load, CORE)


def test_answers_are_counted_by_status_and_kept_with_their_request(program: Path, requests: Path) -> None:
    def answer(count: int, request: bytes) -> bytes:
        if count % 10 == 9:
            return b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        return OK % number_of(request)

    with serving(answer) as port:
        report = run(program, Load(port, requests, 4, 0.5, warm_up_s=0.1, samples=64))
    assert set(report.statuses) == {"200", "503"}
    assert report.answered == sum(report.statuses.values())
    assert report.faults == {"503": report.statuses["503"]}
    assert report.broken == {}
    assert len(report.samples) == 64
    assert all(body in (b"", b"%02d" % at) for at, body in report.samples)


def test_at_a_rate_a_stall_delays_every_request_that_was_due_in_it(program: Path, requests: Path) -> None:
    def answer(count: int, request: bytes) -> bytes:
        if count == 100:
            time.sleep(0.4)
        return OK % number_of(request)

    with serving(answer) as port:
        report = run(program, Load(port, requests, 4, 1.0, warm_up_s=0, rate_per_s=500))
    # Four connections carry four late requests; the 200 that were due meanwhile are late all the same.
    assert (report.answered, report.faults) == (500, {})
    assert report.max_ms >= 400
    assert report.p99_ms >= 350


def test_a_dropped_connection_is_a_fault_and_the_next_request_has_a_new_one(program: Path, requests: Path) -> None:
    def answer(count: int, request: bytes) -> bytes:
        return b"" if count == 50 else OK % number_of(request)

    with serving(answer) as port:
        report = run(program, Load(port, requests, 2, 0.5, warm_up_s=0, rate_per_s=400))
    assert sum(report.broken.values()) == 1
    assert report.statuses == {"200": 199}


def test_bytes_that_are_no_answer_are_a_fault(program: Path, requests: Path) -> None:
    with serving(lambda count, request: b"220 ready\r\n\r\n" if count == 3 else OK % number_of(request)) as port:
        report = run(program, Load(port, requests, 1, 0.3, warm_up_s=0, rate_per_s=100))
    assert report.broken == {"the answer is no HTTP/1.1 response": 1}


def test_spans_add_up_to_the_whole(program: Path, requests: Path) -> None:
    with serving(lambda _, request: OK % number_of(request)) as port:
        load = Load(port, requests, 2, 1.0, warm_up_s=0, rate_per_s=400, span_s=0.25, samples=5)
        with generator.started(program, load, CORE) as process:
            assert process.stdout is not None
            lines = process.stdout.readlines()
    reports = [Report.parse(line) for line in lines]
    assert len(reports) == 4
    assert sum(report.answered for report in reports) == 400
    assert [len(report.samples) for report in reports] == [0, 0, 0, 5]
    assert json.loads(lines[0])["samples"] is None
