"""Only what is approved is served, in every way to serving; and what becomes of a served version that is revoked."""

from collections.abc import Callable
from typing import Any

import pytest

from modelwright.conditions import timestamp
from pure import samples
from pure.approving import (
    approve,
    asking,
    command,
    history,
    image,
    packaged,
    remove,
    running,
    say_no,
    served_in_turn,
)
from pure.served import LIVE, ME, stable
from pure.world import World


def tightened(world: World) -> None:
    """From now on a person is asked."""
    world.config = asking().config


@pytest.mark.parametrize(
    ("approved", "wanted", "chosen"),
    [
        pytest.param(["v1"], "latest", "v1", id="latest passes over the unapproved"),
        pytest.param(["v1", "v2"], "latest", "v2", id="latest is the newest that is approved"),
        pytest.param(["v1", "v2"], "v1", "v1", id="a named one that is approved"),
    ],
)
def test_what_is_approved_is_served(approved: list[str], wanted: str, chosen: str) -> None:
    world = asking()
    packaged(world, "v1", "v2")
    for name in approved:
        approve(world, name)
    world.apply(samples.deployment(version=wanted))
    world.chain()
    assert running(world) == image(chosen)
    assert world.ready(*ME) == ("True", "Serving")


@pytest.mark.parametrize("wanted", ["latest", "v1"])
def test_what_is_not_approved_is_not_served_and_the_command_that_approves_is_said(wanted: str) -> None:
    world = asking()
    packaged(world, "v1")
    world.apply(samples.deployment(version=wanted))
    world.chain()
    assert running(world) == ""
    assert world.ready(*ME) == ("False", "AwaitingApproval")
    assert world.holds(*ME, "Stalled")
    assert world.said(*ME) == f"ModelVersion v1 is not approved; {command('v1')}"
    approve(world, "v1")
    world.chain()
    assert world.ready(*ME) == ("True", "Serving")
    assert history(world) == [("v1", "NewVersion", True)]


def test_of_several_unapproved_ones_the_newest_that_could_be_served_is_named() -> None:
    world = asking()
    packaged(world, "v1", "v2")
    world.apply(samples.model_version("v3"))
    world.apply(samples.deployment())
    world.settle()
    assert world.said(*ME) == f"ModelVersion v2 is not approved; {command('v2')}"


def test_a_new_version_waits_for_its_approval_while_the_old_one_serves_and_is_ready() -> None:
    world = served_in_turn("v1")
    packaged(world, "v2")
    world.chain()
    assert (running(world), world.ready(*ME)) == (image("v1"), ("True", "Serving"))
    approve(world, "v2")
    world.chain()
    assert (running(world), world.ready(*ME)) == (image("v2"), ("True", "Serving"))


def test_a_wish_for_an_unapproved_version_leaves_the_served_one_and_says_so() -> None:
    world = served_in_turn("v1")
    packaged(world, "v2")
    world.edit(*ME, model={"name": "late-flights", "version": "v2"})
    world.chain()
    assert running(world) == image("v1")
    assert world.ready(*ME) == ("False", "AwaitingApproval")
    assert world.said(*ME) == f"ModelVersion v2 is not approved; v1 serves on; {command('v2')}"
    assert world.holds(*ME, "Available")


Revoke = Callable[[World, str], None]
REVOKE = [pytest.param(say_no, id="by a no"), pytest.param(remove, id="by removal")]


@pytest.mark.parametrize("revoke", REVOKE)
def test_revoked_it_gives_way_to_the_last_approved_version_that_was_served(revoke: Revoke) -> None:
    world = served_in_turn("v1", "v2", "v3")
    revoke(world, "v2")
    world.chain()
    assert stable(world) == "v3"
    packaged(world, "v4")
    revoke(world, "v3")
    world.settle()
    assert running(world) == image("v1")
    assert world.ready(*ME) == ("True", "Serving")
    assert world.objects[ME]["status"]["stable"]["revokedAt"] == timestamp(world.now)
    world.chain()
    assert history(world)[:2] == [("v1", "ApprovalRevoked", True), ("v3", "NewVersion", False)]
    assert "revokedAt" not in world.objects[ME]["status"]["stable"]
    told = [event for id_, event in world.events if id_ == ME and event.reason == "ApprovalRevoked"]
    assert [event.type for event in told] == ["Warning"]
    assert told[0].message.endswith("; v1 takes over from v3")


