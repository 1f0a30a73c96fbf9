"""A stable server and a real canary: each form of request, shares, and what happens to both under load."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import requests
import tritonclient.http as triton
from sklearn.ensemble import HistGradientBoostingRegressor

from .canaries import CANARY, PREDICT, STABLE, FakeCanary, Stable
from .certificates import write_certificate
from .model_directories import ModelDirectory, Row, flights, score, write_model
from .processes import TIMEOUT_S, Server, eventually

MODEL = "/v2/models/model"


@pytest.fixture(scope="module")
def canary(late: ModelDirectory) -> Iterator[Server]:
    """The same model under another version; tests must leave it as it was."""
    with Server(late.path, model_version=CANARY, grpc_port="0") as server:
        yield server


@pytest.fixture(scope="module")
def stable(late: ModelDirectory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stable]:
    """Two worker processes; tests may kill what they like of them."""
    with Stable(late, tmp_path_factory.mktemp("routing"), processes="2", grpc_port="0") as server:
        yield server


class Load:
    """Clients on kept connections that ask without a pause and never try again."""

    def __init__(self, server: Stable, rows: Sequence[Row], number: int = 4) -> None:
        self._server, self._rows = server, rows
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(index,)) for index in range(number)]
        self.versions: list[str] = []
        self.failures: list[str] = []

    def _ask(self, index: int) -> None:
        with requests.Session() as session:
            while not self._stop.is_set():
                index += 1
                rows = [self._rows[index % len(self._rows)]]
                try:
                    asked = self._server.ask(rows, session=session)
                except requests.RequestException as failure:
                    self.failures.append(str(failure))
                    continue
                if asked.status == 200 and asked.answer.json()["model_version"] == asked.version:
                    self.versions.append(asked.version)
                else:
                    self.failures.append(asked.answer.text)

    def have_answers(self, more: int, version: str | None = None) -> None:
        """Wait for so many more answers, of one version or of any."""
        begin = len(self.versions)
        eventually(lambda: sum(version in (None, said) for said in self.versions[begin:]) >= more)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)


def _infer(model: ModelDirectory, rows: int) -> dict[str, object]:
    matrix = model.matrix(model.rows[:rows])
    data = [None if np.isnan(value) else value for value in matrix.reshape(-1).tolist()]
    return {"inputs": [{"name": "features", "datatype": "FP64", "shape": list(matrix.shape), "data": data}]}


@pytest.mark.parametrize("rows", [1, 3, 5000], ids=["one row", "some rows", "many rows"])
def test_the_same_model_answers_the_same_through_both(
    stable: Stable, canary: Server, late: ModelDirectory, rows: int
) -> None:
    several = (late.rows * 9)[:rows]
    columns = list(late.rows[0])
    lines = [",".join("" if row[name] is None else str(row[name]) for name in columns) for row in several]
    csv = "\n".join([",".join(columns), *lines])
    stable.route(canary.url, compare="1.0")
    before = stable.routing()
    forms = (
        (PREDICT, {"json": several}),
        (PREDICT, {"data": csv.encode(), "headers": {"content-type": "text/csv"}}),
        (f"{MODEL}/infer", {"json": _infer(late, min(rows, 600))}),
        (f"{MODEL}/infer", {"json": _infer(late, 1) | {"id": "x" * 1000, "outputs": [{"name": "probability"}]}}),
        ("/v1/models/model:predict", {"json": {"instances": several}}),
    )
    for path, sent in forms:
        answers = [
            server.session.post(server.url + path, timeout=TIMEOUT_S, **sent)  # type: ignore[arg-type]
            for server in (stable, canary)
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].content == answers[1].content
        assert answers[0].headers["modelwright-version"] == answers[1].headers["modelwright-version"] == CANARY
        assert answers[0].headers["content-type"] == "application/json"
    # Of the fourth no label was asked for.
    eventually(lambda: stable.routing()["compared"] == before["compared"] + 4)
    routing = stable.routing()
    assert (routing["agreed"], routing["canary"]["requests"], routing["canary"]["errors"]) == (4, 5, 0)


def test_binary_data_through_both(stable: Stable, canary: Server, late: ModelDirectory) -> None:
    stable.route(canary.url, compare="1.0")
    matrix = late.matrix(late.rows[:20])
    features = triton.InferInput("features", list(matrix.shape), "FP64")
    features.set_data_from_numpy(matrix)
    with triton.InferenceServerClient(f"127.0.0.1:{stable.port}") as client:
        answer = client.infer("model", [features], request_id="r")
    response = answer.get_response()
    assert (response["model_version"], response["id"]) == (CANARY, "r")
    expected = late.estimator.predict(matrix)  # type: ignore[attr-defined]
    assert answer.as_numpy("label").tolist() == expected.tolist()
    eventually(lambda: stable.routing()["compared"] == 1)
    assert stable.routing()["agreed"] == 1


def test_grpc_is_answered_by_stable(stable: Stable, canary: Server, late: ModelDirectory) -> None:
    import tritonclient.grpc as triton_grpc

    stable.route(canary.url)
    matrix = late.matrix(late.rows[:2])
    features = triton_grpc.InferInput("features", list(matrix.shape), "FP64")
    features.set_data_from_numpy(matrix)
    with triton_grpc.InferenceServerClient(f"127.0.0.1:{stable.grpc_port}") as client:
        assert client.infer("model", [features]).get_response().model_version == STABLE
    routing = stable.routing()
    assert routing["canary"]["requests"] == routing["stable"]["requests"] == 0


def test_values_of_a_regression_are_compared(delay: ModelDirectory, tmp_path: Path) -> None:
    rows = flights(600)
    other = write_model(
        tmp_path / "other",
        HistGradientBoostingRegressor(max_iter=21, random_state=0),
        [score(row) for row in rows],
        rows,
    )
    ours, theirs = (model.estimator.predict(model.matrix(rows[:50])) for model in (delay, other))  # type: ignore[attr-defined]
    alike = int((np.abs(ours - theirs) <= 1e-3 * np.maximum(np.abs(ours), np.abs(theirs))).sum())
    assert 0 < alike < 50
    with Server(other.path, model_version=CANARY) as canary, Stable(delay, tmp_path / "routing") as stable:
        stable.route(canary.url, compare="1")
        for row in rows[:50]:
            assert stable.ask([row]).version == CANARY
        eventually(lambda: stable.routing()["compared"] == 50)
        assert stable.routing()["agreed"] == alike


def test_shares_and_stickiness(stable: Stable, late: ModelDirectory) -> None:
    number = 600

    def versions(**headers: str) -> Mapping[str, str]:
        found = {}
        for index in range(number):
            named = {name: value.format(index) for name, value in headers.items()}
            # New connections now and then: both processes are to be asked.
            with requests.Session() as session:
                found[str(index)] = stable.ask(late.rows[:1], session=session, **named).version
        return found

    with FakeCanary() as canary:
        stable.route(canary.url, weight=0.1, stickyHeader="X-User-Id")
        few = versions(x_user_id="user-{}")
        assert few == versions(x_user_id="user-{}", x_request_id="other-{}")
        stable.route(canary.url, weight=0.3, stickyHeader="X-User-Id")
        more = versions(x_user_id="user-{}")
        by_request = versions(x_request_id="user-{}")
        own = versions()
        routing = stable.routing()
    members = {index for index, version in few.items() if version == CANARY}
    assert members < {index for index, version in more.items() if version == CANARY}
    # Without the header it is the request's id, which is hashed in the same way.
    assert more == by_request
    for found, weight in ((few, 0.1), (more, 0.3), (own, 0.3)):
        share = sum(version == CANARY for version in found.values())
        assert abs(share - number * weight) < 4.5 * sqrt(number * weight * (1 - weight))
    assert routing["canary"]["requests"] + routing["stable"]["requests"] == 3 * number


def test_no_request_fails_while_generations_change(stable: Stable, canary: Server, late: ModelDirectory) -> None:
    with FakeCanary() as other, Load(stable, late.rows) as load:
        for weight in (0.2, 0.5, 1.0, 0.0, 0.7):
            for url in (canary.url, other.url):
                stable.route(url, weight)
                load.have_answers(25)
            stable.apply({"generation": stable.generation + 1})
            load.have_answers(25)
        stable.route(canary.url, 0.5)
    assert not load.failures
    assert {STABLE, CANARY} == set(load.versions)
    # Counts are of one generation, whatever was under way when it began.
    stable.route(canary.url, 0.5)
    for _ in range(40):
        stable.ask(late.rows[:1])
    routing = stable.routing()
    assert routing["canary"]["requests"] + routing["stable"]["requests"] == 40
    assert routing["canary"]["errors"] == routing["stable"]["errors"] == routing["unreachable"] == 0


def test_counts_outlive_the_processes(stable: Stable, canary: Server, late: ModelDirectory) -> None:
    stable.route(canary.url, 0.5)

    def ask(times: int) -> None:
        for _ in range(times):
            with requests.Session() as session:
                assert stable.ask(late.rows[:1], session=session).status == 200

    for killed in range(1, 4):
        ask(20)
        eventually(lambda: stable.series("processes") == 2)
        ended = stable.series("process_restarts_total", reason="ended")
        alive = [pid for pid in stable.workers() if Path(f"/proc/{pid}").exists()]
        os.kill(alive[killed % 2], signal.SIGKILL)
        eventually(lambda ended=ended: stable.series("process_restarts_total", reason="ended") == ended + 1)  # type: ignore[misc]
        eventually(lambda: stable.series("processes") == 2 and stable.routing()["generation"] == stable.generation)
        routing = stable.routing()
        assert routing["newest"] == stable.generation
        assert routing["canary"]["requests"] + routing["stable"]["requests"] == 20 * killed


def test_a_canary_that_is_killed_and_comes_back_costs_nobody(
    stable: Stable, late: ModelDirectory, tmp_path: Path
) -> None:
    with Load(stable, late.rows) as load:
        with Server(late.path, model_version=CANARY) as canary:
            port = str(canary.port)
            stable.route(canary.url, 0.5)
            load.have_answers(20, CANARY)
            # Its worker dies and is replaced; then the whole of it.
            os.kill(canary.workers()[0], signal.SIGKILL)
            load.have_answers(20, CANARY)
            canary.process.kill()
            eventually(lambda: stable.routing()["breaker_opened"] > 0)
            load.have_answers(50, STABLE)
        with Server(late.path, model_version=CANARY, port=port) as canary:
            load.have_answers(50, CANARY)
            # It drains, as when its Pod is deleted.
            canary.terminate()
            load.have_answers(50)
            assert canary.process.wait(TIMEOUT_S) == 0
            load.have_answers(50, STABLE)
    assert not load.failures
    # Of requests that it had when it was killed, and of none else.
    assert stable.routing()["canary"]["errors"] <= 2 * 4


def test_a_stable_server_that_drains_goes_on_forwarding(canary: Server, late: ModelDirectory, tmp_path: Path) -> None:
    with Stable(late, tmp_path / "routing", drain_seconds="1") as stable:
        stable.route(canary.url)
        assert stable.ask(late.rows[:1]).version == CANARY
        stable.terminate()
        stable.wait_for("draining")
        asked = stable.ask(late.rows[:1])
        assert (asked.version, asked.answer.headers["connection"]) == (CANARY, "close")
        assert stable.process.wait(TIMEOUT_S) == 0


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_the_canary_shows_the_same_certificate_or_gets_nothing(late: ModelDirectory, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        write_certificate(tmp_path / name, name)
    shutil.copytree(tmp_path / "ours", tmp_path / "mounted")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(tmp_path / "theirs" / "tls.crt", tmp_path / "theirs" / "tls.key")
    ours, mounted = str(tmp_path / "ours"), str(tmp_path / "mounted")
    with (
        Stable(late, tmp_path / "routing", scheme="https", tls_dir=ours) as stable,
        Server(late.path, model_version=CANARY, scheme="https", tls_dir=mounted) as same,
        FakeCanary(tls=theirs) as other,
        FakeCanary() as plain,
    ):
        # It is the client that is not asked here what it trusts.
        stable.session.verify = False
        stable.session.trust_env = False

        def answered_by_canary(url: str) -> bool:
            stable.route(url)
            versions = {stable.ask([row]).version for row in late.rows[:3]}
            routing = stable.routing()
            figures = (routing["canary"]["requests"], routing["canary"]["errors"], routing["unreachable"])
            assert (versions, figures) in (({CANARY}, (3, 0, 0)), ({STABLE}, (0, 0, 3)))
            return versions == {CANARY}

        assert answered_by_canary(same.url)
        # What this server speaks the canary speaks, whatever the address says.
        assert answered_by_canary(same.url.replace("https", "http"))
        assert not answered_by_canary(other.url)
        assert not answered_by_canary(plain.url)
        # The Secret changes: the canary's Pod hears of it later, and then so does this one.
        write_certificate(tmp_path / "ours", "ours")
        stable.wait_for("certificate read", times=2)
        stable.route(plain.url)
        assert answered_by_canary(same.url)
        shutil.copytree(tmp_path / "ours", tmp_path / "mounted", dirs_exist_ok=True)
        same.wait_for("certificate read", times=2)
        stable.route(plain.url)
        assert answered_by_canary(same.url)
        assert plain.seen == other.seen == []
        assert other.connections == 3


def test_tokens_go_along(late: ModelDirectory, tmp_path: Path) -> None:
    for folder, token in (("ours", "abc"), ("theirs", "xyz")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "token").write_text(token)
    with (
        Stable(late, tmp_path / "routing", tokens_dir=str(tmp_path / "ours")) as stable,
        Server(late.path, model_version=CANARY, tokens_dir=str(tmp_path / "ours")) as same,
        Server(late.path, model_version=CANARY, tokens_dir=str(tmp_path / "theirs")) as other,
    ):
        stable.route(same.url)
        assert stable.ask(late.rows[:1], authorization="Bearer abc").version == CANARY
        assert stable.ask(late.rows[:1], authorization="Bearer xyz").status == 401
        assert same.series("requests_total", code="401") == 0
        # A new token may reach one Pod sooner than another: that is no model's error.
        stable.route(other.url)
        assert stable.ask(late.rows[:1], authorization="Bearer abc").version == STABLE
        routing = stable.routing()
        assert (routing["unreachable"], routing["canary"]["requests"]) == (1, 0)
