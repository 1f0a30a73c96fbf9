"""The OpenAPI document is true: schemathesis finds no answer that it doesn't name, and its examples are answered so."""

import hashlib
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import orjson
import pytest

from .model_directories import INPUTS, ModelDirectory
from .processes import Server

CONFIG = """
[checks.negative_data_rejection]
expected-statuses = ["400", "413", "415", "422"]

# A schema can't say that data is as long as the shape asks, or what a CSV and binary data hold.
[[operations]]
include-path-regex = "/(infer|predict)$"
[operations.checks.positive_data_acceptance]
expected-statuses = ["200", "400", "422"]
"""
EXAMPLES = 10


def posts(document: dict[str, dict[str, dict[str, dict[str, object]]]]) -> list[str]:
    """The paths that predict."""
    return [path for path, methods in document["paths"].items() if "post" in methods]


@pytest.fixture(scope="module")
def lenient(late: ModelDirectory) -> Iterator[Server]:
    """A server of a model that takes missing values, with room for as many rows as it says that it takes."""
    with Server(late.path, model_name="late", model_version="v7") as running:
        yield running


@pytest.fixture(scope="module")
def strict(band: ModelDirectory) -> Iterator[Server]:
    """A server of a model that takes no missing values."""
    with Server(band.path) as running:
        yield running


@pytest.mark.parametrize("which", ["lenient", "strict"])
def test_schemathesis(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    server: Server = request.getfixturevalue(which)
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("st")), "--config-file", str(tmp_path / "schemathesis.toml")),
            *("run", f"{server.url}/openapi.json", "--checks", "all", "--phases", "examples,coverage,fuzzing"),
            *("--max-examples", str(EXAMPLES), "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    lines = [line[:300] for line in (done.stdout + done.stderr).splitlines() if line]
    assert done.returncode == 0, "\n".join(lines)


def test_examples_are_answered_as_the_document_says(lenient: Server) -> None:
    document = lenient.get("/openapi.json").json()
    paths = posts(document)
    assert len(paths) == 5
    for path in paths:
        operation = document["paths"][path]["post"]
        example = operation["requestBody"]["content"]["application/json"]["example"]
        answer = lenient.post(path, example)
        assert answer.status_code == 200
        assert answer.json() == operation["responses"]["200"]["content"]["application/json"]["example"]


def nullable(server: Server) -> set[str]:
    """The columns of which the document says that they may be missing."""
    columns = server.get("/openapi.json").json()["components"]["schemas"]["Row"]["properties"]
    assert list(columns) == [column.name for column in INPUTS]
    return {name for name, schema in columns.items() if {"type": "null"} in schema.get("anyOf", [])}


def test_only_what_may_be_missing_is_nullable(lenient: Server, strict: Server) -> None:
    assert nullable(lenient) == {column.name for column in INPUTS}
    assert nullable(strict) == set()


def test_page(lenient: Server) -> None:
    answer = lenient.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"(src|href)=\"(https?:)?//|\son\w+=|style=", answer.text)
    assert "late v7" in answer.text
    for name in ("carrier", "distance", "seats", "holiday", "sched_dep", "probability"):
        assert f"<td>{name}</td>" in answer.text


def test_the_pages_example_is_answered(lenient: Server) -> None:
    text = lenient.get("/").text
    (path,) = re.findall(r'data-path="([^"]*)"', text)
    (example,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", text, re.DOTALL)
    answer = lenient.post(f"/{path}", orjson.loads(unescape(example)))
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 2
