"""How the operator runs as a process: settings, log lines, probes, metrics, kopf's settings."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import kopf
import pytest

from modelwright import logs, watch
from modelwright.health import HealthServer
from modelwright.resources import Key
from modelwright.settings import parse


@pytest.mark.parametrize(
    ("arguments", "environment", "namespaces"),
    [
        pytest.param([], {}, (), id="all namespaces"),
        pytest.param([], {"WATCH_NAMESPACES": "a,b"}, ("a", "b"), id="the environment's"),
        pytest.param(["--namespace", "c", "--namespace", "d"], {"WATCH_NAMESPACES": "a"}, ("c", "d"), id="flags win"),
        pytest.param(["--namespace", "c", "--namespace", "c"], {}, ("c",), id="each once"),
    ],
)
def test_watched_namespaces(arguments: list[str], environment: dict[str, str], namespaces: tuple[str, ...]) -> None:
    assert parse(arguments, environment).namespaces == namespaces


def test_the_pod_tells_who_it_is() -> None:
    found = parse([], {"POD_NAME": "one", "POD_NAMESPACE": "system", "LEADER_ELECT": "false", "PORT": "9000"})
    assert (found.identity, found.namespace, found.leader_elect, found.port) == ("one", "system", False, 9000)
    assert parse(["--leader-elect", "--config", "x.yaml"], {"LEADER_ELECT": "false"}).leader_elect
    assert parse(["--config", "x.yaml"], {}).config == Path("x.yaml")


@pytest.fixture
def root() -> Iterator[None]:
    """Leaves logging as it was."""
    logger = logging.getLogger()
    before = logger.handlers[:], logger.level
    yield
    logger.handlers[:] = before[0]
    logger.setLevel(before[1])


@pytest.mark.usefixtures("root")
def test_a_log_line_is_json_with_the_object(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logs.of(logging.getLogger("x"), Key("Dataset", "n", "a")).warning("took %d s", 3)
    logging.getLogger("x").error("failed", exc_info=KeyError("rows"))
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "warning",
        "logger": "x",
        "message": "took 3 s",
        "kind": "Dataset",
        "namespace": "n",
        "name": "a",
    }
    assert "KeyError: 'rows'" in second["exception"]


@pytest.mark.usefixtures("root")
def test_people_get_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(human=True)
    logs.of(logging.getLogger("x"), Key("Dataset", "n", "a")).info("done")
    assert capsys.readouterr().err.rstrip().endswith("INFO    Dataset/n/a: done")


async def test_probes_and_metrics(unused_tcp_port: int) -> None:
    state = {"alive": True, "ready": False}
    server = HealthServer(unused_tcp_port, lambda: state["alive"], lambda: state["ready"])
    await server.start()
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with aiohttp.ClientSession() as session:

        async def ask(path: str) -> tuple[int, str]:
            async with session.get(url + path) as answer:
                return answer.status, await answer.text()

        assert await ask("/healthz") == (200, "ok\n")
        assert (await ask("/readyz"))[0] == 503
        state.update(alive=False, ready=True)
        assert (await ask("/healthz"))[0] == 503
        assert (await ask("/readyz"))[0] == 200
        status, text = await ask("/metrics")
        assert status == 200
        for name in ("modelwright_queue_depth", "modelwright_build_info", "modelwright_leader"):
            assert name in text
    await server.stop()


def test_kopf_is_told_to_write_nothing() -> None:
    settings = kopf.OperatorSettings()
    watch.configure(settings)
    assert isinstance(settings.persistence.diffbase_storage, watch.NoDiffBase)
    assert isinstance(settings.persistence.progress_storage, watch.NoProgress)
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.peering.standalone
