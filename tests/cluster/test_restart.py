"""With everything Ready, the operator's restart is nobody's business: it looks, and writes nothing but its Lease."""

import time

import pytest

from . import audit, manifests, operator_process
from .manifests import NAME
from .place import READY_S, Place, World, eventually

pytestmark = pytest.mark.timeout(900)

CAUGHT_UP_S = 5.0


def test_restart_writes_nothing_and_is_caught_up_soon(world: World) -> None:
    with Place(world, "restart") as place:
        place.make(*manifests.chain(place.put_flights()))
        place.ready("Deployment", NAME, 2 * READY_S)
        eventually(lambda: operator_process.ready(world.api), "ready operator")
        quiet(world)
        before, restarts = audit.mark(), operator_process.restarts(world.api)
        killed = operator_process.kill(world.api)
        ages: list[float] = []

        def is_caught_up() -> bool:
            age_s = operator_process.age_s(world.api, other_than=killed)
            ages[:] = [age_s] if age_s is not None else []
            return bool(ages) and caught_up(world)

        eventually(is_caught_up, "operator that is caught up")
        assert operator_process.restarts(world.api) == restarts + 1
        quiet(world)
        written = [write for write in audit.writes(before) if write.by_operator]
        assert [write for write in written if write.resource != "leases"] == []
        assert written, "the audit log knows nothing of the operator: the test looks in the wrong place"
        assert ages[0] < CAUGHT_UP_S, f"caught up after {ages[0]:.1f} s"
        print(f"caught up {ages[0]:.2f} s after its process began; {len(written)} writes of its Lease")


def caught_up(world: World) -> bool:
    """Ready, its queue empty, and at least one pass for each object that it counts."""
    exposition = operator_process.ask(world.api, "metrics") if operator_process.ready(world.api) else None
    if exposition is None:
        return False
    figures = parse(exposition)
    passes = sum(value for name, value in figures.items() if name.startswith("modelwright_reconcile_seconds_count"))
    objects = sum(value for name, value in figures.items() if name.startswith("modelwright_objects"))
    return figures["modelwright_queue_depth"] == 0 and passes >= objects > 0


def parse(exposition: str) -> dict[str, float]:
    """Prometheus' text format: series → value."""
    lines = (line.rpartition(" ") for line in exposition.splitlines() if line and not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


def quiet(world: World) -> None:
    """Waits until other tests' namespaces are gone, and no object of ours has changed for three seconds, anywhere."""
    eventually(
        lambda: not any("deletionTimestamp" in one["metadata"] for one in world.api.list("Namespace")),
        "end of the namespaces that are going",
        150,
    )

    def versions() -> list[str]:
        kinds = ("Dataset", "TrainingRun", "ModelVersion", "Deployment", "Job", "apps/Deployment")
        return [obj["metadata"]["resourceVersion"] for kind in kinds for obj in world.api.list(kind)]

    last, since = versions(), time.monotonic()

    def still() -> bool:
        nonlocal last, since
        now = versions()
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > 3

    eventually(still, "silence in the cluster", 120)
