"""No change around a served model fails a request: rolling updates, Pods deleted and evicted, the operator restarted.

Clients keep their connections and try nothing twice (`load`).
"""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from . import flights, manifests, operator_process
from .api_server import JsonObject, kubectl
from .live_cluster import Cluster
from .load import Load
from .manifests import NAME
from .place import READY_S, Place, World, eventually

pytestmark = pytest.mark.timeout(1800)

FULL = os.environ.get("MODELWRIGHT_TEST_FULL", "") == "1"
REQUESTS = 100_000 if FULL else 20_000
ASKED = flights.rows(1, seed=7)[0]
SERVERS = 2
SERVING = f"modelwright.dev/name={NAME},modelwright.dev/step=serve"


@pytest.fixture(scope="module")
def served(world: World) -> Iterator[Place]:
    """A model behind two servers."""
    with Place(world, "serving") as place:
        place.make(*manifests.chain(place.put_flights()))
        place.edit("Deployment", NAME, {"scaling": {"minReplicas": SERVERS}})
        place.ready("Deployment", NAME, 2 * READY_S)
        yield place


def test_no_change_fails_a_request(served: Place, cluster: Cluster) -> None:
    changes: list[tuple[str, Callable[[], None]]] = [
        ("rolling update", lambda: roll(served)),
        ("a Pod deleted", lambda: delete_one(served)),
        ("a Pod evicted", lambda: evict_one(served)),
        ("the operator killed", lambda: kill_operator(served)),
        ("the operator restarted", cluster.operator_restart),
    ]
    seen: dict[str, int] = {}
    with Load(served.address(NAME), ASKED) as load:
        load.until(200, 60)
        while load.outcome.requests < REQUESTS or not seen:
            for name, change in changes:
                before = load.outcome.requests
                change()
                settled(served)
                seen[name] = seen.get(name, 0) + load.outcome.requests - before
                assert not load.outcome.failures, f"{name}: {load.outcome.failures[:5]}"
    outcome = load.outcome
    assert not outcome.failures, outcome.failures[:5]
    assert outcome.requests >= REQUESTS
    assert all(seen.values()), "a change that no request met proves nothing"
    print(
        f"{outcome.requests} requests, 0 failed, p50 {outcome.quantile(0.5) * 1e3:.1f} ms, p99 "
        f"{outcome.quantile(0.99) * 1e3:.1f} ms, longest {outcome.quantile(1) * 1e3:.0f} ms, "
        f"{outcome.connections} connections; during {seen}"
    )


def roll(place: Place) -> None:
    """A new template, by the user's own edit."""
    before = {pod["metadata"]["name"] for pod in servers(place)}
    place.edit("Deployment", NAME, {"server": {"env": [{"name": "ROUND", "value": str(time.time_ns())}]}})
    place.ready("Deployment", NAME)
    eventually(lambda: not before & {pod["metadata"]["name"] for pod in servers(place)}, "new servers only", 120)


def delete_one(place: Place) -> None:
    """A Pod goes in good order, as by `kubectl delete pod`."""
    place.delete("Pod", servers(place)[0]["metadata"]["name"])


def evict_one(place: Place) -> None:
    """A Pod goes as by `kubectl drain`: the PodDisruptionBudget is asked."""
    name = servers(place)[0]["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": place.name}}
    path = f"/api/v1/namespaces/{place.name}/pods/{name}/eviction"
    done = kubectl("create", "--raw", path, "-f", "-", stdin=eviction)
    assert done.returncode == 0, done.stderr


def kill_operator(place: Place) -> None:
    """Without a word."""
    operator_process.kill(place.api)
    eventually(lambda: operator_process.ready(place.api), "ready operator", 120)


def settled(place: Place) -> None:
    """All servers are ready, and those that go are gone."""

    def holds() -> bool:
        pods = place.api.list("Pod", place.name, labelSelector=SERVING)
        return len(pods) == SERVERS and all(is_ready(pod) and not is_going(pod) for pod in pods)

    eventually(holds, f"settled pair of servers: {NAME}", 180)


def servers(place: Place) -> list[JsonObject]:
    """The Pods that serve and are not going."""
    return [pod for pod in place.api.list("Pod", place.name, labelSelector=SERVING) if not is_going(pod)]


def is_going(pod: JsonObject) -> bool:
    """Whether it was told to end."""
    return "deletionTimestamp" in pod["metadata"]


def is_ready(pod: JsonObject) -> bool:
    """Whether a Service sends requests to it."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
