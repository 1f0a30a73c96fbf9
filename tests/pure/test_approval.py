"""Approval of a ModelVersion: who has said what, what counts, and what its status keeps of it."""

import copy
from collections.abc import Callable
from typing import cast

import pytest

from modelwright.api.v1alpha1.modelversion import FIXED, ModelVersionSpec
from modelwright.objects import KubeObject
from modelwright.recorder import event_manifest
from pure import samples
from pure.approving import approve, asking, command, packaged, remove, say_no
from pure.world import World

V1 = ("ModelVersion", "v1")
D1, OTHER = samples.digest("v1"), samples.digest("another image")
Act = Callable[[World], None]


def by_ana(world: World) -> None:
    """Ana approves."""
    approve(world, "v1")


def by_ben(world: World) -> None:
    """Ben approves."""
    approve(world, "v1", by="ben")


def of_another_image(world: World) -> None:
    """An approval restored from elsewhere."""
    approve(world, "v1", digest=OTHER)


def no(world: World) -> None:
    """Ben says no."""
    say_no(world, "v1", by="ben", comment="it leaks names.")


def removed(world: World) -> None:
    """Somebody takes the approval out."""
    remove(world, "v1")


def automatic(world: World) -> None:
    """The platform team asks nobody any more."""
    world.config = samples.config()


def required(world: World) -> None:
    """The platform team asks a person from now on."""
    world.config = asking().config


@pytest.mark.parametrize(
    ("acts", "holds", "reason", "message"),
    [
        pytest.param(
            [], False, "AwaitingApproval", f"ModelVersion v1 is not approved; {command('v1')}", id="nobody has spoken"
        ),
        pytest.param([by_ana], True, "Approved", f"ana has approved {D1}", id="a person has approved"),
        pytest.param([by_ana, by_ben], True, "Approved", f"ben has approved {D1}", id="another person has too"),
        pytest.param(
            [no], False, "ApprovalRevoked", f"ben has said no to ModelVersion v1: it leaks names; {command('v1')}",
            id="a person has said no",
        ),
        pytest.param(
            [by_ana, no], False, "ApprovalRevoked",
            f"ben has said no to ModelVersion v1: it leaks names; {command('v1')}", id="an approval was taken back",
        ),
        pytest.param(
            [by_ana, removed], False, "ApprovalRevoked",
            f"the approval of ModelVersion v1 by ana has been removed; {command('v1')}", id="an approval was removed",
        ),
        pytest.param([by_ana, no, by_ana], True, "Approved", f"ana has approved {D1}", id="approved again"),
        pytest.param(
            [of_another_image], False, "ApprovalOutdated",
            f"ana has approved {OTHER}, but the image of ModelVersion v1 is {D1}; {command('v1')}",
            id="approved was another image",
        ),
        pytest.param(
            [no, removed], False, "AwaitingApproval", f"ModelVersion v1 is not approved; {command('v1')}",
            id="a no was removed, and there never was a yes",
        ),
        pytest.param(
            [automatic], True, "ApprovedByPolicy", "the namespace's policy asks no person", id="policy asks nobody"
        ),
        pytest.param([automatic, by_ana], True, "Approved", f"ana has approved {D1}", id="a person, though not asked"),
        pytest.param(
            [automatic, no], False, "ApprovalRevoked",
            f"ben has said no to ModelVersion v1: it leaks names; {command('v1')}", id="a person may always say no",
        ),
        pytest.param(
            [automatic, of_another_image], True, "ApprovedByPolicy", "the namespace's policy asks no person",
            id="policy approves what a person's word does not reach",
        ),
        pytest.param(
            [automatic, required], False, "AwaitingApproval", f"ModelVersion v1 is not approved; {command('v1')}",
            id="policy's word ends with the policy",
        ),
        pytest.param([by_ana, automatic, required], True, "Approved", f"ana has approved {D1}", id="a person's stays"),
        pytest.param(
            [by_ana, removed, automatic], True, "ApprovedByPolicy", "the namespace's policy asks no person",
            id="what was removed is asked for no longer",
        ),
    ],
)  # fmt: skip
def test_who_has_approved(acts: list[Act], holds: bool, reason: str, message: str) -> None:
    world = asking()
    packaged(world, "v1")
    for act in acts:
        act(world)
        world.settle()
    condition = world.get(*V1).status.condition("Approved")
    assert condition is not None
    assert (condition.status == "True", condition.reason, condition.message) == (holds, reason, message)
    assert world.ready(*V1) == ("True", "Packaged")


