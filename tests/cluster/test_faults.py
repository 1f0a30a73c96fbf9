"""Bad input: each fault has a reason that names it, an Event, few Jobs, and no fault outlives its cause."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from . import manifests, operator_process
from .api_server import JsonObject, kubectl
from .faults import FAULTS, Fault, packaged
from .manifests import NAME
from .place import READY_S, Place, World, condition

pytestmark = pytest.mark.timeout(900)

DWELL_S = 5
"""Longer than the first wait of the retry ladder: what would be made again and again is seen."""


@dataclass
class Course:
    """What one fault led to: the object as it was told, Jobs before the cure, Events, and whether it got Ready."""

    told: JsonObject = field(default_factory=dict)
    jobs: int = 0
    events: dict[str, JsonObject] = field(default_factory=dict)
    cured: JsonObject | None = None
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def courses(world: World) -> Iterator[dict[str, Future[Course]]]:
    """All faults at the same time: most of each is waiting."""
    before = operator_process.restarts(world.api)
    with Place(world, "faults") as shared, ThreadPoolExecutor(len(FAULTS)) as together:
        packaged(shared)
        shared.ready("ModelVersion", NAME, 2 * READY_S)
        running = {fault.case: together.submit(course, world, fault, shared) for fault in FAULTS}
        yield running
        for future in running.values():
            future.exception()
    assert operator_process.restarts(world.api) == before, "the operator died of somebody's bad input"


def course(world: World, fault: Fault, shared: Place) -> Course:
    """Applies the fault, waits until it is told, sees that it stays quiet, cures it, and waits for Ready."""
    if not fault.alone:
        return in_place(fault, shared)
    with Place(world, "fault", keys=fault.keys) as place:
        return in_place(fault, place)


def in_place(fault: Fault, place: Place) -> Course:
    found = Course()
    fault.begin(place)
    found.told = place.told(fault.kind, fault.name, fault.reason)
    time.sleep(DWELL_S)
    found.jobs = jobs_of(place, fault)
    found.events = place.events(fault.kind, fault.name)
    if fault.cure is not None:
        fault.cure(place)
        found.cured = place.ready(fault.kind, fault.name)
    about = f"{fault.kind} {fault.name} "
    found.complaints = [words for words in place.world.witness.complaints(place.name) if words.startswith(about)]
    return found


def jobs_of(place: Place, fault: Fault) -> int:
    """How many Jobs were ever made for the fault's object."""
    labels = {"modelwright.dev/kind": fault.kind, "modelwright.dev/name": fault.name}
    made = place.world.witness.made("Job", place.name).values()
    return sum(labels.items() <= job["metadata"]["labels"].items() for job in made)


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.case) for fault in FAULTS])
def test_a_fault_is_told_and_goes_with_its_cause(fault: Fault, courses: dict[str, Future[Course]]) -> None:
    found = courses[fault.case].result()
    ready = condition(found.told, "Ready")
    assert ready is not None
    for word in fault.words:
        assert word in ready["message"]
    assert fault.reason in found.events
    assert found.jobs <= fault.jobs
    assert (found.cured is not None) == (fault.cure is not None)
    assert found.complaints == []


def nested(manifest: JsonObject, path: str, value: object) -> JsonObject:
    """The manifest with one field set; `path` is dotted."""
    where = manifest
    *parents, last = path.split(".")
    for name in parents:
        where = where.setdefault(name, {})
    where[last] = value
    return manifest


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        pytest.param(
            nested(manifests.dataset("s3://raw/a.csv"), "spec.split.train", "seventy"),
            ("spec.split.train", "integer"),
            id="a wrong type",
        ),
        pytest.param(
            nested(manifests.dataset("s3://raw/a.csv"), "spec.sorce", {}), ("spec.sorce",), id="an unknown field"
        ),
        pytest.param(
            nested(manifests.training_run(), "spec.task", "clasification"),
            ("spec.task", "classification", "regression"),
            id="a word that is not on the list",
        ),
        pytest.param(
            manifests.dataset("s3://raw/a.csv", "f" * 60),
            ("metadata.name", "40 characters"),
            id="a name of 60 characters",
        ),
        pytest.param(
            nested(manifests.dataset("s3://raw/a.csv"), "spec.split", {"train": 80, "validation": 15, "test": 15}),
            ("spec.split", "110", "must be 100"),
            id="a split of 110 percent",
        ),
        pytest.param(
            nested(manifests.training_run(), "spec.trainer", {}),
            ("spec.trainer.estimator", "Required"),
            id="a missing field",
        ),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_fields_name(
    world: World, manifest: JsonObject, words: tuple[str, ...]
) -> None:
    refused = kubectl("apply", "-n", "default", "--dry-run=server", "-f", "-", stdin=manifest)
    assert refused.returncode != 0
    for word in words:
        assert word in refused.stderr
