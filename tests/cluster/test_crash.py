"""The operator is killed at random moments of the chain, and nobody can tell from the result."""

import os
import random
import time

import pytest

from . import audit, manifests, operator_process
from .digests import Digests, digests
from .manifests import NAME
from .place import READY_S, Place, World, eventually

pytestmark = pytest.mark.timeout(3600)

SEED = 20261121
FULL = os.environ.get("MODELWRIGHT_TEST_FULL", "") == "1"
ROUNDS, KILLS_A_ROUND = (5, 5) if FULL else (1, 5)
CHAINS = 2
"""Chains at a time, begun a moment apart, so that one kill meets them in different steps."""
ROWS = 2000
STEPS = {"ingest": 1, "train": 1, "package": 1}


def test_every_chain_survives_the_deaths_of_the_operator(world: World) -> None:
    source = random.Random(SEED)
    with Place(world, "calm") as calm:
        calm.make(*manifests.chain(calm.put_flights(ROWS)))
        calm.ready("Deployment", NAME, 2 * READY_S)
        undisturbed = digests(calm)
    for number in range(ROUNDS):
        disturbed(world, source, undisturbed, number)


def disturbed(world: World, source: random.Random, undisturbed: Digests, number: int) -> None:
    """One round: chains begin, the operator dies again and again, and they all end as if it had not."""
    before, restarts = audit.mark(), operator_process.restarts(world.api)
    places = [Place(world, f"crash{number}") for _ in range(CHAINS)]
    try:
        for place in places:
            place.__enter__()
            place.make(*manifests.chain(place.put_flights(ROWS)))
            time.sleep(source.uniform(0, 2))
        for _ in range(KILLS_A_ROUND):
            time.sleep(source.uniform(0.2, 5))
            operator_process.kill(world.api)
        for place in places:
            place.ready("Deployment", NAME, 2 * READY_S)
        assert operator_process.restarts(world.api) - restarts == KILLS_A_ROUND
        for place in places:
            assert digests(place) == undisturbed
            assert_one_job_a_step(place, before)
            assert_no_orphan(place)
    finally:
        for place in reversed(places):
            place.__exit__(AssertionError, None, None)
    for place in places:
        assert not world.witness.complaints(place.name), world.witness.complaints(place.name)


def assert_one_job_a_step(place: Place, since: int) -> None:
    """As the API server's audit log and a watch over all Jobs tell."""
    created = [
        write
        for write in audit.writes(since)
        if (write.namespace, write.resource, write.verb, write.code) == (place.name, "jobs", "create", 201)
    ]
    steps = [
        job["metadata"]["labels"]["modelwright.dev/step"]
        for job in place.world.witness.made("Job", place.name).values()
    ]
    assert {step: steps.count(step) for step in steps} == STEPS
    assert len(created) == len(STEPS)


def assert_no_orphan(place: Place) -> None:
    """One ModelVersion, one Deployment of Pods, one Service; every child's managing owner is there by its UID."""
    assert len(place.api.list("ModelVersion", place.name)) == 1
    owners = {
        obj["metadata"]["uid"]
        for kind in ("Dataset", "TrainingRun", "ModelVersion", "Deployment")
        for obj in place.api.list(kind, place.name)
    }
    children = [
        child
        for kind in ("Job", "apps/Deployment", "Service")
        for child in place.api.list(kind, place.name, labelSelector="app.kubernetes.io/managed-by=modelwright")
    ]
    assert len(children) == len(STEPS) + 2
    for child in children:
        assert [owner["uid"] in owners for owner in child["metadata"]["ownerReferences"]] == [True]


def test_a_deletion_while_the_operator_is_down_is_honoured(world: World) -> None:
    with Place(world, "downtime") as place:
        place.make(*manifests.chain(place.put_flights(ROWS)))
        place.ready("Deployment", NAME, 2 * READY_S)
        operator_process.kill(world.api)
        place.delete("Deployment", NAME)
        eventually(lambda: operator_process.ready(world.api), "ready operator")
        place.gone("apps/Deployment", NAME)
        place.delete("TrainingRun", NAME)
        place.delete("Dataset", NAME)
        eventually(
            lambda: not place.api.list("Job", place.name, labelSelector="modelwright.dev/step in (ingest,train)"),
            "end of the Jobs",
        )
        assert [version["metadata"]["name"] for version in place.api.list("ModelVersion", place.name)]
