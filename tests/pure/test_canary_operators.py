"""Operators that die in the middle of a canary, and one that was stopped for long: the end is the same."""

from itertools import count

import pytest

from pure.canary_world import FAILING, GOOD, CanaryWorld, Nature


class DyingWorld(CanaryWorld):
    """Every operator dies in its first pass, after more and more writes, and leaves the rest to the next one."""

    def settle_down(self) -> int:
        if not hasattr(self, "_deaths"):
            self._deaths = count()
        death = next(self._deaths)
        a_pass = self.operate()
        for _ in range(death % 23):
            next(a_pass, None)
        if not death % 5:
            self.forget()
        return super().settle_down()


@pytest.mark.parametrize(("nature", "verdict"), [(GOOD, "Promoted"), (FAILING, "Rejected")], ids=["good", "bad"])
def test_operators_that_die_after_any_write_come_to_the_same_end(nature: Nature, verdict: str) -> None:
    worlds = [kind({"v2": nature}) for kind in (CanaryWorld, DyingWorld)]
    for world in worlds:
        world.offer("v2")
        assert world.end().verdict == verdict
    calm, dying = worlds
    assert dying.history == calm.history
    assert dying.reasons() == calm.reasons()
    assert dying.stable == calm.stable
    assert dying.objects.keys() == calm.objects.keys()
    assert [one.reason for one in dying.me.status.quarantined] == [one.reason for one in calm.me.status.quarantined]


def test_an_operator_that_was_stopped_and_goes_on_undoes_nothing() -> None:
    world = CanaryWorld({"v2": FAILING})
    world.offer("v2")
    while world.me.status.rollout is None or not world.progress.spans:
        for _ in world.operate():
            pass
        world.work()
        world.read()
    stopped = world.operate()
    next(stopped)
    assert world.told.weight == 0
    assert world.end().verdict == "Rejected"
    told = list(world.history)
    for _ in stopped:
        pass
    world.settle_down()
    assert (world.history, world.left()) == (told, [])