def test_back_on_a_version_that_was_served_the_newest_approved_one_follows() -> None:
    world = served_in_turn("v1", "v3")
    packaged(world, "v4")
    approve(world, "v4")
    say_no(world, "v3")
    world.settle()
    assert running(world) == image("v1")
    world.chain()
    assert running(world) == image("v4")
    assert [version for version, _, _ in history(world)] == ["v4", "v1", "v3", "v1"]


def test_a_named_version_that_is_revoked_gives_way_and_the_wish_stays_unfulfilled() -> None:
    world = served_in_turn("v1", "v2", wanted="named")
    say_no(world, "v2", comment="it leaks names")
    world.settle()
    no = "ana has said no to ModelVersion v2: it leaks names"
    assert world.said(*ME) == f"{no}; v1 takes over; {command('v2')}"
    world.chain()
    assert running(world) == image("v1")
    assert world.ready(*ME) == ("False", "ApprovalRevoked")
    assert all(world.holds(*ME, type_) for type_ in ("Stalled", "Available"))
    assert world.said(*ME) == f"{no}; v1 serves on; {command('v2')}"
    approve(world, "v2")
    world.chain()
    assert (running(world), world.ready(*ME)) == (image("v2"), ("True", "Serving"))


@pytest.mark.parametrize("wanted", ["latest", "named"])
def test_with_nothing_to_go_back_to_nothing_is_served_until_something_is_approved(wanted: str) -> None:
    world = served_in_turn("v1", wanted=wanted)
    say_no(world, "v1")
    world.chain()
    assert running(world) == ""
    assert world.ready(*ME) == ("False", "ApprovalRevoked")
    assert world.holds(*ME, "Stalled")
    assert not world.holds(*ME, "Available")
    assert world.said(*ME) == (
        "nothing is served, because what was served may be no longer, and no approved version was served before; "
        f"ana has said no to ModelVersion v1; {command('v1')}"
    )
    status = world.objects[ME]["status"]
    assert (status["stable"]["replicas"], status["stable"]["readyReplicas"]) == (0, 0)
    assert history(world) == [("v1", "NewVersion", False)]
    approve(world, "v1")
    world.chain()
    assert (running(world), world.ready(*ME)) == (image("v1"), ("True", "Serving"))
    assert history(world) == [("v1", "ApprovedAgain", True), ("v1", "NewVersion", False)]
    assert "revokedAt" not in world.objects[ME]["status"]["stable"]


def test_after_nothing_another_approved_version_is_served() -> None:
    world = served_in_turn("v1")
    say_no(world, "v1")
    world.chain()
    packaged(world, "v2")
    approve(world, "v2")
    world.chain()
    assert running(world) == image("v2")
    assert history(world)[0] == ("v2", "ApprovalRevoked", True)


def test_approved_again_before_its_successor_is_there_it_stays() -> None:
    world = served_in_turn("v1", "v2")
    say_no(world, "v2")
    world.settle()
    assert running(world) == image("v1")
    approve(world, "v2")
    world.chain()
    assert running(world) == image("v2")
    assert history(world)[0] == ("v2", "ApprovedAgain", True)


@pytest.mark.parametrize("anew", [pytest.param(False, id="deleted"), pytest.param(True, id="deleted and made anew")])
@pytest.mark.parametrize("names", [pytest.param(("v1",), id="alone"), pytest.param(("v1", "v2"), id="with another")])
def test_deleting_a_revoked_version_brings_it_not_back(names: tuple[str, ...], anew: bool) -> None:
    world = served_in_turn(*names)
    say_no(world, names[-1])
    world.settle()
    world.delete("ModelVersion", names[-1])
    if anew:
        packaged(world, names[-1])
    world.chain()
    assert running(world) == (image("v1") if len(names) > 1 else "")
    world.edit(*ME, model={"name": "late-flights", "version": names[-1]})
    world.chain()
    assert running(world) == (image("v1") if len(names) > 1 else "")


def test_a_served_version_that_is_deleted_was_not_revoked() -> None:
    world = served_in_turn("v1")
    world.delete("ModelVersion", "v1")
    world.chain()
    assert (running(world), world.ready(*ME)) == (image("v1"), ("True", "Serving"))


