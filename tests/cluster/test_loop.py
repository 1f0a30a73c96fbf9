"""A model keeps itself good with nobody at the keyboard: drift, retraining, gate, canary, promoted; and poison is not.

Clients keep their connections and try nothing twice (`load`), and the operator is killed at random all the while.
"""

import os
import time
from collections.abc import Callable

import pytest

from . import flights
from .api_server import JsonObject
from .canaries import assert_by_the_steps, assert_untouched, told
from .deaths import Deaths
from .load import Load
from .loops import (
    SERVERS,
    WINDOW_S,
    Days,
    Links,
    Weather,
    champion_gate,
    frost,
    has_version,
    record,
    runs,
    says,
    served,
    shuffled,
    story,
    turns,
    unknown_origin,
    usual,
    windows_until_drifted,
)
from .manifests import NAME
from .place import Place, World, condition, is_ready

pytestmark = pytest.mark.timeout(1200)

FULL = os.environ.get("MODELWRIGHT_TEST_FULL", "") == "1"
KILLS, KILLED_OVER_S = (10, 100) if FULL else (2, 60)
SEED = 20261201
RATE, LEAST_RATE = 120.0, 90.0
QUIET_S = 2 * WINDOW_S
"""Long enough for what should not happen to happen."""


def test_a_model_keeps_itself_good(world: World, record_property: Callable[[str, object], None]) -> None:
    links, weather = Links.begun(), Weather()
    with Place(world, "loop") as place:
        days = Days(place)
        days.put("monday", usual())
        first = served(place, days)["status"]["stable"]["version"]
        links.holds("served")
        with (
            Load(place.address(NAME), weather.flight, rate=RATE) as load,
            Deaths(world.api, KILLS, KILLED_OVER_S, SEED) as deaths,
        ):
            began, seen = time.monotonic(), len(told(place))
            drifts(place, weather, links)
            second = keeps_up(place, days, links)
            is_promoted(place, first, second, links)
            assert_by_the_steps(told(place)[seen:])
            poison_fails_a_check(place, days, links)
            poison_fails_the_gate(place, days, second, links)
            deaths.until_the_last(2 * KILLED_OVER_S)
            seconds = time.monotonic() - began
        assert_served_on(place, load, (first, second), seconds)
        assert_untouched(place)
    record_property("seconds", {link: round(s, 1) for link, s in links.told.items()})
    print(links)


def drifts(place: Place, weather: Weather, links: Links) -> None:
    """While users ask for what was trained on there is no drift; then there is, within three windows."""
    place.until("Deployment", NAME, "judged", says("Drifted", "False", "NoDrift"), 90)
    links.holds("no drift")
    shifted, weather.season = time.time(), flights.FROST
    found = place.until("Deployment", NAME, "drifted", says("Drifted", "True", "Drifted"), 90)
    links.holds("drifted")
    assert windows_until_drifted(story(place), shifted) <= 3
    message = condition(found, "Drifted")["message"]  # type: ignore[index]
    assert "temp (w = " in message, message
    assert is_ready(found), "a drift is no fault of what was asked for"


def keeps_up(place: Place, days: Days, links: Links) -> str:
    """With nothing new to learn from nothing is begun; with the new days one run is. Gives the version it made."""
    place.until("Deployment", NAME, "waiting for new data", waits_since_it_drifted, 30)
    assert not runs(place)
    days.remove("monday")
    days.put("tuesday", frost())
    days.read("second")
    run = place.until("Deployment", NAME, "retraining", lambda obj: bool(record(obj)), 120)
    links.holds("new data, and a run of it")
    name = record(run)["run"]
    made = place.until("TrainingRun", name, "passed", says("Passed", "True"), 120)
    links.holds("gates passed")
    gate = champion_gate(made)
    assert gate["passed"]
    assert float(gate["against"]["gain"]) > 0.1, gate
    version: str = place.until("TrainingRun", name, "with a version", has_version, 30)["status"]["modelVersion"]
    packaged = place.ready("ModelVersion", version)
    links.holds("packaged")
    assert condition(packaged, "Approved")["reason"] == "ApprovedByPolicy"  # type: ignore[index]
    assert packaged["status"]["approval"]["policy"] == "automatic"
    return version


