"""What goes wrong beside the version that is tried: silent servers, few requests, full nodes, and clocks."""

from pure.canary_world import CANARY, FAILING, GOOD, NEVER_READY, CanaryWorld, trying
from pure.served import ME


def test_servers_that_tell_nothing_keep_it_where_it_is() -> None:
    world = trying()
    world.play(20)
    world.deaf = 1
    world.play(240)
    assert world.told.weight == 10
    assert world.ready(*ME) == ("True", "Serving")
    world.play(180)
    assert world.ready(*ME) == ("False", "FiguresUnreachable")
    assert world.said(*ME) == (
        "1 of 2 servers of v1 tell their figures; the operator must reach port 8082 of the servers; Pod a: no answer "
        "within 2 s; v1 serves on"
    )
    world.play(1200, every_s=60)
    assert world.told.weight == 10
    world.deaf = 0
    assert world.end().verdict == "Promoted"


def test_what_is_known_of_a_bad_version_is_enough_to_take_it_back() -> None:
    world = CanaryWorld({"v2": FAILING}, servers=3)
    world.offer("v2")
    world.deaf = 2
    assert world.end().reason == "ErrorRate"


def test_a_step_begins_once_all_servers_have_its_weight() -> None:
    world = trying()
    assert world.progress.step_started_at is not None
    world.offer("v3")
    world.end()
    world.offer("v4")
    while world.told.version != "v4":
        world.settle_down()
        world.work()
        world.read()
        world.pass_time(seconds=5)
    for _ in range(40):
        world.servers[0].told = world.told
        world.ask(1000)
        world.read()
        world.settle_down()
        world.pass_time(seconds=5)
    assert world.told.weight == 10
    assert world.progress.step_started_at is None
    assert world.said(*ME, "Progressing").endswith("; not all servers know of it yet")
    assert world.end().verdict == "Promoted"


def test_few_requests_are_waited_for_until_the_deadline() -> None:
    world = CanaryWorld()
    world.offer("v2")
    seconds = 0
    while not (world.me.status.rollout is not None and world.progress.verdict):
        world.settle_down()
        world.work()
        world.deliver()
        world.ask(1)
        world.read()
        world.pass_time(seconds=10)
        seconds += 10
        assert seconds < 1200
    assert (world.progress.verdict, world.progress.reason) == ("Promoted", "TooFewRequests")
    assert seconds > 600
    assert "too few to judge it by" in world.progress.message


def test_what_is_not_its_fault_is_waited_for_and_told() -> None:
    world = CanaryWorld({"v2": NEVER_READY})
    world.offer("v2")
    world.play(10)
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node has room"}
    world.server_pod(CANARY[1], {"phase": "Pending", "conditions": [condition]}, "canary-0")
    world.play(3600, every_s=60)
    assert not world.progress.verdict
    assert world.ready(*ME) == ("False", "Unschedulable")
    assert world.said(*ME) == (
        "Pod canary-0: no node has room; lower spec.server.resources.requests, or add nodes; v1 serves on"
    )
    assert world.stable == "v1"
    world.delete("Pod", "canary-0")
    world.natures["v2"] = GOOD
    assert world.end().verdict == "Promoted"


def test_an_image_that_cannot_be_pulled_has_until_the_deadline() -> None:
    world = CanaryWorld({"v2": NEVER_READY})
    world.offer("v2")
    world.play(10)
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}, "name": "server"}
    world.server_pod(CANARY[1], {"phase": "Pending", "containerStatuses": [waiting]}, "canary-0")
    world.play(240)
    assert not world.progress.verdict
    world.play(90)
    assert (world.progress.verdict, world.progress.reason) == ("Rejected", "ImagePullFailed")


def test_servers_of_it_that_a_node_gave_up_are_no_fault_of_its_own() -> None:
    world = trying()
    ended = {"exitCode": 137, "finishedAt": "2026-05-01T12:00:00Z"}
    gone = {"name": "server", "ready": False, "state": {"terminated": ended}}
    world.server_pod(CANARY[1], {"phase": "Failed", "reason": "Evicted", "containerStatuses": [gone]}, "canary-0")
    world.natures["v2"] = NEVER_READY
    world.play(600, every_s=30)
    assert not world.progress.verdict
    assert world.told.weight == 10
    world.natures["v2"] = GOOD
    assert world.end().verdict == "Promoted"


def test_stable_that_lost_a_server_is_waited_for() -> None:
    world = trying()
    world.lose_server()
    for _ in range(30):
        world.settle_down()
        world.ask(1000)
        world.read()
        world.pass_time(seconds=10)
    assert world.told.weight == 10
    assert world.end().verdict == "Promoted"


def test_a_clock_that_is_set_back_begins_the_pause_anew() -> None:
    world = trying()
    world.play(40)
    world.pass_time(days=-1)
    world.play(50)
    assert world.told.weight == 10
    world.play(30)
    assert world.told.weight == 50
    assert world.end(600).verdict == "Promoted"


def test_a_clock_that_is_set_on_promotes_nothing_by_itself() -> None:
    world = CanaryWorld({"v2": FAILING})
    world.offer("v2")
    world.settle_down()
    world.pass_time(days=300)
    assert world.end().verdict == "Rejected"
