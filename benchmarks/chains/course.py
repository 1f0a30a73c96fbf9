"""One course of the chain: what happened when, from watches and from the logs of its Pods.

Objects are timed by when a watch told of them, containers by the time stamps that the runtime gave their log lines; the
kubelet's own times have whole seconds only. All are of one machine's clock.
"""

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import requests
from tests.cluster import flights, manifests
from tests.cluster.answers import own, predicted
from tests.cluster.api_server import JsonObject, path_of
from tests.cluster.manifests import NAME
from tests.cluster.place import Place, World, is_ready
from tests.cluster.witness import Sighting

ASKED = flights.rows(5, seed=99)
LIMIT_S = 180


@dataclass
class Stage:
    """Seconds of one step: until its Job is there, until its program runs, imports, work, until the status says so."""

    reconcile_s: float
    pod_s: float
    imports_s: float
    work_s: float
    told_s: float
    details: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def total_s(self) -> float:
        """All of it."""
        return self.reconcile_s + self.pod_s + self.imports_s + self.work_s + self.told_s


@dataclass
class Course:
    """The whole way, in seconds since `kubectl apply` was called."""

    total_s: float
    apply_s: float
    stages: dict[str, Stage]


@dataclass(frozen=True)
class Program:
    """One container's program: when its Python began, when it ended, and what it says of the time between."""

    began: float
    ended: float
    seconds: dict[str, float]

    @property
    def imports_s(self) -> float:
        """What was imported, also before the first stage."""
        stages = sum(value for name, value in self.seconds.items() if name != "total")
        return self.seconds.get("imports", 0.0) + max(0.0, self.seconds.get("total", 0.0) - stages)


def measure(world: World, rows: int) -> Course:
    """Applies all four manifests at once in a namespace of its own, and asks until the answer is right."""
    with Place(world, "bench") as place:
        uri = place.put_flights(rows)
        began = time.time()
        asking = FirstAnswer(place)
        asking.start()
        place.apply(*manifests.whole_chain(uri))
        applied = time.time()
        asking.join(LIMIT_S)
        assert asking.at is not None, place.story()
        place.ready("Deployment", NAME)
        expected = own(place.get("TrainingRun", NAME)["status"]["artifact"]["uri"], ASKED)
        assert all(abs(a - b) < 1e-9 for a, b in zip(asking.answers, expected, strict=True)), "the answer was wrong"
        time.sleep(0.5)
        return Course(asking.at - began, applied - began, stages(place, began, asking.at))


class FirstAnswer(threading.Thread):
    """Asks the served model again and again, from before there is one; `at` is when it answered first."""

    def __init__(self, place: Place) -> None:
        super().__init__(daemon=True)
        self._place = place
        self.at: float | None = None
        self.answers: list[float] = []

    def run(self) -> None:
        """Returns with the first answer."""
        witness, name = self._place.world.witness, self._place.name
        witness.wait("apps/Deployment", name, NAME, lambda obj: obj is not None, LIMIT_S)
        while self.at is None:
            try:
                self.answers = predicted(self._place.address(NAME), ASKED)
                self.at = time.time()
            except (requests.RequestException, AssertionError):
                time.sleep(0.05)


def stages(place: Place, began: float, answered: float) -> dict[str, Stage]:
    """The four steps, each of them beginning when the one before was told to be done."""
    found: dict[str, Stage] = {}
    since = began
    for step, kind in (("ingest", "Dataset"), ("train", "TrainingRun"), ("package", "ModelVersion")):
        made = first(of_step(place, "Job", step))
        programs = programs_of(place, step)
        done = next(seen for seen in place.world.witness.sightings(kind, place.name, NAME) if is_ready(seen.obj))
        ends = list(programs.values())
        imports = sum(program.imports_s for program in ends)
        found[step] = Stage(
            reconcile_s=made.wall - since,
            pod_s=ends[0].began - made.wall + sum(b.began - a.ended for a, b in pairwise(ends)),
            imports_s=imports,
            work_s=sum(program.ended - program.began for program in ends) - imports,
            told_s=done.wall - ends[-1].ended,
            details={name: program.seconds for name, program in programs.items()},
        )
        since = done.wall
    found["serve"] = serving(place, since, answered)
    return found


def serving(place: Place, since: float, answered: float) -> Stage:
    """The served model: its server says in its log when it was ready, and how long that took; imports are in `work`."""
    made = first(of_step(place, "apps/Deployment", "serve"))
    pod = first(of_step(place, "Pod", "serve")).obj["metadata"]["name"]
    lines = log_of(place, pod, "server")
    ready, seconds = next((at, line["seconds"]) for at, line in lines if line.get("message") == "ready")
    return Stage(
        reconcile_s=made.wall - since,
        pod_s=ready - seconds - made.wall,
        imports_s=0.0,
        work_s=seconds,
        told_s=answered - ready,
        details={"server": {"imports, load and warm-up": seconds}},
    )


def of_step(place: Place, kind: str, step: str) -> list[Sighting]:
    """All versions of all objects of a kind that serve a step."""
    everything = place.world.witness.everything(kind, place.name).values()
    return [
        sighting
        for seen in everything
        for sighting in seen
        if sighting.obj["metadata"].get("labels", {}).get("modelwright.dev/step") == step
    ]


def first(seen: list[Sighting]) -> Sighting:
    """The earliest."""
    return min(seen, key=lambda sighting: sighting.at)


def programs_of(place: Place, step: str) -> dict[str, Program]:
    """The programs of a step's Pod in the order in which they ran; `check`, which tells no times, is part of a gap."""
    pod = first(of_step(place, "Pod", step)).obj
    containers = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
    found: dict[str, Program] = {}
    for container in containers:
        lines = log_of(place, pod["metadata"]["name"], container["name"])
        ends = [(at, line["seconds"]) for at, line in lines if isinstance(line.get("seconds"), dict)]
        if ends:
            ended, seconds = ends[-1]
            found[container["name"]] = Program(ended - seconds["total"], ended, seconds)
    return found


def log_of(place: Place, pod: str, container: str) -> list[tuple[float, JsonObject]]:
    """The lines of JSON in a container's log, each with its time."""
    access = place.api.access
    answer = requests.get(
        f"{access.url}{path_of('Pod', place.name, pod)}/log",
        params={"container": container, "timestamps": "true"},
        verify=access.authority,
        cert=access.certificate,
        headers=access.headers,
        timeout=10,
    )
    answer.raise_for_status()
    found = []
    for line in answer.text.splitlines():
        at, _, text = line.partition(" ")
        if text.startswith("{"):
            found.append((moment(at), json.loads(text)))
    return found


def moment(text: str) -> float:
    """A time stamp with nanoseconds as Unix time."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest[:9] or 0}")