def waits_since_it_drifted(deployment: JsonObject) -> bool:
    """Whether a new model is asked for by the drift, and there is nothing to learn from yet."""
    said = condition(deployment, "Retraining")
    return said is not None and said["reason"] == "NothingNew" and "temp (w = " in said["message"]


def is_promoted(place: Place, first: str, second: str, links: Links) -> None:
    """By canary, and then what users ask for is what was trained on."""
    place.until("Deployment", NAME, "trying it", lambda obj: obj["status"].get("canary", {}).get("weight", 0) > 0, 90)
    links.holds("canary")
    done = place.until("Deployment", NAME, "retrained", lambda obj: record(obj).get("verdict") == "Promoted", 180)
    links.holds("promoted")
    status = done["status"]
    assert (status["rollout"]["verdict"], status["rollout"]["reason"]) == ("Promoted", "NoWorse")
    assert (status["stable"]["version"], record(done)["version"]) == (second, second)
    assert [one["version"] for one in status["history"]] == [second, first]
    assert (record(done)["trigger"], len(runs(place))) == ("Drift", 1)
    place.until("Deployment", NAME, "no longer drifted", says("Drifted", "False", "NoDrift"), 90)
    links.holds("no drift any more")
    assert turns(story(place), "Drifted") == ["False", "True", "False"], "it flaps"


def poison_fails_a_check(place: Place, days: Days, links: Links) -> None:
    """What a check finds makes no version, so that nothing is trained."""
    good = place.get("Dataset", NAME)["status"]["version"]["digest"]
    days.put("wednesday", unknown_origin())
    days.read("third")
    dataset = place.until("Dataset", NAME, "told of poison", says("Validated", "False", "CheckFailed"), 90)
    links.holds("poison stopped by a check")
    assert "???" in condition(dataset, "Validated")["message"]  # type: ignore[index]
    assert dataset["status"]["version"]["digest"] == good
    time.sleep(QUIET_S)
    assert is_ready(place.get("Dataset", NAME))
    assert len(runs(place)) == 1
    assert says("Retraining", "False", "NothingNew")(place.get("Deployment", NAME))


def poison_fails_the_gate(place: Place, days: Days, champion: str, links: Links) -> None:
    """What no check finds makes a run, and a model that is no better than what serves."""
    days.remove("tuesday")
    days.put("wednesday", shuffled())
    days.read("fourth")
    found = place.until("Deployment", NAME, "refused", lambda obj: record(obj).get("verdict") == "GatesFailed", 180)
    links.holds("poison stopped by the gate")
    assert record(found)["trigger"] == "NewData"
    run = place.get("TrainingRun", record(found)["run"])
    assert not champion_gate(run)["passed"]
    assert not has_version(run)
    time.sleep(QUIET_S)
    found = place.get("Deployment", NAME)
    assert is_ready(found)
    assert (found["status"]["stable"]["version"], found["status"]["stable"]["readyReplicas"]) == (champion, SERVERS)
    assert says("Retraining", "False", "NothingNew")(found)
    assert len(runs(place)) == 2


def assert_served_on(place: Place, load: Load, versions: tuple[str, str], seconds: float) -> None:
    """Not one request failed, both versions answered, and once Ready was True it never was anything else."""
    outcome = load.outcome
    assert not outcome.failures, f"{len(outcome.failures)} of {outcome.requests}: {outcome.failures[:5]}"
    assert outcome.requests / seconds >= LEAST_RATE, f"{outcome.requests / seconds:.0f} a second prove little"
    assert set(outcome.answers) == set(versions)
    seen = [ready for one in story(place) if (ready := condition(one.obj, "Ready")) is not None]
    since = next(number for number, ready in enumerate(seen) if ready["status"] == "True")
    assert all(ready["status"] == "True" for ready in seen[since:]), [r for r in seen[since:] if r["status"] != "True"]
    print(
        f"users: {outcome.requests} requests, 0 failed, p50 {outcome.quantile(0.5) * 1e3:.1f} ms, "
        f"p99 {outcome.quantile(0.99) * 1e3:.1f} ms, longest {outcome.quantile(1) * 1e3:.0f} ms; "
        f"answered by {dict(outcome.answers)}"
    )