def test_the_status_keeps_who_approved_and_from_when_to_when() -> None:
    world = asking()
    packaged(world, "v1")
    assert "approval" not in world.objects[V1]["status"]
    for act, expected in (
        (by_ana, {"by": "ana", "policy": "", "at": "12:00:02"}),
        (no, {"by": "ana", "policy": "", "at": "12:00:02", "until": "13:00:03"}),
        (by_ben, {"by": "ben", "policy": "", "at": "14:00:04"}),
        (automatic, {"by": "ben", "policy": "", "at": "14:00:04"}),
        (removed, {"by": "", "policy": "automatic", "at": "16:00:05"}),
        (required, {"by": "", "policy": "automatic", "at": "16:00:05", "until": "17:00:05"}),
    ):
        act(world)
        world.settle()
        times = {field: f"2026-05-01T{expected[field]}Z" for field in ("at", "until") if field in expected}
        assert world.objects[V1]["status"]["approval"] == {**expected, "imageDigest": D1, **times}
        world.pass_time(hours=1)


def test_each_change_is_told_once() -> None:
    world = asking()
    packaged(world, "v1")
    for act in (by_ana, by_ben, no, by_ben, removed):
        act(world)
        world.settle()
    told = [(event.type, event.reason) for id_, event in world.events if id_ == V1 and "appro" in event.reason.lower()]
    assert told == [
        ("Warning", "AwaitingApproval"),
        ("Normal", "Approved"),
        ("Normal", "Approved"),
        ("Warning", "ApprovalRevoked"),
        ("Normal", "Approved"),
        ("Warning", "ApprovalRevoked"),
    ]


def test_the_same_word_said_again_later_is_another_event_and_said_twice_it_is_one() -> None:
    world = asking()
    packaged(world, "v1")
    names = []
    for act in (by_ana, no, by_ana):
        act(world)
        before = cast(KubeObject, copy.deepcopy(world.objects[V1]))
        (event,) = world.decide(*V1).events
        manifests = [event_manifest(before, event, operator) for operator in ("one", "two")]
        names += [cast(dict[str, str], manifest["metadata"])["name"] for manifest in manifests]
        world.settle()
    assert [names[0] == names[1], names[4] == names[5], names[0] == names[4]] == [True, True, False]


def test_before_there_is_an_image_nothing_is_approved_and_nothing_said() -> None:
    world = asking()
    world.apply(samples.model_version("v1", approval={"approved": True, "approvedBy": "git", "imageDigest": OTHER}))
    world.settle()
    assert world.said(*V1, "Approved") == "there is no image yet that could be approved"
    assert [event.reason for _, event in world.events] == ["Packaging"]
    world.chain()
    assert not world.holds(*V1, "Approved")
    assert world.said(*V1, "Approved").startswith(f"git has approved {OTHER}, but the image of ModelVersion v1 is ")


def test_who_restores_an_approval_with_its_version_has_approved_it_once_it_is_packaged() -> None:
    world = asking()
    world.apply(samples.model_version("v1"))
    world.chain()
    digest = world.objects[V1]["status"]["image"].partition("@")[2]
    world.delete(*V1)
    world.apply(samples.model_version("v1", approval={"approved": True, "approvedBy": "ana", "imageDigest": digest}))
    world.chain()
    assert world.holds(*V1, "Approved")


def test_a_no_before_there_is_an_image_counts_at_once_and_later() -> None:
    world = World()
    world.apply(samples.model_version("v1", approval={"approved": False, "approvedBy": "ana"}))
    world.settle()
    assert world.said(*V1, "Approved") == "ana has said no to ModelVersion v1"
    world.chain()
    assert not world.holds(*V1, "Approved")
    assert world.ready(*V1) == ("True", "Packaged")


def test_the_approval_is_the_only_field_that_may_change() -> None:
    assert {field.alias for field in ModelVersionSpec.model_fields.values()} == {*FIXED, "approval"}
