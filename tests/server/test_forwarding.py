"""A canary that does anything but answer well: all clients get answers, and each failure is counted for what it is."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from modelwright_server.breaker import FAILURES, LONGEST_S, REST

from .canaries import CANARY, PREDICT, STABLE, Behaviour, FakeCanary, Seen, Stable
from .model_directories import ModelDirectory
from .processes import Server, eventually

HANDSHAKE_S = 0.5


@pytest.fixture(scope="module")
def stable(late: ModelDirectory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stable]:
    """One worker process, so that what it does with the first and the next request can be told apart."""
    with Stable(late, tmp_path_factory.mktemp("routing")) as server:
        yield server


def whole(answer: Callable[[Seen], bytes], *, stays: bool = False) -> Behaviour:
    """Sends something, and closes unless the connection stays."""

    def behave(connection: socket.socket, seen: Seen) -> bool:
        connection.sendall(answer(seen))
        return stays

    return behave


def status(line: str) -> Behaviour:
    """Answers with a status and a sound body."""
    return whole(lambda seen: seen.right_answer().replace(b"200 OK", line.encode(), 1), stays=True)


def reset(connection: socket.socket, seen: Seen) -> bool:
    """Sends half an answer and resets the connection."""
    answer = seen.right_answer()
    connection.sendall(answer[: len(answer) // 2])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def endless(head: bytes, piece: bytes) -> Behaviour:
    """Sends as long as anybody listens."""

    def behave(connection: socket.socket, _seen: Seen) -> bool:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return behave


def with_body(body: bytes) -> Callable[[Seen], bytes]:
    """A sound head and this body."""

    def answer(seen: Seen) -> bytes:
        head = f"HTTP/1.1 200 OK\r\nx-request-id: {seen.fields['x-request-id']}\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    return answer


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(status("500 Internal Server Error"), id="500"),
        pytest.param(status("503 Service Unavailable"), id="503"),
        pytest.param(status("429 Too Many Requests"), id="429"),
        pytest.param(status("422 Unprocessable Content"), id="422 for what stable takes"),
        pytest.param(status("404 Not Found"), id="404"),
        pytest.param(status("307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/"), id="a redirect"),
        pytest.param(status("204 No Content"), id="204"),
        pytest.param(whole(lambda _: b""), id="closes without a word"),
        pytest.param(reset, id="resets in the middle"),
        pytest.param(whole(lambda seen: seen.right_answer()[:-1]), id="dies before the last byte"),
        pytest.param(whole(lambda _: b"\x16\x03\x01\x02\x00\x01"), id="speaks TLS"),
        pytest.param(whole(lambda _: bytes(range(256)) * 64), id="garbage"),
        pytest.param(whole(lambda _: b"HTTP/1.1 200 OK\r\n\r\n{}"), id="no length"),
        pytest.param(whole(with_body(b"<html>It works!</html>"), stays=True), id="a page"),
        pytest.param(whole(with_body(b'{"predictions": []}'), stays=True), id="no prediction"),
        pytest.param(whole(with_body(b'{"predictions": [{"label": 1}, {"label": 1}]}'), stays=True), id="a row more"),
        pytest.param(
            whole(lambda seen: seen.right_answer().replace(b"x-request-id: ", b"x-request-id: another-"), stays=True),
            id="another client's answer",
        ),
        pytest.param(
            whole(lambda seen: seen.right_answer().replace(b"content-length: ", b"content-length: 9")), id="too short"
        ),
        pytest.param(whole(with_body(b" " * (4 << 20))), id="4 MiB for one row"),
        pytest.param(endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 1000), id="an endless head"),
        pytest.param(endless(b"HTTP/1.1 200 OK\r\na: ", b"b" * 65536), id="an endless field"),
        pytest.param(
            endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"10000\r\n%b\r\n" % (b" " * 65536)),
            id="an endless body",
        ),
        pytest.param(
            endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", b"x" * 65536), id="an endless chunk"
        ),
        pytest.param(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), id="continues for ever"),
    ],
)
def test_every_failure_is_answered_by_stable_and_counted_once(
    stable: Stable, late: ModelDirectory, behave: Behaviour
) -> None:
    with FakeCanary(behave) as canary:
        stable.route(canary.url, slowSeconds=5)
        for _ in range(FAILURES + 3):
            asked = stable.ask(late.rows[:1])
            assert (asked.status, asked.version) == (200, STABLE), asked.answer.text
            assert asked.answer.json()["model_version"] == STABLE
        routing = stable.routing()
    failed = routing["canary"]["requests"]
    assert routing["canary"]["errors"] == sum(number for _, number in routing["canary"]["latency"]) == failed
    # What came while the breaker was open was stable's own.
    assert FAILURES <= failed <= len(canary.seen)
    assert (routing["stable"]["requests"], routing["stable"]["errors"]) == (FAILURES + 3 - failed, 0)
    assert (routing["breaker_opened"], routing["unreachable"], routing["canary"]["slow"]) == (1, 0, 0)


@pytest.mark.parametrize("seconds", [0.7, 3600.0], ids=["slow", "hangs"])
def test_at_half_the_deadline_stable_answers_and_the_late_answer_is_dropped(
    stable: Stable, late: ModelDirectory, seconds: float
) -> None:
    canary = FakeCanary()

    def behave(connection: socket.socket, seen: Seen) -> bool:
        canary.wait(seconds)
        connection.sendall(seen.right_answer())
        return True

    canary.behave = behave
    with canary:
        stable.route(canary.url, deadlineSeconds=0.4, slowSeconds=0.1)
        for _ in range(3):
            began = time.monotonic()
            assert stable.ask(late.rows[:1]).version == STABLE
            assert 0.2 <= time.monotonic() - began < 0.7
        routing = stable.routing()["canary"]
    assert (routing["requests"], routing["errors"], routing["slow"]) == (3, 3, 3)
    assert 0.6 <= routing["seconds"] < 2.1


def test_a_canary_may_die_after_each_of_its_bytes(stable: Stable, late: ModelDirectory) -> None:
    def behave(connection: socket.socket, seen: Seen) -> bool:
        answer = seen.right_answer()
        cut = int(seen.fields["x-request-id"])
        connection.sendall(answer[:cut] if cut < length else answer)
        return cut >= length

    length = len(Seen("POST / HTTP/1.1\r\nx-request-id: 000", b"[0]").right_answer())
    with FakeCanary(behave) as canary:
        stable.route(canary.url)
        for cut in range(length):
            # A good one in between keeps the breaker closed, and a connection to be used again.
            assert stable.ask(late.rows[:1], x_request_id=f"{length}").version == CANARY
            assert stable.ask(late.rows[:1], x_request_id=f"{cut:03}").version == STABLE
        routing = stable.routing()
    assert (routing["canary"]["requests"], routing["canary"]["errors"]) == (2 * length, length)
    assert (routing["breaker_opened"], routing["unreachable"], routing["stable"]["requests"]) == (0, 0, 0)


def test_a_closed_port_is_unreachable_and_no_error(stable: Stable, late: ModelDirectory) -> None:
    with FakeCanary() as canary:
        pass
    stable.route(canary.url)
    for _ in range(FAILURES + 3):
        assert stable.ask(late.rows[:1]).version == STABLE
    routing = stable.routing()
    assert (routing["canary"]["requests"], routing["breaker_opened"]) == (0, 1)
    assert routing["unreachable"] >= FAILURES
    assert routing["unreachable"] + routing["stable"]["requests"] == FAILURES + 3


@pytest.mark.parametrize("url", ["http://no-such-name.invalid:80", "http://192.0.2.1:80"], ids=["name", "address"])
def test_a_canary_that_is_nowhere_is_unreachable(stable: Stable, late: ModelDirectory, url: str) -> None:
    stable.route(url, deadlineSeconds=0.4)
    for _ in range(3):
        assert stable.ask(late.rows[:1]).version == STABLE
    routing = stable.routing()
    assert (routing["unreachable"], routing["canary"]["requests"]) == (3, 0)


def test_who_does_not_accept_connections_is_unreachable(stable: Stable, late: ModelDirectory) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        filling = [socket.socket() for _ in range(4)]
        for connection in filling:
            connection.setblocking(False)
            connection.connect_ex(full.getsockname())
        stable.route(f"http://127.0.0.1:{full.getsockname()[1]}", deadlineSeconds=0.4)
        for _ in range(3):
            assert stable.ask(late.rows[:1]).version == STABLE
        for connection in filling:
            connection.close()
    routing = stable.routing()
    assert (routing["unreachable"], routing["canary"]["requests"]) == (3, 0)


def test_another_version_at_the_canarys_address_is_not_the_canary(stable: Stable, late: ModelDirectory) -> None:
    with FakeCanary(whole(lambda seen: seen.right_answer(version="older"), stays=True)) as canary:
        stable.route(canary.url)
        for _ in range(3):
            assert stable.ask(late.rows[:1]).version == STABLE
        routing = stable.routing()
    assert (routing["unreachable"], routing["canary"]["requests"]) == (3, 0)


def test_the_breaker_lets_one_trial_through_a_second(stable: Stable, late: ModelDirectory) -> None:
    broken = threading.Event()
    broken.set()

    def behave(connection: socket.socket, seen: Seen) -> bool:
        if broken.is_set():
            # Trials that cost less come more often.
            time.sleep(LONGEST_S / REST)
        connection.sendall(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n" if broken.is_set() else seen.right_answer())
        return True

    with FakeCanary(behave) as canary:
        stable.route(canary.url)
        began = time.monotonic()
        while time.monotonic() - began < 2.8:
            assert stable.ask(late.rows[:1]).version == STABLE
        assert FAILURES + 1 <= len(canary.seen) <= FAILURES + 2
        broken.clear()
        eventually(lambda: stable.ask(late.rows[:1]).version == CANARY)
        assert stable.ask(late.rows[:1]).version == CANARY
        assert stable.routing()["breaker_opened"] == 1


@pytest.mark.parametrize(
    ("extra", "connections"),
    [
        pytest.param("", 1, id="kept"),
        pytest.param("connection: close\r\n", 20, id="closed each time"),
    ],
)
def test_connections_are_kept(stable: Stable, late: ModelDirectory, extra: str, connections: int) -> None:
    with FakeCanary(whole(lambda seen: seen.right_answer(extra=extra), stays=True)) as canary:
        stable.route(canary.url)
        for _ in range(20):
            assert stable.ask(late.rows[:1]).version == CANARY
        assert canary.connections == connections


def test_a_connection_that_the_canary_closed_meanwhile_is_no_failure(stable: Stable, late: ModelDirectory) -> None:
    with FakeCanary() as canary:
        stable.route(canary.url)
        for number in range(30):
            assert stable.ask(late.rows[:1]).version == CANARY
            # Sometimes the server has heard of it before the next request, and sometimes it meets it half-way.
            canary.close_connections()
            time.sleep(0.002 * (number % 3))
        routing = stable.routing()
    assert (routing["canary"]["requests"], routing["canary"]["errors"], routing["unreachable"]) == (30, 0, 0)


def test_a_kept_connection_that_is_closed_on_each_request_is_asked_anew_once(
    stable: Stable, late: ModelDirectory
) -> None:
    def behave(connection: socket.socket, seen: Seen) -> bool:
        if seen.fields["x-request-id"] == "die":
            return False
        connection.sendall(seen.right_answer())
        return True

    with FakeCanary(behave) as canary:
        stable.route(canary.url)
        assert stable.ask(late.rows[:1]).version == CANARY
        assert stable.ask(late.rows[:1], x_request_id="die").version == STABLE
        assert [seen.fields["x-request-id"] for seen in canary.seen[1:]] == ["die", "die"]
        routing = stable.routing()["canary"]
    assert (routing["requests"], routing["errors"]) == (2, 1)


def test_what_comes_without_a_question_is_given_to_nobody(stable: Stable, late: ModelDirectory) -> None:
    def behave(connection: socket.socket, seen: Seen) -> bool:
        connection.sendall(2 * seen.right_answer())
        return True

    with FakeCanary(behave) as canary:
        stable.route(canary.url)
        for number in range(10):
            asked = stable.ask(late.rows[:1], x_request_id=f"mine-{number}")
            assert (asked.version, asked.answer.headers["x-request-id"]) == (CANARY, f"mine-{number}")
        assert canary.connections == 10


@pytest.mark.parametrize("old", [False, True], ids=["in chunks", "HTTP/1.0"])
def test_other_ways_to_answer_well(stable: Stable, late: ModelDirectory, old: bool) -> None:
    def answer(seen: Seen) -> bytes:
        right = seen.right_answer()
        if old:
            return right.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        head, _, body = right.partition(b"\r\n\r\n")
        chunks = b"".join(b"5\r\n%b\r\n" % body[at : at + 5] for at in range(0, len(body) - 5, 5))
        rest = body[len(body) - (len(body) % 5 or 5) :]
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
        return b"\r\n".join([*lines, b"transfer-encoding: chunked"]) + b"\r\n\r\n%b%x\r\n%b\r\n0\r\n\r\n" % (
            chunks,
            len(rest),
            rest,
        )

    with FakeCanary(whole(answer, stays=not old)) as canary:
        stable.route(canary.url)
        for _ in range(10):
            assert stable.ask(late.rows[:1]).version == CANARY
        assert stable.routing()["canary"]["errors"] == 0


def test_what_is_passed_on(stable: Stable, late: ModelDirectory) -> None:
    body = json.dumps(late.rows[:2]).encode()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    fields = {
        "content-type": "application/json; charset=utf-8",
        "authorization": "Bearer abc",
        "traceparent": trace,
        "x-request-id": "r-1",
        "cookie": "a=b",
        "connection": "keep-alive, x-own",
        "x-own": "mine",
        "te": "trailers",
        "accept-encoding": "gzip",
    }
    with FakeCanary() as canary:
        stable.route(canary.url)
        answer = stable.session.post(f"{stable.url}{PREDICT}?a=b", data=body, headers=fields)
        (seen,) = canary.seen
    assert answer.headers["traceparent"] == trace
    assert seen.head.startswith(f"POST {PREDICT} HTTP/1.1\r\n")
    assert seen.body == body
    passed = {name: fields[name] for name in ("content-type", "authorization", "traceparent", "x-request-id")}
    own = {"host": f"127.0.0.1:{canary.port}", "content-length": str(len(body))}
    assert seen.fields == passed | own | {"modelwright-forwarded": str(stable.generation)}


def test_what_is_not_the_canarys(stable: Stable, late: ModelDirectory) -> None:
    with FakeCanary() as canary:
        stable.route(canary.url)
        before = stable.routing()["stable"]["requests"]
        assert stable.ask(late.rows[:1], f"/v2/models/model/versions/{STABLE}/predict").version == STABLE
        assert stable.ask(late.rows[:1], modelwright_forwarded="3").version == STABLE
        assert stable.ask([{"carrier": "AA"}]).status == 422
        assert stable.session.post(stable.url + PREDICT, data=b"{").status_code == 400
        assert stable.get("/v2/models/model").status_code == 200
        assert stable.routing()["stable"]["requests"] == before
        assert canary.seen == []


def test_what_only_the_model_refuses_is_nobodys_error(band: ModelDirectory, tmp_path: Path) -> None:
    # This one takes no missing values, which no decoder knows.
    missing = [band.rows[0] | {"distance": None}]
    with Stable(band, tmp_path / "routing") as stable, FakeCanary(status("422 No")) as canary:
        stable.route(canary.url)
        for _ in range(2 * FAILURES):
            asked = stable.ask(missing)
            assert (asked.status, asked.version) == (422, STABLE)
        routing = stable.routing()
        assert len(canary.seen) == 2 * FAILURES
        assert routing["canary"]["requests"] == routing["stable"]["requests"] == routing["breaker_opened"] == 0
        stable.route(canary.url, weight=0.0)
        assert stable.ask(missing).status == 422
        assert stable.routing()["stable"]["requests"] == 0


def test_a_canary_whose_labels_differ_is_found_out(stable: Stable, late: ModelDirectory) -> None:
    with FakeCanary() as canary:
        stable.route(canary.url, compare="1.0")
        for row in late.rows[:40]:
            assert stable.ask([row]).version == CANARY
        eventually(lambda: stable.routing()["compared"] == 40)
        agreed = stable.routing()["agreed"]
    says_true = late.estimator.predict(late.matrix(late.rows[:40])).sum()  # type: ignore[attr-defined]
    assert agreed == says_true
    assert 0 < agreed < 40


def test_who_answered_is_logged(late: ModelDirectory, tmp_path: Path) -> None:
    with Stable(late, tmp_path / "routing", access_log_sample="1") as stable, FakeCanary() as canary:
        stable.route(canary.url)
        stable.ask(late.rows[:1], x_request_id="good")
        canary.behave = status("500 No")
        stable.ask(late.rows[:1], x_request_id="bad")
        eventually(lambda: sum(line.get("message") == "answered" for line in stable.log) == 2)
        good, bad = (line for line in stable.log if line.get("message") == "answered")
        assert (good["request_id"], good["answered_by"], good["rows"]) == ("good", CANARY, 1)
        assert (bad["request_id"], bad.get("answered_by")) == ("bad", None)
        (failed,) = (line for line in stable.log if line.get("message") == "canary failed")
        assert (failed["request_id"], failed["reason"]) == ("bad", "it answered with status 500")
        # What the canary answered is counted in its own Pod.
        assert stable.series("requests_total", route="predict") == 1
        eventually(lambda: stable.series("requests_in_flight") == 0)
        assert stable.series("canary_requests_total", outcome="answered") == 1
        assert stable.series("canary_requests_total", outcome="error") == 1


def test_a_broken_routing_is_told_once_and_the_last_good_one_stays(late: ModelDirectory, tmp_path: Path) -> None:
    with Stable(late, tmp_path / "routing") as stable, FakeCanary() as canary:
        assert stable.ask(late.rows[:1]).version == STABLE
        stable.route(canary.url)
        stable.folder.write('{"generation": 2, "canary"')
        told = stable.wait_for("kept the routing that was there before")
        assert "no JSON" in str(told["reason"])
        assert stable.ask(late.rows[:1]).version == CANARY
        stable.apply({"generation": 3, "canary": {"url": canary.url, "version": CANARY, "weight": "0"}})
        assert stable.ask(late.rows[:1]).version == STABLE
        document = {"generation": 4, "canary": {"url": "https://a", "version": CANARY, "weight": "1"}}
        stable.folder.write(json.dumps(document))
        told = stable.wait_for("kept the routing that was there before", times=2)
        assert "needs a certificate" in str(told["reason"])
        stable.folder.remove()
        eventually(lambda: stable.routing()["generation"] == 0)
        assert stable.ask(late.rows[:1]).version == STABLE
        messages = [line.get("message") for line in stable.log]
        assert messages.count("kept the routing that was there before") == 2
        assert messages.count("routing applied") == 4


def test_without_a_routing_all_is_as_it_was(server: Server, late: ModelDirectory) -> None:
    assert server.managed("/live").json()["routing"]["generation"] == 0
    answer = server.post("/v2/models/late/predict", late.rows[:1])
    assert (answer.status_code, answer.headers["modelwright-version"]) == (200, "v7")
    refused = server.post("/v2/models/late/predict", [])
    assert (refused.status_code, refused.headers["modelwright-version"]) == (422, "v7")


def test_huge_answers_to_many_take_bounded_memory(stable: Stable, late: ModelDirectory) -> None:
    before = _peak_bytes(stable.workers()[-1])
    rows = late.rows[:500]

    def ask() -> None:
        with requests.Session() as session:
            for _ in range(5):
                assert stable.ask(rows, session=session).version == STABLE

    chunk = b"10000\r\n%b\r\n" % (b" " * 65536)
    with FakeCanary(endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk)) as canary:
        for _ in range(3):
            stable.route(canary.url)
            threads = [threading.Thread(target=ask) for _ in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert canary.connections > 15
    assert _peak_bytes(stable.workers()[-1]) - before < 64 << 20


def _peak_bytes(pid: int) -> int:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])
