"""Whatever people do and whatever dies, in any order: a canary keeps to its steps, and the end is the right one.

What must hold at every moment, `canary_world.py` checks at every write.
"""

from collections.abc import Callable, Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.plan import Plan
from pure import by_kind, samples
from pure.canary_world import CRASHING, FAILING, GOOD, SLOW, STEPS, WRONG, CanaryWorld
from pure.served import ME

NATURES = (GOOD, GOOD, FAILING, SLOW, WRONG, CRASHING)
WEIGHTS = ((10, 50), (5,), (20, 40, 80), (1, 100), (50, 60))


class FastWorld(CanaryWorld):
    """Asks the reconciler once; other tests show that it answers alike."""

    def decide(self, kind: str, name: str) -> Plan:
        resource = self.get(kind, name)
        return by_kind.reconcile(resource, self.view(resource), self.now)


class Chance:
    """A world in which things happen; `number` is what chance has drawn for each."""

    def __init__(self) -> None:
        self.world = FastWorld()
        self.names = ["v1"]
        self.aborted: set[str] = set()
        self.promoted = {"v1"}
        self.frozen: list[Iterator[None]] = []

    def play(self, number: int) -> None:
        self.world.play(5 * (1 + number % 8))

    def offer(self, number: int) -> None:
        name = f"v{len(self.names) + 1}"
        self.world.natures[name] = NATURES[number % len(NATURES)]
        self.world.offer(name)
        self.names.append(name)

    def die(self, number: int) -> None:
        """The operator ends after so many writes, and another one begins."""
        a_pass = self.world.operate()
        for _ in range(number):
            next(a_pass, None)
        self.world.forget()

    def two(self, number: int) -> None:
        """Two operators are at work, each with what it knew at first."""
        passes = [self.world.operate(), self.world.operate()]
        for a_pass in passes:
            next(a_pass, None)
        for turn in range(40):
            next(passes[number >> (turn % 10) & 1], None)
        for a_pass in passes:
            finish(a_pass)

    def freeze(self, number: int) -> None:
        """An operator is stopped in the middle of a pass; it will go on some day."""
        a_pass = self.world.operate()
        for _ in range(1 + number):
            next(a_pass, None)
        self.frozen.append(a_pass)

    def thaw(self, _: int) -> None:
        while self.frozen:
            finish(self.frozen.pop())
            self.world.settle_down()

    def set_clock(self, number: int) -> None:
        self.world.pass_time(minutes=(number - 15) * 10)

    def change_steps(self, number: int) -> None:
        steps = [step for one in WEIGHTS[number % 5] for step in ({"setWeight": one}, {"pause": f"{10 + number}s"})]
        self.world.change(steps=steps)

    def lose_server(self, number: int) -> None:
        """A server of stable is gone, and comes again some time later."""
        self.world.lose_server()
        for _ in range(number % 16):
            self.world.settle_down()
            self.world.work(stable=False)
            self.world.deliver()
            self.world.ask(500)
            self.world.read()
            self.world.pass_time(seconds=15)

    def deafen(self, number: int) -> None:
        self.world.deaf = number % 3

    def lag(self, number: int) -> None:
        """Kubelets renew nothing for a while, or the files of some servers only."""
        for _ in range(1 + number % 5):
            self.world.settle_down()
            self.world.work()
            for server in self.world.servers[: number % 2]:
                server.told = self.world.told
            self.world.ask(500)
            self.world.read()
            self.world.pass_time(seconds=7)

    def pause(self, number: int) -> None:
        self.world.edit(*ME, paused=bool(number % 2))

    def abort(self, _: int) -> None:
        self.aborted.add(self.newest)
        self.world.change(abort=samples.digest(self.newest))

    def promote(self, _: int) -> None:
        self.promoted.add(self.newest)
        self.world.change(promote=samples.digest(self.newest))

    def release(self, number: int) -> None:
        self.world.change(release=samples.digest(self.names[number % len(self.names)]))

    def name(self, number: int) -> None:
        version = self.names[number % len(self.names)]
        self.world.edit(*ME, model={"name": "late-flights", "version": version})

    def name_none(self, _: int = 0) -> None:
        self.world.edit(*ME, model={"name": "late-flights", "version": "latest"})

    def scale(self, number: int) -> None:
        self.world.edit(*ME, scaling={"minReplicas": 1 + number % 5})

    def change_server(self, number: int) -> None:
        """To one that forwards nothing, or back to ours."""
        self.world.edit(*ME, server={"image": "other.test/server:1.0"} if number % 4 else {})

    def admit(self) -> None:
        """By a server that forwards nothing every version takes over untried."""
        if self.world.me.spec.server.image is not None:
            self.promoted |= set(self.names)

    def end(self) -> None:
        """All is well again, and everything comes to its end."""
        self.thaw(0)
        self.world.deaf = 0
        self.world.edit(*ME, paused=False)
        self.name_none()
        self.world.edit(*ME, server={})
        self.world.change(steps=list(STEPS), abort=None, promote=None, release=None)
        for _ in range(40):
            self.world.play(60, every_s=10)
            progress = self.world.me.status.rollout
            if (progress is None or progress.verdict) and not self.world.left() and self._rests():
                return
        raise AssertionError(f"no end: {progress} {self.world.said(*ME)}")

    @property
    def newest(self) -> str:
        """The newest version, by a clock that may have been set back."""
        made = {name: self.world.objects["ModelVersion", name]["metadata"]["creationTimestamp"] for name in self.names}
        return max(self.names, key=lambda name: (made[name], name))

    def _rests(self) -> bool:
        return not self.world.holds(*ME, "Progressing") and not self.world.holds(*ME, "Reconciling")


def finish(a_pass: Iterator[None]) -> None:
    """Lets a pass go on to its end."""
    for _ in a_pass:
        pass


ACTS: list[Callable[[Chance, int], None]] = [
    Chance.play, Chance.play, Chance.play, Chance.offer, Chance.offer, Chance.die, Chance.die, Chance.two,
    Chance.freeze, Chance.thaw, Chance.set_clock, Chance.change_steps, Chance.lose_server, Chance.deafen, Chance.lag,
    Chance.pause, Chance.abort, Chance.promote, Chance.release, Chance.name, Chance.name_none,
    Chance.scale, Chance.change_server,
]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 31)), max_size=20))
def test_whatever_happens_the_end_is_the_right_one(acts: list[tuple[Callable[[Chance, int], None], int]]) -> None:
    chance = Chance()
    chance.offer(0)
    for act, number in acts:
        act(chance, number)
        chance.admit()
    chance.end()
    world, newest = chance.world, chance.newest
    quarantined = {record.version for record in world.me.status.quarantined}
    bad = {name for name, nature in world.natures.items() if nature is not GOOD}
    served = {record.version for record in world.me.status.history}
    assert quarantined <= bad | chance.aborted, "a good version was taken back"
    assert served <= chance.promoted | (set(chance.names) - bad), "a bad version was promoted"
    if newest in quarantined:
        assert world.ready(*ME) == ("False", "RolloutRejected")
        assert world.stable != newest
    else:
        assert (world.ready(*ME), world.stable) == (("True", "Serving"), newest)
