"""What people do while a version is tried: they stop it, hasten it, change the steps, or want another one."""

import pytest

from pure import samples
from pure.canary_world import FAILING, GOOD, ROUTING, STEPS, CanaryWorld, Told, trying
from pure.served import LIVE, ME, image_of, version


def test_a_release_has_it_tried_once_more() -> None:
    world = CanaryWorld({"v2": FAILING})
    digest = world.offer("v2")
    world.end()
    world.change(release=digest)
    world.settle_down()
    assert not world.progress.verdict
    assert world.end().verdict == "Rejected"
    world.play(300, every_s=30)
    assert world.reasons().count("CanaryStarted") == 2
    world.natures["v2"] = GOOD
    world.change(release=None)
    world.play(10)
    world.change(release=digest)
    world.play(10)
    assert world.end().verdict == "Promoted"
    assert not world.me.status.quarantined


def test_an_abort_ends_it_at_once() -> None:
    world = trying()
    world.change(abort=samples.digest("v2"))
    world.settle_down()
    assert world.told.weight == 0
    ended = world.end()
    assert (ended.verdict, ended.reason, ended.message) == ("Rejected", "Aborted", "spec.rollout.abort names its image")
    assert world.ready(*ME) == ("False", "RolloutRejected")
    assert world.reasons() == ["CanaryStarted", "CanaryStep", "RolloutRejected"]


def test_an_abort_before_it_begins_keeps_it_from_beginning() -> None:
    world = CanaryWorld()
    world.change(abort=samples.digest("v2"))
    world.play(5)
    world.offer("v2")
    world.play(60)
    assert world.me.status.rollout is None
    assert world.ready(*ME) == ("False", "RolloutRejected")


def test_an_abort_takes_back_what_is_being_promoted() -> None:
    world = trying()
    world.change(promote=samples.digest("v2"))
    world.settle_down()
    assert image_of(world).startswith("r.test/v2@")
    world.change(abort=samples.digest("v2"))
    world.settle_down()
    assert world.progress.verdict == "Rejected"
    assert image_of(world).startswith("r.test/v1@")
    world.play(60)
    assert world.stable == "v1"


@pytest.mark.parametrize(
    "word",
    [
        pytest.param({"promote": samples.digest("v2")}, id="promote names it"),
        pytest.param({"strategy": "rolling", "steps": []}, id="no canary any more"),
    ],
)
def test_a_persons_word_has_it_take_over_without_further_steps(word: dict[str, object]) -> None:
    world = trying()
    world.change(**word)
    world.settle_down()
    assert world.told == Told(1, "v2", 10), "it answers its share while it takes over"
    ended = world.end()
    assert (ended.verdict, ended.reason) == ("Promoted", "ByHand")
    assert world.stable == "v2"
    assert [told.weight for told in world.history] == [10, 0]
    assert world.ready(*ME) == ("True", "Serving")


def test_what_is_promoted_before_it_begins_is_not_tried() -> None:
    world = CanaryWorld()
    world.change(promote=samples.digest("v2"))
    world.play(5)
    world.offer("v2")
    world.play(20)
    assert (world.stable, world.history, world.me.status.rollout) == ("v2", [], None)


def test_a_newer_version_ends_the_one_that_is_tried_and_begins_at_the_first_step() -> None:
    world = trying()
    world.play(70)
    assert world.told.weight == 50
    world.offer("v3")
    world.settle_down()
    assert world.progress.version == "v2"
    assert (world.progress.verdict, world.progress.message) == ("Superseded", "v3 is to be served instead")
    assert world.told == Told(3)
    ended = world.end()
    assert (ended.version, ended.verdict) == ("v3", "Promoted")
    assert [(told.version, told.weight) for told in world.history] == [
        ("v2", 10), ("v2", 50), ("", 0), ("v3", 10), ("v3", 50), ("", 0),
    ]  # fmt: skip
    assert not world.me.status.quarantined


def test_back_to_what_serves_ends_it() -> None:
    world = trying()
    world.edit(*ME, model={"name": "late-flights", "version": "v1"})
    ended = world.end()
    assert (ended.verdict, ended.message) == ("Superseded", "v1 is to be served instead")
    assert (world.stable, world.ready(*ME)) == ("v1", ("True", "Serving"))


