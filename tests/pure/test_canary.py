"""A canary from its beginning to its end: by its steps, judged, and promoted or taken back."""

from datetime import timedelta
from itertools import pairwise

import pytest

from modelwright.conditions import timestamp
from pure import samples
from pure.canary_world import CANARY, CRASHING, FAILING, NEVER_READY, SLOW, WRONG, CanaryWorld, Nature, Told, trying
from pure.served import LIVE, ME


def test_a_good_version_is_given_its_weights_one_by_one_and_promoted() -> None:
    world = CanaryWorld(servers=4)
    ready = world.objects[ME]["status"]["conditions"][0]
    world.offer("v2")
    ended = world.end()
    assert (ended.verdict, ended.reason) == ("Promoted", "NoWorse")
    assert world.history == [Told(1, "v2", 10), Told(2, "v2", 50), Told(3)]
    assert all(later - earlier >= timedelta(minutes=1) for earlier, later in pairwise(world.told_at))
    assert world.reasons() == ["CanaryStarted", "CanaryStep", "CanaryStep", "Promoted"]
    assert world.stable == "v2"
    assert world.objects[ME]["status"]["conditions"][0]["lastTransitionTime"] == ready["lastTransitionTime"]
    assert not world.holds(*ME, "Progressing")
    assert "canary" not in world.objects[ME]["status"]
    assert [record["version"] for record in world.objects[ME]["status"]["history"]] == ["v2", "v1"]
    assert [span.weight for span in ended.spans] == [10, 50]
    assert ended.requests == sum(span.canary.requests for span in ended.spans) > 1000


def test_while_it_is_tried_everything_says_so() -> None:
    world = trying(servers=4)
    world.play(20)
    assert world.ready(*ME) == ("True", "Serving")
    said = world.said(*ME, "Progressing")
    assert said == (
        f"v2 answers 10 % of the requests, step 1 of 2: of {world.progress.requests} requests it failed 1 %, v1 1 %, "
        f"slow were 1 %, of v1's 1 %, 97.5 % were answered alike"
    )
    assert world.said(*ME) == f"4 of v1 at http://late-flights.team.svc.cluster.local; {said}"
    canary = world.objects[ME]["status"]["canary"]
    assert canary == {
        "version": "v2", "image": f"r.test/v2@{samples.digest('v2')}", "replicas": 1, "readyReplicas": 1, "weight": 10,
    }  # fmt: skip
    world.play(60)
    assert world.objects[CANARY]["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("nature", "reason", "words"),
    [
        pytest.param(FAILING, "ErrorRate", "it failed 30 % of", id="it fails requests"),
        pytest.param(SLOW, "Latency", "30 % of its", id="it is slow"),
        pytest.param(WRONG, "Agreement", "requests as v1 did, and 90 % is wanted", id="it answers otherwise"),
        pytest.param(CRASHING, "CrashLoop", "ended with exit code 1: no such file", id="its servers end"),
        pytest.param(NEVER_READY, "ProgressDeadlineExceeded", "were not ready within", id="it is never ready"),
    ],
)
def test_a_bad_version_is_taken_back_and_not_tried_again(nature: Nature, reason: str, words: str) -> None:
    world = CanaryWorld({"v2": nature})
    world.change(progressDeadline="1m")
    digest = world.offer("v2")
    if nature is NEVER_READY:
        world.play(10)
        running = {"name": "server", "ready": False, "state": {"running": {"startedAt": "2026-05-01T12:01:00Z"}}}
        world.server_pod(CANARY[1], {"phase": "Running", "containerStatuses": [running]}, "canary-0")
    ended = world.end()
    assert (ended.verdict, ended.reason) == ("Rejected", reason)
    assert words in ended.message
    assert world.reasons() == ["CanaryStarted", *["CanaryStep"] * (world.history != []), "RolloutRejected"]
    assert world.told.weight == 0
    assert world.stable == "v1"
    assert world.ready(*ME) == ("False", "RolloutRejected")
    assert ended.message in world.said(*ME)
    assert all(world.holds(*ME, type_) for type_ in ("Stalled", "Available"))
    (record,) = world.me.status.quarantined
    assert (record.digest, record.version, record.reason, record.message) == (digest, "v2", reason, ended.message)
    before, told = world.objects[ME]["status"]["rollout"], list(world.history)
    world.forget()
    world.play(600, every_s=60)
    assert (world.objects[ME]["status"]["rollout"], world.history) == (before, told)
    world.offer("v3")
    assert world.end().verdict == "Promoted"
    assert (world.stable, world.ready(*ME)) == ("v3", ("True", "Serving"))


def test_an_autoscaled_canary_has_the_servers_that_its_weight_needs() -> None:
    world = CanaryWorld(servers=4)
    world.edit(*ME, scaling={"minReplicas": 4, "maxReplicas": 8})
    world.play(20)
    world.offer("v2")
    world.play(30)
    autoscaler = world.objects["HorizontalPodAutoscaler", CANARY[1]]
    assert autoscaler["spec"]["minReplicas"] == 1
    world.play(60)
    assert autoscaler["spec"]["minReplicas"] == 2
    assert world.told.weight == 10
    world.autoscale()
    assert world.end().verdict == "Promoted"


def test_kubelets_are_hastened_only_while_there_is_something_to_tell() -> None:
    world = trying()

    def told() -> list[object]:
        return [
            obj["metadata"].get("annotations", {}).get("modelwright.dev/routing-generation")
            for (kind, _), obj in sorted(world.objects.items())
            if kind == "Pod"
        ]

    world.server_pod(LIVE[1], {"phase": "Running"}, "stable-0")
    world.server_pod(CANARY[1], {"phase": "Running"}, "canary-0")
    world.reconcile(*ME)
    assert told() == [None, "1"]
    world.end()
    assert told() == ["3"]
    world.server_pod(LIVE[1], {"phase": "Running"}, "stable-1")
    world.reconcile(*ME)
    assert told() == ["3", None]


def test_status_is_written_once_a_window_and_no_more() -> None:
    world = trying()
    world.change(steps=[{"setWeight": 10}, {"pause": "1h"}])
    world.play(20)
    written = 0
    for _ in range(60):
        before = world.objects[ME]["status"]
        world.play(5)
        written += world.objects[ME]["status"] != before
    assert written <= 30 + 1


def test_its_servers_stay_while_servers_go_that_never_hear_of_its_end() -> None:
    world = trying()
    world.server_pod(LIVE[1], {"phase": "Running"}, "going")
    world.objects["Pod", "going"]["metadata"]["deletionTimestamp"] = timestamp(world.now)
    while not world.progress.verdict:
        world.play(5)
    assert world.told.weight == 0
    world.play(20)
    assert world.left(), "those that go send it requests still"
    del world.objects["Pod", "going"]
    world.play(5)
    assert not world.left()
