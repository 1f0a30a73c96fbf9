"""A served model to which new versions are offered, good ones and bad ones, and what is seen of how it takes them."""

import itertools
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from . import bad_image, manifests
from .api_server import JsonObject
from .manifests import NAME
from .place import Place, condition, eventually

CANARY, ROUTING = f"{NAME}-canary", f"{NAME}-routing"
WEIGHTS, PAUSE_S = (20, 50), 5
WINDOW_S = 1
SERVERS = 2
SERVING = f"modelwright.dev/name={NAME},modelwright.dev/step=serve"
UNPULLABLE = "unpullable"
"""Beside the faults of `misbehaviour/server.py`: an image that is not in the registry."""
_RESTORED = ("signature", "sizes", "lineage", "metrics")


def steps(pause_s: int = PAUSE_S, weights: Iterable[int] = WEIGHTS) -> list[JsonObject]:
    """Each weight, and a pause behind it."""
    return [step for weight in weights for step in ({"setWeight": weight}, {"pause": f"{pause_s}s"})]


def rollout(**changed: object) -> JsonObject:
    """A canary in seconds; all its requests are compared. Nothing comes of a node that is busy with other tests."""
    found = {"strategy": "canary", "steps": steps(), "analysis": analysis(), "progressDeadline": "60s"}
    return {**found, "deadline": "4s", **changed}


def analysis(max_p99: str = "1s") -> JsonObject:
    """A look each second."""
    shares = {"minAgreement": "0.9", "sample": "1"}
    return {"window": f"{WINDOW_S}s", "minSamples": 100, "maxP99": max_p99, **shares}


def served(place: Place) -> None:
    """A chain whose Deployment takes new versions by canary, once it serves."""
    dataset, run, deployment = manifests.chain(place.put_flights())
    deployment["spec"] |= {
        "scaling": {"minReplicas": SERVERS},
        "server": {
            "resources": {"limits": {"memory": "512Mi"}},
            "env": [{"name": "MODELWRIGHT_WINDOW_SECONDS", "value": str(WINDOW_S)}],
        },
        "rollout": rollout(),
    }
    place.make(dataset, run, deployment)
    place.ready("Deployment", NAME, 480)


@dataclass(frozen=True)
class Offer:
    """A new version; `at` is the monotonic clock when it was there."""

    version: str
    image: str
    at: float

    @property
    def digest(self) -> str:
        """Of its image."""
        return self.image.partition("@")[2]


