"""Worker processes that end, hang or grow: what the supervisor decides, and that no request of others is lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import requests

from modelwright_server.children import describe, fork
from modelwright_server.watch import Bounds, Ends, Signs, Trouble, answers, trouble_of

from . import misbehaving_server
from .model_directories import ModelDirectory, Row
from .processes import TIMEOUT_S, Server, eventually

NOW = 1000.0
PREDICT = "/v2/models/model/predict"


def signs(
    *, heartbeat_ago_s: float = 0.1, busy_for_s: float = 0.0, age_s: float = 500.0, memory_bytes: int | None = None
) -> Signs:
    """Of a process that is ready."""
    busy_since = NOW - busy_for_s if busy_for_s else 0.0
    return Signs(NOW - age_s, NOW - heartbeat_ago_s, busy_since, ready=True, memory_bytes=memory_bytes)


@pytest.mark.parametrize(
    ("seen", "watched_for_s", "trouble"),
    [
        pytest.param(signs(), 500.0, None, id="alive"),
        pytest.param(signs(heartbeat_ago_s=29.0), 500.0, None, id="slow"),
        pytest.param(signs(heartbeat_ago_s=31.0), 500.0, Trouble.LOOP_STANDS, id="no sign of life"),
        pytest.param(
            signs(heartbeat_ago_s=31.0, age_s=5.0), 500.0, None, id="a sign of life of the slot's last process"
        ),
        pytest.param(signs(busy_for_s=31.0), 500.0, Trouble.CALL_STANDS, id="a call on the worker thread hangs"),
        pytest.param(signs(heartbeat_ago_s=31.0, busy_for_s=31.0), 500.0, Trouble.CALL_STANDS, id="a call hangs all"),
        pytest.param(signs(busy_for_s=29.0, heartbeat_ago_s=29.0), 500.0, None, id="a long call"),
        pytest.param(signs(heartbeat_ago_s=900.0, busy_for_s=900.0), 2.0, None, id="the machine had been suspended"),
        pytest.param(signs(memory_bytes=101), 500.0, Trouble.TOO_LARGE, id="large"),
        pytest.param(signs(memory_bytes=100), 500.0, None, id="as large as it may be"),
        pytest.param(signs(heartbeat_ago_s=31.0, memory_bytes=101), 500.0, Trouble.LOOP_STANDS, id="large and stuck"),
        pytest.param(Signs(NOW, NOW, 0.0, ready=False, memory_bytes=101), 500.0, None, id="large and starting"),
    ],
)
def test_trouble(seen: Signs, watched_for_s: float, trouble: Trouble | None) -> None:
    assert trouble_of(seen, Bounds(30.0, 100), NOW, NOW - watched_for_s) is trouble


@pytest.mark.parametrize(
    ("seen", "hang_s", "answering"),
    [
        pytest.param(signs(), 30.0, True, id="alive"),
        pytest.param(signs(heartbeat_ago_s=3.5), 30.0, False, id="stood still"),
        pytest.param(signs(heartbeat_ago_s=0.7), 0.5, False, id="stood still for the hang time"),
        pytest.param(signs(heartbeat_ago_s=9.0, busy_for_s=9.0), 30.0, True, id="in a call of the model"),
        pytest.param(signs(heartbeat_ago_s=31.0, busy_for_s=31.0), 30.0, False, id="in a call that hangs"),
        pytest.param(Signs(NOW, NOW, 0.0, ready=False), 30.0, False, id="starting or draining"),
    ],
)
def test_answers(seen: Signs, hang_s: float, answering: bool) -> None:
    assert answers(seen, hang_s, NOW) is answering


@pytest.mark.parametrize("places", [1, 4])
def test_ends_in_a_row_are_answered_ever_later_and_then_not_at_all(places: int) -> None:
    ends, delays = Ends(), []
    for second in range(6 * places):
        ends = ends.and_another(answered=7.0, now=NOW + second)
        delays.append(ends.delay_s(places))
    assert delays[::places] == [0.0, 0.1, 0.2, 0.4, 0.8, None]
    assert delays.count(None) == places


@pytest.mark.parametrize(
    ("answered", "later_s"), [pytest.param(8.0, 1.0, id="an answer"), pytest.param(7.0, 601.0, id="time")]
)
def test_ends_are_forgiven(answered: float, later_s: float) -> None:
    ends = Ends()
    for _ in range(5):
        ends = ends.and_another(7.0, NOW)
    assert ends.and_another(answered, NOW + later_s).in_a_row == 1


def test_a_fork_that_fails_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", no_more)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(BlockingIOError):
        fork(lambda: None)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.fixture(scope="module")
def pair(late: ModelDirectory) -> Iterator[Server]:
    """A server with two worker processes; tests may kill what they like."""
    with Server(late.path, processes="2", hang_seconds="2") as server:
        yield server


def request_of(model: ModelDirectory, *, close: bool) -> bytes:
    """A prediction request for one row, as bytes."""
    body = json.dumps(model.rows[:1]).encode()
    connection = "close" if close else "keep-alive"
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def alive(server: Server) -> list[int]:
    """The ids of the worker processes that have not ended."""
    return [pid for pid in server.workers() if Path(f"/proc/{pid}").exists()]


def replacement_of(server: Server, pid: int) -> dict[str, object]:
    """What the log says of the replacement of a worker process."""
    found: list[dict[str, object]] = []

    def is_told() -> bool:
        found[:] = [line for line in server.log if line.get("message") == "worker replaced" and line["pid"] == pid]
        return bool(found)

    eventually(is_told)
    return found[0]


class Clients:
    """Threads that ask for predictions, each on new connections and without ever trying again."""

    def __init__(self, server: Server, model: ModelDirectory, number: int) -> None:
        self._server, self._request = server, request_of(model, close=True)
        self._stop = threading.Event()
        self.answered = 0
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(number)]

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                answer = self._server.raw(self._request)
            except OSError as failure:
                self.failures.append(str(failure))
            else:
                if answer.startswith(b"HTTP/1.1 200 "):
                    self.answered += 1
                else:
                    self.failures.append(answer[:100].decode() or "closed without an answer")

    def have_answers(self, more: int) -> None:
        """Wait for so many more answers."""
        enough = self.answered + more
        eventually(lambda: self.answered >= enough)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)


def test_a_killed_process_costs_only_the_requests_that_it_had(pair: Server, late: ModelDirectory) -> None:
    ended = pair.series("process_restarts_total", reason="ended")
    with Clients(pair, late, 4) as clients:
        for _ in range(3):
            clients.have_answers(20)
            # One request of each client at most was with it.
            os.kill(alive(pair)[0], signal.SIGKILL)
        clients.have_answers(50)
    assert len(clients.failures) <= 3 * 4, clients.failures
    assert pair.series("process_restarts_total", reason="ended") == ended + 3
    eventually(lambda: pair.series("processes") == 2)


def test_connections_wait_for_the_process_that_replaces_a_hanging_one(pair: Server, late: ModelDirectory) -> None:
    stuck = alive(pair)
    before = pair.series("process_restarts_total", reason="stood still")
    for pid in stuck:
        os.kill(pid, signal.SIGSTOP)
    waiting = [socket.create_connection(("127.0.0.1", pair.port), timeout=TIMEOUT_S) for _ in range(20)]
    for connection in waiting:
        connection.sendall(request_of(late, close=True))
    eventually(lambda: pair.managed("/v2/health/ready").status_code == 503)
    answers = [connection.recv(12) for connection in waiting]
    assert answers == [b"HTTP/1.1 200"] * 20
    for connection in waiting:
        connection.close()
    assert pair.managed("/v2/health/ready").status_code == 200
    assert pair.series("process_restarts_total", reason="stood still") == before + 2
    assert not set(stuck) & set(alive(pair))


def test_one_hanging_process_of_two_leaves_the_pod_ready(pair: Server) -> None:
    stuck = alive(pair)[0]
    os.kill(stuck, signal.SIGSTOP)
    while stuck in alive(pair):
        assert pair.managed("/v2/health/ready").status_code == 200
    eventually(lambda: len(alive(pair)) == 2)


def test_a_container_that_was_paused_goes_on(pair: Server) -> None:
    processes = [pair.process.pid, *alive(pair)]
    for _ in range(20):
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        time.sleep(0.15)
        for process in reversed(processes):
            os.kill(process, signal.SIGCONT)
        time.sleep(0.02)
    assert pair.process.poll() is None
    assert pair.managed("/v2/health/ready").status_code == 200
    assert "draining" not in {line.get("message") for line in pair.log}
    assert alive(pair) == processes[1:]


@pytest.mark.parametrize(("what", "times"), [(signal.SIGKILL, 1), (signal.SIGSTOP, 2)], ids=["ends", "hangs"])
def test_the_management_process_is_replaced(pair: Server, what: signal.Signals, times: int) -> None:
    workers = alive(pair)
    os.kill(pair.management(), what)
    pair.wait_for("management process replaced", times)

    def answers_again() -> bool:
        try:
            return pair.managed("/v2/health/ready").status_code == 200
        except requests.ConnectionError:
            return False

    eventually(answers_again)
    assert alive(pair) == workers


@pytest.fixture(scope="module")
def misbehaving(late: ModelDirectory) -> Iterator[Server]:
    """A server whose model does what the distance of a row tells it to."""
    program = (str(Path(misbehaving_server.__file__)),)
    limit = str(3 * misbehaving_server.KEPT_BYTES)
    with Server(late.path, program=program, hang_seconds="2", max_memory_bytes=limit) as server:
        yield server


def told_to(what: float, model: ModelDirectory) -> list[Row]:
    """Rows that make the model misbehave."""
    return [{**model.rows[0], "distance": what}]


def test_a_model_that_raises(misbehaving: Server, late: ModelDirectory) -> None:
    (worker,) = alive(misbehaving)
    refused = misbehaving.post(PREDICT, told_to(misbehaving_server.RAISE, late))
    assert refused.status_code == 500
    assert "RuntimeError: the model does not feel like it" in refused.json()["error"]
    assert misbehaving.post(PREDICT, late.rows[:1]).status_code == 200
    assert alive(misbehaving) == [worker]


@pytest.mark.parametrize(
    ("what", "reason", "ended"),
    [
        pytest.param(misbehaving_server.KILL, "it ended", "signal 11, SIGSEGV", id="kills"),
        pytest.param(misbehaving_server.HANG, "a call of the model took too long", "signal 9, SIGKILL", id="hangs"),
    ],
)
def test_a_model_that_takes_its_process_along(
    misbehaving: Server, late: ModelDirectory, what: float, reason: str, ended: str
) -> None:
    (worker,) = alive(misbehaving)
    with pytest.raises(requests.ConnectionError):
        misbehaving.post(PREDICT, told_to(what, late))
    assert misbehaving.post(PREDICT, late.rows[:1]).status_code == 200
    line = replacement_of(misbehaving, worker)
    assert (line["reason"], line["ended"]) == (reason, ended)


def test_a_model_that_leaks_is_relieved_without_a_lost_request(misbehaving: Server, late: ModelDirectory) -> None:
    (worker,) = alive(misbehaving)
    with Clients(misbehaving, late, 2) as clients:
        for _ in range(3):
            assert misbehaving.post(PREDICT, told_to(misbehaving_server.KEEP, late)).status_code == 200
        assert misbehaving.wait_for("worker drained")["pid"] == worker
        clients.have_answers(20)
    assert clients.failures == []
    assert misbehaving.series("process_restarts_total", reason="too large") == 1
    assert worker not in alive(misbehaving)


def test_processes_that_end_again_and_again_end_the_container(late: ModelDirectory, tmp_path: Path) -> None:
    with Server(late.path, termination_log=str(tmp_path / "log")) as server:
        for times in range(6):
            os.kill(int(str(server.wait_for("worker started", times + 1)["pid"])), signal.SIGSEGV)
        assert server.process.wait(TIMEOUT_S) == 1
    sentence = (tmp_path / "log").read_text()
    assert "ended 6 times in a row without having answered a request" in sentence
    assert sentence.endswith("the last time it ended (signal 11, SIGSEGV)")


def test_a_process_that_is_killed_by_the_kernel(pair: Server) -> None:
    os.kill(pid := alive(pair)[0], signal.SIGKILL)
    assert "the container's memory is used up" in str(replacement_of(pair, pid)["ended"])


def test_last_words() -> None:
    def fail() -> None:
        raise RuntimeError("nothing is as it should be")

    child = fork(fail)
    _, status = os.waitpid(child.pid, 0)
    assert describe(status, child.last_words()) == "exit code 1: RuntimeError: nothing is as it should be"


def test_no_process_outlives_the_supervisor(late: ModelDirectory) -> None:
    with Server(late.path, processes="2") as server:
        pid = server.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert len(children) == 3
        server.process.kill()
        eventually(lambda: not any(_runs(int(child)) for child in children))


def test_threads_of_the_model_work_in_forked_processes(late: ModelDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    # GNU's OpenMP hangs in a process whose parent had used threads of it.
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with Server(late.path, max_rows="100000") as server:
        assert server.post(PREDICT, late.rows * 10).status_code == 200
        (worker,) = alive(server)
        assert len(list(Path(f"/proc/{worker}/task").iterdir())) >= 2


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
