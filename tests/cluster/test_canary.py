"""Users don't pay for a bad model: it is tried beside the good one, judged and taken back, and no request fails.

Clients keep their connections and try nothing twice (`load`).
"""

import os
import random
import time
from collections.abc import Callable, Iterator

import pytest

from . import flights, operator_process
from .api_server import JsonObject
from .canaries import (
    NAME,
    SERVERS,
    SERVING,
    UNPULLABLE,
    WEIGHTS,
    Offer,
    Offers,
    analysis,
    assert_by_the_steps,
    assert_rejected,
    assert_untouched,
    begun,
    judged,
    rollout,
    served,
    steps,
    tidy,
    told,
    until_tidy,
)
from .load import Load
from .place import Place, World, eventually

pytestmark = pytest.mark.timeout(1800)

FULL = os.environ.get("MODELWRIGHT_TEST_FULL", "") == "1"
RATE, LEAST_RATE = 240.0, 200.0
SEED = 20261128
KILLS = 25 if FULL else 5
KILL_EVERY_S = (0.2, 4.0)
FALLS_BACK_S = 2.0
"""Half of the deadline: nobody waits so long for a canary that is there."""
QUIET_S = 5.0
"""Longer than the operator waits between two looks at figures."""
REASONS: dict[str, tuple[str, ...]] = {
    "errors": ("ErrorRate",),
    "hang": ("ErrorRate",),
    UNPULLABLE: ("ImagePullFailed",),
}
if FULL:
    REASONS |= {"slow": ("Latency",), "nonsense": ("Agreement",), "garbage": ("ErrorRate",), "crash": ("CrashLoop",)}
    # Requests that fail with a server that is killed may tell before the kubelet does.
    REASONS |= {"leak": ("OutOfMemory", "ErrorRate")}
PATIENCE: dict[str, JsonObject] = {
    # A registry may be away for a while: an image that can't be pulled has so much time.
    UNPULLABLE: {"progressDeadline": "5s"},
    "hang": {"deadline": "1s"},
    "slow": {"analysis": analysis(max_p99="250ms")},
    # It takes a while, and would otherwise be promoted before.
    "leak": {"steps": steps(300)},
}
ASKED = flights.rows(1, seed=7)[0]


@pytest.fixture(scope="module")
def place(world: World) -> Iterator[Place]:
    """A model behind two servers, which takes new versions by canary; in the end its object is as its user wrote it."""
    with Place(world, "canary") as place:
        served(place)
        yield place
        assert_untouched(place)


@pytest.fixture(scope="module")
def offers(place: Place) -> Offers:
    """What makes new versions."""
    return Offers(place)


@pytest.fixture(autouse=True)
def usual(place: Place) -> None:
    """Whatever the test before wrote, the rollout is as all begin with it."""
    place.edit("Deployment", NAME, {"rollout": rollout(promote=None)})


@pytest.fixture
def load(place: Place) -> Iterator[Load]:
    """Users throughout the test; not one of their requests may fail."""
    with Load(place.address(NAME), ASKED, connections=32, rate=RATE) as load:
        # So many that stable's latency is known.
        load.until(4 * int(RATE), 60)
        began, before = time.monotonic(), load.outcome.requests
        yield load
        seconds, requests = time.monotonic() - began, load.outcome.requests - before
    outcome = load.outcome
    assert not outcome.failures, f"{len(outcome.failures)} of {outcome.requests}: {outcome.failures[:5]}"
    assert requests / seconds >= LEAST_RATE, f"{requests / seconds:.0f} requests a second prove little"
    print(
        f"users: {outcome.requests} requests, 0 failed, p50 {outcome.quantile(0.5) * 1e3:.1f} ms, "
        f"p99 {outcome.quantile(0.99) * 1e3:.1f} ms, longest {outcome.quantile(1) * 1e3:.0f} ms; "
        f"answered by {dict(outcome.answers)}"
    )


@pytest.mark.parametrize("fault", REASONS)
def test_a_bad_canary_is_taken_back(
    place: Place, offers: Offers, load: Load, fault: str, record_property: Callable[[str, object], None]
) -> None:
    place.edit("Deployment", NAME, {"rollout": rollout(**PATIENCE.get(fault, {}))})
    seen, offer = len(told(place)), offers.make(fault)
    found = judged(place, offer)
    seconds = time.monotonic() - offer.at
    assert_rejected(found, offer, *REASONS[fault])
    eventually(lambda: warned(place, found["status"]["rollout"]["message"]), "Event that tells the verdict")
    assert_by_the_steps(told(place)[seen:])
    until_tidy(place)
    record_property("seconds_to_verdict", round(seconds, 1))
    print(f"{fault}: {seconds:.1f} s after it was offered, {of_verdict(place, found, offer)}")


def warned(place: Place, message: str) -> bool:
    """Whether a Warning tells this verdict."""
    events = place.api.list("Event", place.name, fieldSelector="involvedObject.kind=Deployment,reason=RolloutRejected")
    return any(event["type"] == "Warning" and message in event["message"] for event in events)


def of_verdict(place: Place, found: JsonObject, offer: Offer) -> str:
    """What the verdict stands on, and how long it took from the first request on."""
    given = [one.at for one in told(place) if one.version == offer.version]
    said = f"{time.monotonic() - given[0]:.1f} s after its first weight; " if given else "it got no weight; "
    progress = found["status"]["rollout"]
    return f"{said}{progress['reason']} after {progress.get('requests', 0)} requests: {progress['message']}"


