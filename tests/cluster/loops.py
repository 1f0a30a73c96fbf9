"""A served model that is trained anew when what it is asked has drifted, and what is seen of each link of that loop."""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from . import flights, manifests
from .api_server import JsonObject
from .canaries import steps
from .manifests import NAME
from .place import Place, bucket, condition, s3
from .witness import Sighting

ROWS = 2000
WINDOW_S = 5
SERVERS = 2
ORIGIN = {"name": "origin", "role": "feature", "type": "string", "allowed": sorted(flights.ORIGINS)}
"""The column whose other values are poison."""


class Days:
    """The files in S3 that the Dataset reads, one for each day that is to be trained on."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def uri(self) -> str:
        """All of them."""
        return f"s3://{bucket()}/raw/{self._place.name}/days/*.csv"

    def put(self, day: str, rows: bytes) -> None:
        """One more, or another content."""
        self._place.put(f"days/{day}.csv", rows)

    def remove(self, day: str) -> None:
        """One less."""
        s3().delete_object(Bucket=bucket(), Key=f"raw/{self._place.name}/days/{day}.csv")

    def read(self, token: str) -> None:
        """Has the Dataset read anew, as its user would."""
        self._place.edit("Dataset", NAME, {"refresh": {"token": token}})


def usual(count: int = ROWS) -> bytes:
    """A file of flights as they usually are."""
    return flights.csv_bytes(flights.rows(count, seed=1))


def frost(count: int = ROWS) -> bytes:
    """A file of flights in the frost."""
    return flights.csv_bytes(flights.rows(count, seed=2, season=flights.FROST))


def unknown_origin(count: int = ROWS) -> bytes:
    """The same, from an airport that is none: a check finds it."""
    return frost(count).replace(b",JFK,", b",???,")


def shuffled(count: int = ROWS) -> bytes:
    """The same, each with another's delay: every check holds, and nothing can be learnt."""
    rows = flights.rows(count, seed=2, season=flights.FROST)
    delays = [row["arr_delay"] for row in rows]
    random.Random(3).shuffle(delays)
    return flights.csv_bytes([{**row, "arr_delay": delay} for row, delay in zip(rows, delays, strict=True)])


class Weather:
    """What users ask about: flights that nobody has seen, of the season that it is."""

    def __init__(self) -> None:
        self.season = flights.USUAL
        self._source = random.Random(4)

    def flight(self) -> flights.Row:
        """The next one."""
        return flights.row(0, self._source, self.season)


def served(place: Place, days: Days) -> JsonObject:
    """The Deployment, once it serves: a canary in seconds, drift judged every few, and a gate against what serves."""
    columns = [manifests.TARGET, ORIGIN, *(one for one in manifests.FEATURES if one["name"] != "origin")]
    floor = {"name": "floor", "metric": "roc_auc", "min": "0.6"}
    champion = {"name": "champion", "metric": "roc_auc", "against": {"deployment": NAME}, "confidence": "0.99"}
    place.make(
        manifests.dataset(days.uri, columns=columns, refresh={"token": "first"}),
        manifests.training_run(evaluation={"metrics": ["accuracy"], "gates": [floor, champion]}),
        manifests.deployment(
            scaling={"minReplicas": SERVERS},
            server={"resources": {"limits": {"memory": "512Mi"}}},
            rollout={
                "strategy": "canary",
                "steps": steps(),
                # A machine where models are trained meanwhile stops for a while now and then.
                "analysis": {"window": "1s", "minSamples": 50, "maxErrorRate": "0.02", "maxP99": "500ms"},
                "progressDeadline": "60s",
                "deadline": "4s",
            },
            monitoring={"drift": {"window": f"{WINDOW_S}s"}},
            retraining={
                "triggers": {"drift": True, "newData": True},
                "template": {"trainingRun": NAME},
                "cooldown": "1s",
            },
        ),
    )
    return place.ready("Deployment", NAME, 480)


# -- what is seen ---------------------------------------------------------------------------------------------------


def says(type_: str, status: str, reason: str = "") -> Callable[[JsonObject], bool]:
    """Whether an object has the condition with this status, and reason if one is given."""

    def holds(obj: JsonObject) -> bool:
        said = condition(obj, type_)
        return said is not None and said["status"] == status and reason in ("", said["reason"])

    return holds


def record(deployment: JsonObject) -> JsonObject:
    """The newest retraining, if there was one."""
    records: list[JsonObject] = deployment.get("status", {}).get("retraining", {}).get("records", [])
    return records[0] if records else {}


def champion_gate(run: JsonObject) -> JsonObject:
    """The gate against what serves."""
    gate: JsonObject = next(one for one in run["status"]["gates"] if one["name"] == "champion")
    return gate


def has_version(run: JsonObject) -> bool:
    """Whether the run has made its version."""
    return bool(run["status"].get("modelVersion"))


def runs(place: Place) -> list[str]:
    """Every TrainingRun that there ever was, but for the template."""
    made = place.world.witness.made("TrainingRun", place.name).values()
    return sorted(run["metadata"]["name"] for run in made if run["metadata"]["name"] != NAME)


def story(place: Place) -> list[Sighting]:
    """Every version of the Deployment."""
    return place.world.witness.sightings("Deployment", place.name, NAME)


def turns(seen: Iterable[Sighting], type_: str) -> list[str]:
    """The status of a condition each time that it changed."""
    said = [one["status"] for sighting in seen if (one := condition(sighting.obj, type_)) is not None]
    return [status for number, status in enumerate(said) if not number or said[number - 1] != status]


def windows_until_drifted(seen: Iterable[Sighting], since: float) -> int:
    """How many windows, judged after this time of the wall clock, it took."""
    before: set[str] = set()
    after: set[str] = set()
    for sighting in seen:
        (before if sighting.wall < since else after).update(_ends(sighting.obj))
        if sighting.wall >= since and says("Drifted", "True")(sighting.obj):
            return len(after - before)
    raise AssertionError("it never said so")


def _ends(deployment: JsonObject) -> set[str]:
    return {one["at"] for one in deployment.get("status", {}).get("drift", {}).get("windows", [])}


@dataclass
class Links:
    """When each link of the chain was seen to hold, in seconds after the one before."""

    began: float
    told: dict[str, float]

    @classmethod
    def begun(cls) -> "Links":
        """From now on."""
        return cls(time.monotonic(), {})

    def holds(self, link: str) -> None:
        """It does now."""
        self.told[link] = time.monotonic() - self.began - sum(self.told.values())

    def __str__(self) -> str:
        """On one line."""
        return ", ".join(f"{link} {seconds:.1f} s" for link, seconds in self.told.items())