class Offers:
    """Makes versions of the served model from images that were never packaged here, as a backup is restored.

    They differ from what is served first in nothing but their fault, and are its newest versions.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        stable = place.get("Deployment", NAME)["status"]["stable"]
        self._good = place.get("ModelVersion", stable["version"])["status"]
        self._numbers = itertools.count(1)

    def make(self, fault: str) -> Offer:
        """A version with this fault, or without any (`honest`), and a digest that no other has."""
        number, repository = next(self._numbers), self._good["image"].partition("@")[0]
        if fault == UNPULLABLE:
            return self.again(fault, f"{repository}@sha256:{number:064x}")
        return self.again(fault, bad_image.spoilt(self._good["image"], fault, number))

    def again(self, name: str, image: str) -> Offer:
        """A version of an image that is there already."""
        version = f"{name}-{next(self._numbers)}"
        self._place.make(manifests.model_version(version, source={"trainingRun": "restored"}))
        self._place.told("ModelVersion", version, "DependencyNotReady", 30)
        status = {**{field: self._good[field] for field in _RESTORED if field in self._good}, "image": image}
        self._place.api.restore_status("ModelVersion", self._place.name, version, status)
        return Offer(version, image, time.monotonic())


def begun(place: Place, offer: Offer, weight: int = WEIGHTS[0], timeout_s: float = 90) -> JsonObject:
    """The Deployment, once all servers give the version this weight."""

    def holds(obj: JsonObject) -> bool:
        status = obj.get("status", {})
        progress = status.get("rollout", {})
        given = status.get("canary", {}).get("weight", 0)
        return progress.get("version") == offer.version and given == weight and "stepStartedAt" in progress

    return place.until("Deployment", NAME, f"at {weight} % of {offer.version}", holds, timeout_s)


def judged(place: Place, offer: Offer, timeout_s: float = 150) -> JsonObject:
    """The Deployment, once there is a verdict on the version."""

    def holds(obj: JsonObject) -> bool:
        progress = obj.get("status", {}).get("rollout", {})
        return progress.get("version") == offer.version and bool(progress.get("verdict"))

    return place.until("Deployment", NAME, f"decided on {offer.version}", holds, timeout_s)


def assert_rejected(found: JsonObject, offer: Offer, *reasons: str) -> None:
    """The verdict stands in status with one of these reasons and with its figures, and stable serves on."""
    status = found["status"]
    progress, said = status["rollout"], condition(found, "Ready")
    reason = progress["reason"]
    assert progress["verdict"] == "Rejected", progress
    assert reason in reasons, progress
    assert said is not None
    assert (said["status"], said["reason"]) == ("False", "RolloutRejected"), said
    assert f"{reason}: {progress['message']}" in said["message"], said
    for type_ in ("Stalled", "Available"):
        other = condition(found, type_)
        assert other is not None
        assert other["status"] == "True", other
    assert status["stable"]["version"] != offer.version
    (quarantined,) = [one for one in status["quarantined"] if one["digest"] == offer.digest]
    assert (quarantined["version"], quarantined["reason"]) == (offer.version, reason)
    assert quarantined["message"], "why it is quarantined says nobody"


def tidy(place: Place) -> bool:
    """Whether no canary is left: neither its servers nor its Service, nor a word of it to stable's servers."""
    gone = all(place.api.get(kind, place.name, CANARY) is None for kind in ("apps/Deployment", "Service"))
    return gone and "canary" not in routing(place.get("ConfigMap", ROUTING))


def until_tidy(place: Place) -> None:
    """Waits for it."""
    eventually(lambda: tidy(place), "end of the canary's objects", 90)


def routing(config_map: JsonObject) -> JsonObject:
    """What servers are told."""
    found: JsonObject = json.loads(config_map["data"]["routing.json"])
    return found


@dataclass(frozen=True)
class Told:
    """What servers were told from `at` on; without a canary, `version` is empty."""

    at: float
    generation: int
    version: str
    weight: int


def told(place: Place) -> list[Told]:
    """Every routing that servers were ever told, as a watch of its ConfigMap saw it."""
    found = []
    for sighting in place.world.witness.sightings("ConfigMap", place.name, ROUTING):
        said = routing(sighting.obj)
        canary = said.get("canary", {})
        weight = int(100 * Decimal(canary.get("weight", "0")))
        found.append(Told(sighting.at, said["generation"], canary.get("version", ""), weight))
    return found


def assert_by_the_steps(of: list[Told], pause_s: float = PAUSE_S, weights: tuple[int, ...] = WEIGHTS) -> None:
    """No version ever got more than its step allows, nor the next step's weight before its pause was over.

    Times in status have whole seconds, so that a pause may end a second early.
    """
    generations = [one.generation for one in of]
    assert generations == sorted(generations), "a generation never goes back"
    for version, run in itertools.groupby(of, key=lambda one: one.version):
        given = [one for one in run if version]
        assert [one.weight for one in given] == list(weights[: len(given)]), given
        for earlier, later in itertools.pairwise(given):
            assert later.at - earlier.at >= pause_s - 1, given


def assert_untouched(place: Place) -> None:
    """The operator wrote nothing of the user's Deployment but its status, in any version that there ever was."""
    for sighting in place.world.witness.sightings("Deployment", place.name, NAME):
        metadata = sighting.obj["metadata"]
        assert not {"labels", "annotations", "finalizers"} & metadata.keys(), metadata
        ours = [entry for entry in metadata["managedFields"] if entry["manager"].startswith("modelwright")]
        assert all(entry.get("subresource") == "status" for entry in ours), ours
