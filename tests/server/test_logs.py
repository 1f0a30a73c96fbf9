"""Lines of the log: their form, and that no client can write as many as it likes."""

import json
import logging
import subprocess
import sys

import pytest

from modelwright_server import logs
from modelwright_server.access_log import MAX_LINES_PER_S, AccessLog
from modelwright_server.http_message import Head, Request, Response
from modelwright_server.logs import TRACEBACKS_PER_S

from .processes import server_environment

FLOOD = """
import logging
from modelwright_server.logs import start_logging
start_logging("info")
for number in range(500):
    try:
        raise ArithmeticError("the model failed")
    except ArithmeticError:
        logging.getLogger().exception("failed")
logging.getLogger().info("the end")
"""


def test_a_model_that_always_fails_does_not_flood_the_log() -> None:
    command = [sys.executable, "-c", FLOOD]
    done = subprocess.run(command, env=server_environment(), capture_output=True, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[-1]["message"] == "the end"
    failures = [line for line in lines if line["message"] == "failed"]
    # It may run over the end of a second, or of some on a slow machine.
    assert 0 < len(failures) <= 5 * TRACEBACKS_PER_S
    assert "ArithmeticError: the model failed" in failures[0]["exception"]


def request(name: bytes) -> Request:
    return Request(Head("POST", "/p", {}, keep_alive=True, http_1_0=False), b"", name, 0.0)


def test_failures_stand_for_themselves_and_the_others_for_a_sample(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = AccessLog(0.25)
    for number in range(8):
        log.answered(request(b"%d" % number), Response(200, b"{}"), "infer", 0.1)
    log.answered(request(b"failed"), Response(500, b'{"error":"why"}'), "infer", 0.1)
    lines = [record.__dict__["fields"] for record in caplog.records]
    assert [(line["request_id"], line["sample"]) for line in lines] == [("3", 4), ("7", 4), ("failed", 1)]
    assert lines[-1]["answer"] == '{"error":"why"}'


def test_lines_beyond_the_bound_are_counted(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "monotonic", lambda: 7.0)
    caplog.set_level(logging.INFO)
    log = AccessLog(1)
    for _ in range(MAX_LINES_PER_S + 3):
        log.answered(request(b"1"), Response(200, b"{}"), "infer", 0.1)
    assert (len(caplog.records), log.dropped) == (MAX_LINES_PER_S, 3)