def test_a_quarantine_survives_the_operator_and_a_new_digest_lifts_it(place: Place, offers: Offers, load: Load) -> None:
    bad = offers.make("errors")
    assert_rejected(judged(place, bad), bad, "ErrorRate")
    until_tidy(place)
    before = told(place)
    kill(place)
    again = offers.again("errors", bad.image)
    time.sleep(QUIET_S)
    assert told(place) == before, "what was taken back is tried again"
    assert_rejected(place.get("Deployment", NAME), bad, "ErrorRate")
    assert tidy(place)
    good = offers.make("honest")
    promoted(place, good)
    assert place.get("Deployment", NAME)["status"]["history"][0]["version"] == good.version
    assert_by_the_steps(told(place)[len(before) :])
    answers = load.outcome.answers
    assert answers[good.version]
    assert not answers[bad.version] + answers[again.version]
    assert load.outcome.quantile(1) < FALLS_BACK_S


def test_the_death_of_the_operator_changes_nothing(place: Place, offers: Offers, load: Load) -> None:
    source, seen = random.Random(SEED), len(told(place))
    pause_s = 2 * KILLS
    place.edit("Deployment", NAME, {"rollout": rollout(steps=steps(pause_s))})
    good, restarts = offers.make("honest"), operator_process.restarts(place.api)
    under_way = 0
    for _ in range(KILLS):
        time.sleep(source.uniform(*KILL_EVERY_S))
        operator_process.kill(place.api)
        under_way += not place.get("Deployment", NAME)["status"]["rollout"].get("verdict")
    promoted(place, good)
    assert under_way >= KILLS - 1, f"only {under_way} of {KILLS} kills met a canary"
    assert operator_process.restarts(place.api) - restarts == KILLS
    assert_by_the_steps(told(place)[seen:], pause_s)
    bad = offers.make("errors")
    operator_process.kill(place.api)
    assert_rejected(judged(place, bad), bad, "ErrorRate")
    until_tidy(place)


def test_what_changes_half_way(place: Place, offers: Offers, load: Load) -> None:
    """Stable's servers go and come, the steps are written anew, and another version overtakes the one that is tried."""
    place.edit("Deployment", NAME, {"rollout": rollout(steps=steps(600))})
    first, seen = offers.make("honest"), len(told(place))
    begun(place, first)
    for _ in range(SERVERS):
        delete_one(place)
    low = (5, 10)
    place.edit("Deployment", NAME, {"rollout": rollout(steps=steps(600, low))})
    begun(place, first, low[-1])
    second = offers.make("honest")
    eventually(lambda: overtaken(place, first), "word that the first version was overtaken")
    found = begun(place, second, low[0])
    assert found["status"]["canary"]["version"] == second.version
    place.edit("Deployment", NAME, {"rollout": rollout(steps=steps(600, low), promote=second.digest)})
    promoted(place, second)
    given = told(place)[seen:]
    assert next(one.weight for one in given if one.version == first.version) == WEIGHTS[0]
    assert all(one.weight in (0, *low) for one in given[1:]), given
    assert load.outcome.quantile(1) < FALLS_BACK_S


def promoted(place: Place, offer: Offer) -> None:
    """Waits until the version serves alone."""
    found = judged(place, offer)
    assert found["status"]["rollout"]["verdict"] == "Promoted", found["status"]["rollout"]
    until_tidy(place)
    found = place.until("Deployment", NAME, "without a canary", lambda obj: "canary" not in obj["status"], 30)
    assert found["status"]["stable"]["version"] == offer.version
    place.ready("Deployment", NAME)
    eventually(lambda: settled(place, offer), f"servers of {offer.version} alone", 120)


def settled(place: Place, offer: Offer) -> bool:
    """Whether all servers are ready and of this version."""
    pods = place.api.list("Pod", place.name, labelSelector=SERVING)
    images = {container["image"] for pod in pods for container in pod["spec"]["containers"]}
    return len(pods) == SERVERS and images == {offer.image}


def overtaken(place: Place, offer: Offer) -> bool:
    """Whether some version of the Deployment said so."""
    for sighting in place.world.witness.sightings("Deployment", place.name, NAME):
        progress = sighting.obj.get("status", {}).get("rollout", {})
        if (progress.get("version"), progress.get("verdict")) == (offer.version, "Superseded"):
            return True
    return False


def kill(place: Place) -> None:
    """Ends the operator without a word, and waits for the next."""
    operator_process.kill(place.api)
    eventually(lambda: operator_process.ready(place.api), "ready operator", 120)


def delete_one(place: Place) -> None:
    """A server of stable goes, and the next one is ready."""
    pods = place.api.list("Pod", place.name, labelSelector=SERVING)
    before = {pod["metadata"]["name"] for pod in pods}
    gone = min(before)
    place.delete("Pod", gone)

    def replaced() -> bool:
        now = place.api.list("Pod", place.name, labelSelector=SERVING)
        names = {pod["metadata"]["name"] for pod in now if "deletionTimestamp" not in pod["metadata"]}
        apps = place.get("apps/Deployment", NAME)["status"]
        return gone not in names and apps.get("readyReplicas") == SERVERS

    eventually(replaced, "server in place of the deleted one", 120)
