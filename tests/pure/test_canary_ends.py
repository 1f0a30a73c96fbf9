"""A canary whose server ends now and then, and is ready again in between."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from modelwright.objects import Pod
from modelwright.reconcilers.canary_servers import CanaryServers, Fault

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
KILLED = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-05-01T11:59:58Z"}


def servers(restarts: int, ended: dict[str, object] | None) -> CanaryServers:
    """One server that is ready now, and was started anew so often."""
    container = {"name": "server", "ready": True, "restartCount": restarts, "state": {"running": {}}}
    container["lastState"] = {"terminated": ended} if ended else {}
    metadata = {"name": "canary-0", "creationTimestamp": "2026-05-01T11:59:00Z", "labels": {}}
    return CanaryServers(None, (cast(Pod, {"metadata": metadata, "status": {"containerStatuses": [container]}}),), None)


@pytest.mark.parametrize(
    ("restarts", "ended", "reason"),
    [
        pytest.param(0, None, None, id="it has never ended"),
        pytest.param(1, KILLED, None, id="once may be chance"),
        pytest.param(2, KILLED, None, id="so may be twice"),
        pytest.param(3, KILLED, "OutOfMemory", id="three times it was killed for its memory"),
        pytest.param(3, {"exitCode": 1, "message": "no such file"}, "CrashLoop", id="three times it ended"),
    ],
)
def test_a_server_that_ends_again_and_again_is_at_fault_though_it_is_ready(
    restarts: int, ended: dict[str, object] | None, reason: str | None
) -> None:
    found = servers(restarts, ended).fault(tried=True, began=NOW, deadline=timedelta(minutes=10), now=NOW)
    assert (found and found.reason) == reason


def test_requests_that_failed_because_a_server_ended_have_that_as_their_reason() -> None:
    figures = Fault("ErrorRate", "it failed 1 % of 500 requests")
    assert servers(0, None).because(figures) == figures
    found = servers(1, KILLED).because(figures)
    assert found.reason == "OutOfMemory"
    assert found.message == f"{figures.message}; Pod canary-0: the server was killed at its memory limit"
    slow = Fault("Latency", "it is slow")
    assert servers(1, KILLED).because(slow) == slow
