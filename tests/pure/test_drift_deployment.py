"""A Deployment that drifts, as its reconciler has it: it serves on, is Ready, and says so, whatever else goes on."""

from __future__ import annotations

from dataclasses import replace

from modelwright.live import FeatureWindow, Live
from pure import samples
from pure.drifting import LABELS, MOVED, PROFILE
from pure.served import ME, serving, stable, version
from pure.world import World

DRIFT = "Drifted"


def close(world: World) -> None:
    """A window over which the rows were other ones than in training has closed, of the version that serves."""
    name = stable(world)
    live = world.live or Live(asked=1, reached=1)
    window = FeatureWindow(name, f"p-{name}", world.now, 3600.0, 500, MOVED, LABELS)
    world.pass_time(hours=1)
    known = {"profiled": {name: f"p-{name}"}, "profiles": {f"p-{name}": PROFILE}}
    world.live = replace(live, at=world.now, windows=(*live.windows, window)[-3:], **known)
    world.settle()


def drifted() -> World:
    world = serving("v1")
    close(world)
    assert not world.holds(*ME, DRIFT)
    close(world)
    assert world.holds(*ME, DRIFT)
    return world


def test_what_drifts_serves_on_and_says_so_once() -> None:
    world = drifted()
    close(world)
    assert world.ready(*ME) == ("True", "Serving")
    assert world.said(*ME, DRIFT).startswith("distance (w = ")
    assert [event.reason for id_, event in world.events if id_ == ME].count(DRIFT) == 1


def test_it_is_told_also_while_the_spec_cannot_be_followed() -> None:
    world = drifted()
    world.config = samples.config(ceilings={"memory": "1Mi"})
    world.edit(*ME, server={"resources": {"limits": {"memory": "1Gi"}}})
    world.settle()
    assert world.ready(*ME) == ("False", "ResourcesAboveCeiling")
    assert world.holds(*ME, DRIFT)


def test_an_operator_that_begins_anew_changes_nothing() -> None:
    world = drifted()
    before = world.objects[ME]["status"]
    world.live = None
    world.pass_time(hours=5)
    world.settle()
    assert world.objects[ME]["status"] == before


def test_in_the_middle_of_a_rollout_it_is_the_old_versions_and_then_the_new_one_begins_anew() -> None:
    world = drifted()
    version(world, "v2", digest="sha256:2")
    world.reconcile(*ME)
    close(world)
    assert stable(world) == "v1"
    assert world.holds(*ME, DRIFT)
    world.roll_out("late-flights")
    world.settle()
    assert stable(world) == "v2"
    assert not world.holds(*ME, DRIFT)
    assert world.objects[ME]["status"]["drift"]["version"] == "v2"
    close(world)
    assert not world.holds(*ME, DRIFT)
    close(world)
    assert world.holds(*ME, DRIFT)
