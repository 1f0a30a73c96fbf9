"""Parts of the server that need no process of their own."""

from pathlib import Path

import httptools
import pytest

from modelwright_server.cpus import threads_of, usable_cpus
from modelwright_server.http_head import refusal_of
from modelwright_server.http_target import path_of


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        pytest.param({"cpu.max": "50000 100000"}, 1, id="v2, half a processor"),
        pytest.param({"cpu.max": "max 100000"}, None, id="v2, no quota"),
        pytest.param({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, id="v1, no quota"),
        pytest.param({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1, id="v1, one processor"),
        pytest.param({}, None, id="no cgroup"),
    ],
)
def test_processors_of_a_container(tmp_path: Path, files: dict[str, str], cpus: int | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    available = usable_cpus(tmp_path / "absent")
    assert usable_cpus(tmp_path) == (available if cpus is None else cpus)


@pytest.mark.parametrize(
    ("environment", "processes", "threads"),
    [
        pytest.param({}, 1, 8, id="all processors for one process"),
        pytest.param({}, 3, 2, id="a process's share"),
        pytest.param({}, 9, 1, id="more processes than processors"),
        pytest.param({"OPENBLAS_NUM_THREADS": "7"}, 3, 7, id="somebody's own number"),
        pytest.param({"OMP_NUM_THREADS": "4,2"}, 3, 2, id="nested threads are not taken"),
    ],
)
def test_threads_of_a_process(environment: dict[str, str], processes: int, threads: int) -> None:
    assert threads_of(environment, 8, processes) == threads


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a?b=/c", "/a"),
        (b"/%2e/%C3%9C", "/./Ü"),
        (b"http://h:1/a?b", "/a"),
        (b"http://h", "/"),
        (b"*", "*"),
        (b"/%c3", None),
    ],
)
def test_request_targets(target: bytes, path: str | None) -> None:
    assert path_of(target) == path


def test_an_exception_of_our_own_is_not_called_the_clients_mistake(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def on_url(self, url: bytes) -> None:
            raise LookupError("ours")

    with pytest.raises(httptools.HttpParserError) as raised:
        httptools.HttpRequestParser(Failing()).feed_data(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert refusal_of(raised.value) == (500, "the server failed to read this request")
    assert "LookupError: ours" in caplog.text


def test_what_no_parser_takes_is_the_clients_mistake(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(httptools.HttpParserError) as raised:
        httptools.HttpRequestParser(object()).feed_data(b"\0")
    status, sentence = refusal_of(raised.value)
    assert (status, sentence.partition(":")[0]) == (400, "malformed HTTP request")
    assert not caplog.text
