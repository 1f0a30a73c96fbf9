"""`modelwright predict`: rows in, a table out, and a sentence for whatever can go wrong."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from modelwright.cli.main import main

ANSWER = {
    "model_name": "late-flights",
    "predictions": [
        {"label": True, "probabilities": {"False": 0.25, "True": 0.75}},
        {"label": False, "probabilities": {"False": 0.875, "True": 0.125}},
    ],
}
TABLE = """row  label  probabilities[False]  probabilities[True]
0    True   0.25                  0.75
1    False  0.875                 0.125
"""
PATH = "/v2/models/late-flights/predict"
PROXY = "/api/v1/namespaces/ana/services/late:http/proxy"
OBJECT = "/apis/modelwright.dev/v1alpha1/namespaces/ana/modeldeployments/late"
NOBODY = "http://127.0.0.1:1"


class Listener(HTTPServer):
    """An API server and a model server in one: what each path answers, and what it was asked."""

    answers: dict[str, tuple[int, Any]]
    asked: list[tuple[str, str, bytes]]


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes) -> None:
        self.server.asked.append((self.path, self.headers.get("Content-Type", ""), body))
        status, document = self.server.answers.get(self.path, (404, {"message": "not found"}))
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what it saw."""


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with Listener(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        server.asked, server.answers = [], {PATH: (200, ANSWER), PROXY + PATH: (200, ANSWER), OBJECT: deployment(url)}
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        kubeconfig = {
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "ana"}}],
            "current-context": "x",
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "rows.json").write_text('[{"carrier": "AA"}, {"carrier": "UA"}]')
        yield server
        server.shutdown()
        thread.join()


def deployment(url: str) -> tuple[int, Any]:
    ready = {
        "type": "Ready",
        "status": "False",
        "reason": "DependencyNotReady",
        "message": "ModelVersion late-flights-1 is not Ready",
        "lastTransitionTime": "2026-05-01T00:00:00Z",
    }
    return 200, {
        "kind": "Deployment",
        "metadata": {"name": "late", "namespace": "ana"},
        "spec": {"model": {"name": "late-flights"}},
        "status": {"url": url, "conditions": [ready]},
    }


def test_a_table_of_predictions(listener: Listener, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "late", "--rows", "rows.json"]) == 0
    assert capsys.readouterr().out == TABLE
    path, content_type, body = listener.asked[-1]
    assert (path, content_type) == (PATH, "application/json")
    assert json.loads(body) == [{"carrier": "AA"}, {"carrier": "UA"}]


def test_the_servers_own_json(listener: Listener, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "late", "--rows", "rows.json", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == ANSWER


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("rows.jsonl", '{"carrier": "AA"}\n\n{"carrier": "UA"}\n', id="one object a line"),
        pytest.param("rows", '{"carrier": "AA"}\n{"carrier": "UA"}\n', id="one object a line, without an ending"),
        pytest.param("rows.json", '\ufeff[{"carrier": "AA"}, {"carrier": "UA"}]', id="with a byte order mark"),
    ],
)
def test_rows_are_read(listener: Listener, name: str, text: str) -> None:
    Path(name).write_text(text)
    assert main(["predict", "late", "--rows", name]) == 0
    assert json.loads(listener.asked[-1][2]) == [{"carrier": "AA"}, {"carrier": "UA"}]


@pytest.mark.parametrize("where", ["", "http://late.ana.svc.unreachable"], ids=["directly", "through the proxy"])
def test_csv_is_passed_on_as_it_is(listener: Listener, where: str) -> None:
    if where:
        listener.answers[OBJECT] = deployment(where)
    Path("rows.csv").write_text("carrier,distance\nAA,12\nUA,13\n")
    assert main(["predict", "late", "--rows", "rows.csv"]) == 0
    assert listener.asked[-1][1:] == ("text/csv", b"carrier,distance\nAA,12\nUA,13\n")


def test_what_cannot_be_reached_goes_through_the_api_server(
    listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    listener.answers[OBJECT] = deployment("http://late.ana.svc.unreachable")
    assert main(["predict", "late", "--rows", "rows.json"]) == 0
    assert capsys.readouterr().out == TABLE
    path, content_type, body = listener.asked[-1]
    assert (path, content_type) == (PROXY + PATH, "application/json")
    assert json.loads(body) == [{"carrier": "AA"}, {"carrier": "UA"}]


@pytest.mark.parametrize(
    ("answers", "rows", "said"),
    [
        pytest.param({OBJECT: (404, {})}, "[{}]", "there is no ModelDeployment late in namespace ana", id="no object"),
        pytest.param({OBJECT: (403, {"message": "ana may not"})}, "[{}]", "ana/late: ana may not", id="no right"),
        pytest.param({OBJECT: deployment("")}, "[{}]", "serves nothing yet: Ready is False", id="not served yet"),
        pytest.param({PATH: (400, {"error": "row 1: no a"})}, "[{}]", "rows (400): row 1: no a", id="a bad row"),
        pytest.param({PATH: (200, ["hello"])}, "[{}]", "not that of a model server of ours", id="another server"),
        pytest.param(
            {OBJECT: deployment("http://late.unreachable"), PROXY + PATH: (503, {"message": "no endpoints"})},
            "[{}]",
            "does not pass the request on: no endpoints (Ready is False",
            id="no server runs",
        ),
        pytest.param({}, "", "has no rows", id="an empty file"),
        pytest.param({}, "[1, 2]", "must be rows as objects", id="numbers"),
        pytest.param({}, '{"a": 1}\n{"a": \n', "line 2 is no JSON", id="a broken line"),
    ],
)
def test_what_is_wrong_is_a_sentence(
    listener: Listener, answers: dict[str, Any], rows: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listener.answers |= answers
    Path("rows.json").write_text(rows)
    assert main(["predict", "late", "--rows", "rows.json"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("modelwright: ")
    assert said in err


def test_an_address_of_ones_own(listener: Listener, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{listener.server_port}/"
    listener.answers[OBJECT] = deployment("")
    assert main(["predict", "late", "--rows", "rows.json", "--url", url]) == 0
    assert main(["predict", "late", "--rows", "rows.json", "--url", NOBODY]) == 1
    assert f"{NOBODY} cannot be reached" in capsys.readouterr().err


def test_no_kubeconfig_is_a_sentence(listener: Listener, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "late", "--rows", "rows.json", "--context", "none"]) == 1
    assert "no cluster: " in capsys.readouterr().err
