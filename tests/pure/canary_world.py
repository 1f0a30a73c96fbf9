"""A served model and newer versions of it: servers that forward, users that ask, and operators that may die anywhere.

The operator's passes are generators that stop after each write, so that a test can end one, or let two run at once.
What must hold at every moment is checked at every write.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import floor
from typing import Any, NamedTuple, cast

import orjson

from modelwright.analysis.verdict import Side, Span
from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.rollout import RolloutProgress
from modelwright.conditions import moment, timestamp
from modelwright.live import Live, VersionFigures
from modelwright.objects import KubeObject
from modelwright.patch import without_nulls
from modelwright.plan import Child
from modelwright.reconcilers.canary_routing import FORGETTING
from modelwright.reconcilers.canary_steps import share, stages
from modelwright.recorder import event_manifest
from pure import samples
from pure.cluster_json import inside, is_behind
from pure.served import LIVE, ME, version
from pure.world import World

CANARY = ("apps/Deployment", "late-flights-canary")
ROUTING = ("ConfigMap", "late-flights-routing")
P99_S = 0.01
STEPS = ({"setWeight": 10}, {"pause": "1m"}, {"setWeight": 50}, {"pause": "1m"})
LEFTOVERS = ("late-flights-canary",)


class Nature(NamedTuple):
    """What a version is like: shares of its requests that fail, are slow, and are answered as stable does."""

    errors: float = 0.01
    slow: float = 0.01
    agreeing: float = 0.98
    starts: bool = True
    crashes: bool = False


GOOD = Nature()
FAILING = Nature(errors=0.3)
SLOW = Nature(slow=0.3)
WRONG = Nature(agreeing=0.5)
NEVER_READY = Nature(starts=False)
CRASHING = Nature(starts=False, crashes=True)


class Told(NamedTuple):
    """What the ConfigMap says."""

    generation: int
    version: str = ""
    weight: int = 0


@dataclass
class Counts:
    """What one server counts under one generation; fractions of requests wait until they are whole."""

    figures: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, asked: float, weight: float, nature: Nature) -> None:
        """So many requests, of which the canary answers its share."""
        for side, number, of in (("canary", asked * weight, nature), ("stable", asked * (1 - weight), GOOD)):
            self.figures[f"{side}.requests"] += number
            self.figures[f"{side}.errors"] += number * of.errors
            self.figures[f"{side}.slow"] += number * of.slow
        self.figures["compared"] += asked * weight * 0.1
        self.figures["agreed"] += asked * weight * 0.1 * nature.agreeing

    def span(self) -> Span:
        """As the server tells it."""
        sides = [Side(*(self._whole(f"{side}.{name}") for name in _NAMES)) for side in ("canary", "stable")]
        return Span(sides[0], sides[1], self._whole("compared"), self._whole("agreed"))

    def _whole(self, name: str) -> int:
        return floor(self.figures[name] + 1e-6)


_NAMES = ("requests", "errors", "slow")


@dataclass
class Server:
    """A Pod of stable: what it was told last, and what it counted since."""

    uid: str
    image: str
    told: Told
    counts: dict[int, Counts] = field(default_factory=lambda: defaultdict(Counts))


class CanaryWorld(World):
    """`natures` by the name of the version; what is not there is good. `v1` serves."""

    def __init__(self, natures: Mapping[str, Nature] | None = None, servers: int = 2, **spec: object) -> None:
        super().__init__()
        self.natures = dict(natures or {})
        self.servers: list[Server] = []
        self.history: list[Told] = []
        """What servers were told, each once."""
        self.told_at: list[datetime] = []
        self.posted: dict[str, tuple[str, str]] = {}
        self.deaf = 0
        """So many servers do not answer the operator."""
        self._read: dict[int, dict[str, Span]] = defaultdict(dict)
        self._pods = 0
        self.offer("v1")
        analysis = {"window": "10s", "minAgreement": "0.9"}
        rollout = {"strategy": "canary", "steps": list(STEPS), "analysis": analysis, "progressDeadline": "5m"}
        self.apply(samples.deployment(scaling={"minReplicas": servers}, rollout=rollout, **spec))
        self.play(15)
        assert self.ready(*ME) == ("True", "Serving"), self.summary()

    # What people do

    def offer(self, name: str) -> str:
        """A version that is packaged and may be served; its image's digest."""
        version(self, name, digest=samples.digest(name))
        return samples.digest(name)

    def change(self, **rollout: object) -> None:
        """Edits of spec.rollout."""
        self.edit(*ME, rollout={**self.objects[ME]["spec"]["rollout"], **rollout})

    # What there is

    @property
    def me(self) -> Deployment:
        """The object."""
        return cast(Deployment, self.get(*ME))

    @property
    def progress(self) -> RolloutProgress:
        """What status says of the rollout."""
        found = self.me.status.rollout
        assert found is not None
        return found

    @property
    def stable(self) -> str:
        """The version that serves."""
        found = self.me.status.stable
        return found.version if found is not None else ""

    @property
    def told(self) -> Told:
        """What servers are told."""
        if ROUTING not in self.objects:
            return Told(0)
        said = json.loads(self.objects[ROUTING]["data"]["routing.json"])
        canary = said.get("canary", {})
        return Told(said["generation"], canary.get("version", ""), round(100 * float(canary.get("weight", "0"))))

    def reasons(self) -> list[str]:
        """Of the Events so far that canaries make."""
        wanted = ("CanaryStarted", "CanaryStep", "Promoted", "RolloutRejected")
        return [reason for reason, _ in self.posted.values() if reason in wanted]

    # What goes on

    def play(self, seconds: float, every_s: float = 5) -> None:
        """Time goes by, and nothing goes wrong."""
        for _ in range(max(1, round(seconds / every_s))):
            self.settle_down()
            self.work()
            self.deliver()
            self.ask(1000)
            self.read()
            self.pass_time(seconds=every_s)
        self.settle_down()

    def end(self, limit_s: float = 3600) -> RolloutProgress:
        """Plays until there is a verdict on what is tried, and it is over."""
        for _ in range(int(limit_s / 5)):
            self.play(5)
            progress = self.me.status.rollout
            if progress is not None and progress.verdict and not self.left():
                return progress
        raise AssertionError(f"no end: {self.me.status.rollout} {self.said(*ME)}")

    def left(self) -> list[str]:
        """What is still there of a canary."""
        return [f"{kind} {name}" for kind, name in self.objects if name in LEFTOVERS]

    def settle_down(self) -> int:
        """Passes until none writes anything more; there must be an end, at any moment. How many wrote."""
        before = self._all()
        for number in range(12):
            for _ in self.operate():
                pass
            after = self._all()
            if after == before:
                return number
            before = after
        raise AssertionError(f"the operator does not come to rest: {self.me.status.rollout}")

    def operate(self) -> Iterator[None]:
        """One pass of the operator, which stops once it has decided, and after each write."""
        plan, seen, uid = self.decide(*ME), self._version(), self.objects[ME]["metadata"]["uid"]
        before = self.me
        yield
        for ref in plan.deletions:
            if (ref.kind, ref.name) == ("Deployment", CANARY[1]):
                self._let_go(before)
            self._remove(ref)
            yield
        for child in plan.children:
            if child.only_onto is not None and self._outdated(child):
                return
            was = self.told
            refused = self._make(child, uid)
            assert not refused, refused
            if self.told != was:
                self._note(was)
            yield
        for touch in plan.touches:
            pod = self.objects["Pod", touch.pod.name]["metadata"]
            pod.setdefault("annotations", {}).update(touch.annotations)
            yield
        for event in plan.events:
            manifest = event_manifest(cast(KubeObject, self.objects[ME]), event, "test")
            self.posted.setdefault(str(inside(manifest, "metadata")["name"]), (event.reason, event.message))
            yield
        if self._version() != seen or self.objects[ME]["status"] == without_nulls(plan.status):
            return
        self.objects[ME]["status"] = without_nulls(plan.status)
        self.objects[ME]["metadata"]["resourceVersion"] = str(int(seen[1]) + 1)
        self._check(*ME)
        self._hold(before)
        yield

    def work(self, *, stable: bool = True) -> None:
        """The Deployment controller and the kubelets do their work, on the canary's servers and on `stable`'s."""
        for (kind, name), live in list(self.objects.items()):
            if kind != "apps/Deployment":
                continue
            if name == CANARY[1]:
                self._start_canary()
            elif stable and is_behind(live):
                self.roll_out(name)
        if stable:
            self._renew_servers()

    def deliver(self) -> None:
        """Kubelets renew the files of all servers."""
        for server in self.servers:
            server.told = self.told

    def ask(self, requests: int) -> None:
        """Users ask every server so many times."""
        canary = self.objects.get(CANARY, {}).get("status", {}).get("readyReplicas", 0)
        for server in self.servers:
            told = server.told
            weight = told.weight / 100 if canary else 0.0
            server.counts[told.generation].add(requests, weight, self.natures.get(told.version, GOOD))

    def read(self) -> None:
        """The operator's reader asks the servers."""
        told = self.me.status.rollout.generation if self.me.status.rollout is not None else 0
        reached = self.servers[self.deaf :]
        for server in reached:
            for generation, counts in server.counts.items():
                self._read[generation][server.uid] = counts.span()
        figures = VersionFigures(100.0, 0.01, P99_S / 3, P99_S)
        self.live = Live(
            at=self.now,
            asked=len(self.servers),
            reached=len(reached),
            failure="Pod a: no answer within 2 s" if self.deaf else "",
            generation=min((server.told.generation for server in reached), default=None),
            told=told,
            span=_sum(self._read[told].values()),
            versions={self.stable: figures} if reached else {},
        )

    def forget(self) -> None:
        """Another process is the operator now, and has read nothing yet."""
        self._read.clear()
        self.live = None

    def lose_server(self) -> None:
        """A server of stable is gone, and what it had counted with it."""
        if self.servers:
            self.servers.pop()
            self.roll_out(LIVE[1], ready=len(self.servers))

    def _start_canary(self) -> None:
        live = self.objects[CANARY]
        nature = self._nature_of(live)
        if nature.starts or live["spec"]["replicas"] == 0:
            self.roll_out(CANARY[1])
            return
        self.roll_out(CANARY[1], ready=0)
        if nature.crashes and ("Pod", "canary-0") not in self.objects:
            ended = {"exitCode": 1, "message": "no such file", "finishedAt": timestamp(self.now)}
            waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
            state = {"state": waiting, "lastState": {"terminated": ended}, "restartCount": 3, "ready": False}
            self.server_pod(CANARY[1], {"containerStatuses": [{"name": "server", **state}]}, "canary-0")

    def _nature_of(self, live: Mapping[str, Any]) -> Nature:
        image = live["spec"]["template"]["metadata"]["annotations"]["modelwright.dev/image"]
        return self.natures.get(image.partition("@")[0].rpartition("/")[2], GOOD)

    def _renew_servers(self) -> None:
        live = self.objects[LIVE]
        image = live["spec"]["template"]["metadata"]["annotations"]["modelwright.dev/image"]
        self.servers = [server for server in self.servers if server.image == image][: live["spec"]["replicas"]]
        while len(self.servers) < live["spec"]["replicas"]:
            self._pods += 1
            self.servers.append(Server(f"pod-{self._pods}", image, self.told))

    def _all(self) -> bytes:
        return orjson.dumps([[*id_, obj] for id_, obj in self.objects.items()])

    # What must hold

    def _version(self) -> tuple[int, str]:
        metadata = self.objects[ME]["metadata"]
        return metadata["generation"], metadata.get("resourceVersion", "0")

    def _outdated(self, child: Child) -> bool:
        there = self.objects.get(("ConfigMap", child.name))
        return there is None or there["metadata"]["resourceVersion"] != child.only_onto

    def _note(self, was: Told) -> None:
        """Servers are told something new: no older generation, and no weight for what was taken back."""
        told = self.told
        assert told.generation >= was.generation, f"{told} after {was}"
        quarantined = {record.digest for record in self.me.status.quarantined}
        assert not told.weight or samples.digest(told.version) not in quarantined, f"{told} is in quarantine"
        self.history.append(told)
        self.told_at.append(self.now)

    def _let_go(self, before: Deployment) -> None:
        """The canary's servers go: nobody asks them any more, or has had the time to hear that."""
        progress = before.status.rollout
        assert progress is not None
        assert progress.ended_at is not None, "the canary's servers go though it is under way"
        if self.now - moment(progress.ended_at) < FORGETTING[progress.verdict]:
            assert all(server.told.generation >= progress.generation for server in self.servers)

    def _hold(self, before: Deployment) -> None:
        """A status was written: a new weight is a step's, with servers of stable and canary that can bear it."""
        after, spec = self.me.status.rollout, before.spec.rollout
        generation = before.status.rollout.generation if before.status.rollout is not None else 0
        if after is None:
            return
        if after.step_started_at and before.status.rollout is not None and not before.status.rollout.step_started_at:
            assert all(one.told.generation >= generation for one in self.servers[self.deaf :]), (
                "not all have its weight"
            )
        if after.generation == generation:
            return
        assert after.generation == generation + 1
        assert generation == 0 or self.told.generation <= generation, "servers are told before status says it"
        if after.verdict:
            return
        weight = after.spans[-1].weight
        wanted = [stage.weight for stage in stages(spec.steps)]
        assert weight == wanted[after.step], f"{weight} is not step {after.step} of {wanted}"
        assert samples.digest(after.version) not in {record.digest for record in before.status.quarantined}
        earlier = after.spans[-2].weight if len(after.spans) > 1 else 0
        if weight < earlier:
            return
        stable, canary = self.objects[LIVE], self.objects[CANARY]
        assert stable["status"]["availableReplicas"] >= stable["spec"]["replicas"], "stable is not at its full strength"
        assert canary["status"]["availableReplicas"] >= share(stable["spec"]["replicas"], weight)
        assert after.image in str(canary["spec"]["template"]), "the canary's servers are of another version"


def trying(name: str = "v2", nature: Nature = GOOD, servers: int = 2, **spec: object) -> CanaryWorld:
    """A world in which a version is tried: it has its first weight."""
    world = CanaryWorld({name: nature}, servers, **spec)
    world.offer(name)
    world.play(10)
    assert world.progress.version == name
    assert world.told.weight == 10
    return world


def _sum(spans: Any) -> Span:
    found = list(spans)
    sides = [
        Side(*(sum(getattr(getattr(span, side), name) for span in found) for name in _NAMES))
        for side in ("canary", "stable")
    ]
    return Span(sides[0], sides[1], sum(span.compared for span in found), sum(span.agreed for span in found))