def test_a_changed_spec_is_not_ready_before_its_version_has_taken_over() -> None:
    world = CanaryWorld(version="v1")
    world.offer("v2")
    world.play(30)
    assert world.me.status.rollout is None
    world.edit(*ME, model={"name": "late-flights", "version": "v2"})
    world.play(30)
    assert world.ready(*ME) == ("False", "CanaryRunning")
    assert all(world.holds(*ME, type_) for type_ in ("Reconciling", "Available", "Progressing"))
    world.end()
    assert world.ready(*ME) == ("True", "Serving")


def test_paused_it_keeps_its_weight_and_no_other_begins() -> None:
    world = trying()
    world.edit(*ME, paused=True)
    world.play(600, every_s=30)
    assert world.told.weight == 10
    assert world.said(*ME, "Progressing").endswith("; spec.paused keeps it there")
    world.edit(*ME, paused=False)
    assert world.end().verdict == "Promoted"
    world.edit(*ME, paused=True)
    world.play(10)
    world.offer("v3")
    world.play(60)
    assert world.progress.version == "v2"
    assert world.ready(*ME) == ("True", "Serving")
    assert "v3 waits, because spec.paused is true" in world.said(*ME, "Progressing")


def test_paused_it_is_taken_back_all_the_same() -> None:
    world = trying()
    world.edit(*ME, paused=True)
    world.play(10)
    world.natures["v2"] = FAILING
    assert world.end().verdict == "Rejected"


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        pytest.param([20, 80], [20, 80], id="all above it: the first"),
        pytest.param([5, 8], [8], id="all below it: the last"),
        pytest.param([10, 60], [60], id="its own is still there"),
        pytest.param([5, 10, 20], [20], id="its own is there, at another place"),
        pytest.param([5, 40], [5, 40], id="the greatest below it"),
    ],
)
def test_steps_that_change_half_way(steps: list[int], told: list[int]) -> None:
    world = trying()
    world.change(steps=[step for weight in steps for step in ({"setWeight": weight}, {"pause": "1m"})])
    assert world.end().verdict == "Promoted"
    assert [one.weight for one in world.history] == [10, *told, 0]


def test_steps_that_do_not_rise_end_it_and_say_so() -> None:
    world = trying()
    world.change(steps=[{"setWeight": 50}, {"setWeight": 10}])
    world.play(120)
    assert world.ready(*ME) == ("False", "StepsInvalid")
    assert "spec.rollout.steps[1].setWeight is 10 after 50; weights must rise from step to step" in world.said(*ME)
    assert (world.told.weight, world.progress.verdict) == (0, "Superseded")
    world.change(steps=list(STEPS))
    world.play(5)
    assert world.end().verdict == "Promoted"


def test_a_spec_that_cannot_be_followed_ends_it() -> None:
    world = trying()
    world.config = samples.config(ceilings={"memory": "1Gi"})
    world.play(60)
    assert world.ready(*ME) == ("False", "ResourcesAboveCeiling")
    assert (world.progress.verdict, world.told.weight, world.left()) == ("Superseded", 0, [])
    assert LIVE in world.objects
    world.config = samples.config()
    world.play(5)
    assert world.end().verdict == "Promoted"


def test_another_server_ends_it_and_is_rolled_out_at_once() -> None:
    world = trying()
    world.edit(*ME, server={"image": "other.test/server:1.0"})
    world.settle_down()
    assert world.told == Told(2), "servers that go yet are told"
    world.play(60)
    assert (world.progress.verdict, world.progress.reason) == ("Superseded", "OtherServer")
    assert (world.stable, world.left()) == ("v2", [])
    assert ROUTING not in world.objects
    assert world.ready(*ME) == ("True", "Serving")
    assert world.said(*ME).endswith("a canary needs Modelwright's own server: a new version takes over without one")


@pytest.mark.parametrize("word", ["the same image", "another model"])
def test_what_can_not_be_held_against_stable_takes_over_at_once(word: str) -> None:
    world = CanaryWorld()
    if word == "the same image":
        world.offer("v2")
        world.objects["ModelVersion", "v2"]["status"]["image"] = f"r.test/again@{samples.digest('v1')}"
    else:
        version(world, "v2", model="other", digest=samples.digest("v2"))
        world.edit(*ME, model={"name": "other", "version": "latest"})
    world.play(30)
    assert (world.stable, world.history) == ("v2", [])