def test_a_version_that_was_served_and_is_deleted_is_nothing_to_go_back_to() -> None:
    world = served_in_turn("v1", "v2", "v3")
    world.delete("ModelVersion", "v2")
    say_no(world, "v3")
    world.chain()
    assert running(world) == image("v1")


def test_revoked_in_its_first_rollout_it_ends_and_the_next_approved_one_begins() -> None:
    world = asking()
    packaged(world, "v1", "v2")
    approve(world, "v2")
    world.apply(samples.deployment())
    world.settle()
    uid = world.objects[LIVE]["metadata"]["uid"]
    world.roll_out("late-flights", ready=0)
    say_no(world, "v2")
    world.settle()
    assert running(world) == ""
    assert world.ready(*ME) == ("False", "ApprovalRevoked")
    approve(world, "v2")
    world.settle()
    say_no(world, "v2")
    approve(world, "v1")
    world.settle()
    assert running(world) == image("v1")
    assert world.objects[LIVE]["metadata"]["uid"] != uid


def test_lost_in_its_first_rollout_its_approval_cannot_be_shown() -> None:
    world = asking()
    packaged(world, "v1")
    approve(world, "v1")
    world.apply(samples.deployment())
    world.settle()
    world.delete("ModelVersion", "v1")
    world.settle()
    assert running(world) == ""


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"model": {"name": "other", "version": "latest"}}, id="a wish for another model"),
        pytest.param({"model": {"name": "late-flights", "version": "v9"}}, id="a wish for a missing version"),
        pytest.param({"server": {"resources": {"limits": {"memory": "99Gi"}}}}, id="above the ceiling"),
        pytest.param({"server": {"env": [{"name": "LD_PRELOAD", "value": "x"}]}}, id="a variable that is not allowed"),
    ],
)
def test_no_other_edit_keeps_a_revoked_version(spec: dict[str, Any]) -> None:
    world = served_in_turn("v1")
    world.config = world.config.model_copy(update={"ceilings": {"memory": "64Gi"}})
    world.edit(*ME, **spec)
    world.settle()
    assert running(world) == image("v1")
    say_no(world, "v1")
    world.chain()
    assert running(world) == ""
    assert world.holds(*ME, "Stalled")


def test_a_successor_that_does_not_start_is_waited_for_as_long_as_a_start_may_take_and_not_longer() -> None:
    world = served_in_turn("v1", "v2")
    say_no(world, "v2")
    world.settle()

    def most_unavailable() -> object:
        return world.objects[LIVE]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"]

    world.pass_time(minutes=9)
    world.settle()
    assert most_unavailable() == 0
    plan = world.decide(*ME)
    assert plan.requeue_after is not None
    assert plan.requeue_after.total_seconds() <= 60
    world.pass_time(minutes=1)
    world.settle()
    assert (most_unavailable(), running(world)) == ("100%", image("v1"))
    world.chain()
    assert (most_unavailable(), stable(world)) == (0, "v1")


def test_a_stricter_policy_takes_nothing_away_but_what_is_served_must_be_approved() -> None:
    world = World()
    packaged(world, "v1")
    world.apply(samples.deployment())
    world.chain()
    tightened(world)
    world.chain()
    assert running(world) == image("v1")
    assert world.ready(*ME) == ("False", "AwaitingApproval")
    assert world.said(*ME) == f"ModelVersion v1 is not approved; v1 serves on; {command('v1')}"
    assert world.holds(*ME, "Available")
    approve(world, "v1")
    world.chain()
    assert world.ready(*ME) == ("True", "Serving")
    assert history(world) == [("v1", "NewVersion", True)]


def test_under_a_stricter_policy_an_approved_version_that_was_served_comes_back() -> None:
    world = World()
    packaged(world, "v1")
    approve(world, "v1")
    world.apply(samples.deployment())
    world.chain()
    packaged(world, "v2")
    world.chain()
    assert running(world) == image("v2")
    tightened(world)
    world.chain()
    assert (running(world), world.ready(*ME)) == (image("v1"), ("True", "Serving"))
    assert history(world)[0] == ("v1", "AwaitingApproval", True)


def test_where_policy_asks_nobody_a_no_counts_all_the_same() -> None:
    world = World()
    packaged(world, "v1", "v2")
    world.apply(samples.deployment())
    world.chain()
    say_no(world, "v2")
    world.chain()
    assert running(world) == image("v1")
