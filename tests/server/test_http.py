"""HTTP/1.1 by raw bytes: what is taken, what is refused, and how a connection ends."""

import json
import re
import socket
import time

import pytest

from .processes import Server

GET = b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n"
LAST = b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


def post(body: bytes, *fields: bytes) -> bytes:
    """A POST to predict."""
    head = (b"POST /v2/models/late/predict HTTP/1.1", b"host: a", b"content-length: %d" % len(body), *fields)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def statuses(received: bytes) -> list[int]:
    """The status codes of all responses in `received`."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"nonsense\r\n\r\n", 400, id="no request line"),
        pytest.param(b"GET /\r\n\r\n", 505, id="HTTP/0.9"),
        pytest.param(b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505, id="HTTP/2.0 in words"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2 preface"),
        pytest.param(b"FOO / HTTP/1.1\r\nhost: a\r\n\r\n", 400, id="unknown method"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\nhost: a\n\n", 400, id="bare line feeds"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\nx: b\r\n c\r\n\r\n", 400, id="folded header"),
        pytest.param(b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400, id="space before colon"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\nx: \x00\r\n\r\n", 400, id="null byte"),
        pytest.param(b"GET /%ff HTTP/1.1\r\nhost: a\r\n\r\n", 400, id="path is no UTF-8"),
        pytest.param(post(b"", b"content-length: 0"), 400, id="two lengths"),
        pytest.param(post(b"", b"transfer-encoding: chunked"), 400, id="length and chunks"),
        pytest.param(
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
            400,
            id="chunks and length",
        ),
        pytest.param(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501, id="gzip"),
        pytest.param(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, x\r\n\r\n", 400, id="coding last"),
        pytest.param(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400, id="chunk size"),
        pytest.param(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400, id="negative length"),
        pytest.param(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\n", 400, id="signed length"),
        pytest.param(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 200001\r\n\r\n", 413, id="long body"),
        pytest.param(
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
             b"ffff\r\n" + b"x" * 65535 + b"\r\n" + (b"ffff\r\n" + b"x" * 65535 + b"\r\n") * 3,
            413,
            id="long chunked body",
        ),
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 5000 + b"\r\n\r\n", 431, id="long header"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 900 + b"\r\n", 431, id="many headers"),
        pytest.param(b"GET /" + b"y" * 5000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 431, id="long target"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\nexpect: tea\r\n\r\n", 417, id="expectation"),
    ],
)  # fmt: skip
def test_refused(server: Server, request_bytes: bytes, status: int) -> None:
    received = server.raw(GET, request_bytes, GET, pause_s=0.02)
    assert statuses(received) == [200, status]
    head, _, body = received.rpartition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert json.loads(body)["error"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"\r\n" + LAST, id="empty line first"),
        pytest.param(b"GET http://a/v2/health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", id="absolute"),
        pytest.param(b"GET /v2/health/live HTTP/1.0\r\n\r\n", id="HTTP/1.0"),
        pytest.param(b"GET /v2/he%61lth/live?x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", id="escaped"),
        pytest.param(
            b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", id="upgrade"
        ),
    ],
)
def test_taken(server: Server, request_bytes: bytes) -> None:
    assert statuses(server.raw(request_bytes)) == [200]


def test_http_1_0_keep_alive(server: Server) -> None:
    kept = b"GET /v2/health/live HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"
    received = server.raw(kept + b"GET /v2/health/live HTTP/1.0\r\n\r\n")
    assert statuses(received) == [200, 200]
    assert received.count(b"connection: keep-alive") == 1


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    row = b'{"carrier":"AA","distance":%d,"seats":100,"holiday":false,"sched_dep":"2026-01-01T10:00:00Z"}'
    bodies = [b"[" + b",".join([row % number] * (1 + number % 40 * 20)) + b"]" for number in range(12)]
    sent = b""
    for number, body in enumerate(bodies):
        sent += post(body, b"x-request-id: p%d" % number) + GET.replace(b"host", b"x-request-id: g%d\r\nhost" % number)
    for pieces in ([sent + LAST], [sent[at : at + 1009] for at in range(0, len(sent), 1009)] + [LAST]):
        received = server.raw(*pieces)
        assert statuses(received) == [200] * 25
        ids = [line.split(b": ")[1] for line in received.split(b"\r\n") if line.startswith(b"x-request-id")]
        assert ids[:24] == [b"%c%d" % (kind, number) for number in range(12) for kind in b"pg"]


def test_byte_by_byte(server: Server) -> None:
    assert statuses(server.raw(*(bytes([byte]) for byte in LAST), pause_s=0.001)) == [200]


def test_chunked_body_with_trailers(server: Server) -> None:
    fields = b"host: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = b"1;a=b\r\n[\r\n1\r\n]\r\n0\r\nx-sum: 1\r\n\r\n"
    received = server.raw(b"POST /v2/models/late/predict HTTP/1.1\r\n" + fields + chunks)
    assert statuses(received) == [422]
    assert b"the request has no rows" in received


def test_expect_100_continue(server: Server) -> None:
    head = post(b"", b"expect: 100-continue", b"connection: close").replace(b"length: 0", b"length: 2")
    received = server.raw(head, b"[]", pause_s=0.05)
    assert statuses(received) == [100, 422]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([b"GET / HT"], [408], id="head"),
        pytest.param([post(b"123456789")[:-4]], [408], id="body"),
        pytest.param([GET], [200], id="idle"),
        pytest.param([], [], id="nothing sent"),
    ],
)
def test_timeouts(server: Server, chunks: list[bytes], expected: list[int]) -> None:
    began = time.monotonic()
    assert statuses(server.raw(*chunks)) == expected
    assert 0.4 < time.monotonic() - began < 4


def test_half_closed_client_gets_its_answers(server: Server) -> None:
    assert statuses(server.raw(GET + GET, half_close=True)) == [200, 200]
    assert statuses(server.raw(GET + GET[:20], half_close=True)) == [200]


def test_client_that_never_reads_does_not_disturb_others(server: Server) -> None:
    row = b'{"carrier":"AA","distance":1,"seats":100,"holiday":false,"sched_dep":"2026-01-01"}'
    body = b"[" + b",".join([row] * 1000) + b"]"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(0.3)
        with pytest.raises(TimeoutError):
            deaf.sendall(post(body) * 200)
        assert server.get("/v2/health/ready").status_code == 200
    assert server.get("/v2/health/ready").status_code == 200


def test_clients_that_vanish_do_not_wedge_the_server(server: Server) -> None:
    row = b'{"carrier":"AA","distance":1,"seats":100,"holiday":false,"sched_dep":"2026-01-01"}'
    for size in (1, 1000):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(post(b"[" + b",".join([row] * size) + b"]"))
    assert server.session.post(f"{server.url}/v2/models/late/predict", data=b"[" + row + b"]", timeout=10).ok
