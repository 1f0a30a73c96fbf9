"""Asks the servers of every Deployment for their live figures, again and again, and tells its reconciler.

It decides nothing: whom to ask, what the answers amount to and whether that is news, `live_servers.py` knows. What it
remembers may be lost: counts of a rollout that status already holds are never made less by it.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol, Self

from modelwright import durations, logs, metrics
from modelwright.api.v1alpha1 import Deployment
from modelwright.cache import Cache
from modelwright.children.endpoints import MANAGEMENT_PORT, endpoints
from modelwright.config import ServingFigures
from modelwright.intake import Intake
from modelwright.kinds import Subject, Unreadable
from modelwright.live import Live, VersionFigures
from modelwright.live_client import LiveClient, Unread
from modelwright.live_document import LiveDocument
from modelwright.live_servers import Answer, Reading, Server, SideName, is_news, servers
from modelwright.live_sums import Sums
from modelwright.live_windows import FeatureWindows
from modelwright.resources import Key
from modelwright_contract.profile import Profile

logger = logging.getLogger(__name__)

AT_A_TIME: Final = 16
"""So many servers are asked at a time in all."""
OF_ONE: Final = 4
"""So many of them are of one Deployment, so that one whose servers are silent does not hold up the others."""


@dataclass(frozen=True, slots=True)
class ReadingPace:
    """How often the servers of a Deployment are asked, in seconds."""

    calm_s: float = 15.0
    hurried_s: float = 5.0
    """While somebody waits for what they say."""
    tick_s: float = 0.5

    @classmethod
    def of(cls, config: ServingFigures) -> Self:
        """As the platform wants it."""
        calm_s, hurried_s = (
            durations.parse(text).total_seconds() for text in (config.interval, config.during_rollouts)
        )
        return cls(calm_s, min(calm_s, hurried_s))


class Asks(Protocol):
    """Who asks a server."""

    async def read(self, address: str, port: int) -> LiveDocument:
        """What the server at this IP address says of itself. Raises Unread."""

    async def profile(self, address: str, port: int, digest: str) -> Profile:
        """The training profile that it counts by. Raises Unread."""


@dataclass(slots=True)
class _Watched:
    """One Deployment, by its UID."""

    key: Key
    began_at: float
    sums: Sums = field(default_factory=Sums)
    windows: FeatureWindows = field(default_factory=FeatureWindows)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    told: Live | None = None
    told_at: float = 0.0
    canary: bool = False
    failing: bool = False
    figures: Mapping[tuple[str, SideName], VersionFigures] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class LiveReader:
    """`run` for as long as this replica leads. `clock` tells which window of features a reading is of."""

    def __init__(
        self,
        cache: Cache,
        intake: Intake,
        pace: ReadingPace,
        port: int = MANAGEMENT_PORT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cache = cache
        self._intake = intake
        self._pace = pace
        self._port = port
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._watched: dict[str, _Watched] = {}
        self._beat: float | None = None

    async def run(self) -> None:
        """Asks for ever."""
        loop = asyncio.get_running_loop()
        async with LiveClient() as client:
            try:
                while True:
                    self._beat = loop.time()
                    self._begin(client, loop.time())
                    await asyncio.sleep(self._pace.tick_s)
            finally:
                self._beat = None
                await self._end()

    def healthy(self) -> bool:
        """Whether it moves, or has not begun to."""
        return self._beat is None or asyncio.get_running_loop().time() - self._beat < 10.0

    def figures(self) -> Iterator[tuple[tuple[str, str, str, SideName], VersionFigures]]:
        """The last minute by namespace, Deployment, version and side."""
        for watched in self._watched.values():
            for (version, side), figures in watched.figures.items():
                yield (watched.key.namespace, watched.key.name, version, side), figures

    def _begin(self, client: Asks, now: float) -> None:
        """Starts a reading of every Deployment whose time has come, and forgets those that are no more."""
        present = self._deployments()
        for uid in self._watched.keys() - present.keys():
            self._forget(uid)
        for uid, (key, resource) in present.items():
            watched = self._watched.get(uid)
            if watched is None:
                watched = self._watched[uid] = _Watched(key, now)
                # Not all at once.
                watched.began_at -= self._interval_s(watched, resource) * random.random()
            if watched.task is None and now - watched.began_at >= self._interval_s(watched, resource):
                watched.began_at = now
                name = f"live figures of {key.namespace}/{key.name}"
                watched.task = asyncio.create_task(self._read(client, uid, watched), name=name)

    def _deployments(self) -> Mapping[str, tuple[Key, Deployment]]:
        """Those whose servers are our own, by UID."""
        return {
            resource.metadata.uid: (key, resource)
            for key, subject in self._cache.subjects().items()
            if (resource := _readable(subject)) is not None
        }

    def _interval_s(self, watched: _Watched, resource: Deployment) -> float:
        pace_s = self._pace.hurried_s if _hurried(watched, resource) else self._pace.calm_s
        # Twice a window, or some would have no reading of their own.
        return min(pace_s, max(1.0, _window_s(resource) / 2))

    async def _read(self, client: Asks, uid: str, watched: _Watched) -> None:
        try:
            await self._round(client, uid, watched)
        except Exception:
            logger.exception("the figures of %s/%s are read again later", watched.key.namespace, watched.key.name)
        finally:
            watched.task = None

    async def _round(self, client: Asks, uid: str, watched: _Watched) -> None:
        """Asks all servers of one Deployment."""
        subject = self._cache.subjects().get(watched.key)
        if not isinstance(subject, Subject):
            return
        at, asked, own_slots = self._clock(), servers(self._cache.pods(subject)), asyncio.Semaphore(OF_ONE)
        answers: dict[str, Answer] = {}
        failures: dict[str, str] = {}

        async def ask(server: Server) -> None:
            async with own_slots, self._slots:
                try:
                    answers[server.uid] = Answer.of(await client.read(server.address, self._port))
                except Unread as error:
                    metrics.UNREAD.labels(error.failure).inc()
                    failures[server.uid] = str(error)

        await asyncio.gather(*(ask(server) for server in asked))
        await self._learn(client, watched, Reading(at, asked, answers, failures))
        subject = self._cache.subjects().get(watched.key)
        resource = _readable(subject)
        if isinstance(subject, Subject) and resource is not None and resource.metadata.uid == uid:
            # One that went while it was asked owes no answer.
            there = {server.uid for server in servers(self._cache.pods(subject))}
            asked = tuple(server for server in asked if server.uid in there or server.uid in answers)
            self._tell(watched, resource, Reading(at, asked, answers, failures))

    async def _learn(self, client: Asks, watched: _Watched, reading: Reading) -> None:
        """Reads the training profiles that are not known yet, each of one server that counts by it."""
        for digest, server in reading.profiled().items():
            if digest not in watched.profiles:
                try:
                    async with self._slots:
                        found = await client.profile(server.address, self._port, digest)
                except Unread as error:
                    metrics.UNREAD.labels(error.failure).inc()
                    logs.of(logger, watched.key).debug("no training profile of Pod %s yet: %s", server.name, error)
                else:
                    watched.profiles = {**watched.profiles, digest: found}

    def _tell(self, watched: _Watched, resource: Deployment, reading: Reading) -> None:
        rollout, now = resource.status.rollout, asyncio.get_running_loop().time()
        routing = {uid: answer.routing for uid, answer in reading.answers.items()}
        watched.sums = watched.sums.after(rollout.generation if rollout is not None else 0, routing)
        watched.windows = watched.windows.after(_window_s(resource), reading.at, reading.tallies(), reading.uids())
        used = watched.windows.profiles()
        watched.profiles = {digest: profile for digest, profile in watched.profiles.items() if digest in used}
        watched.figures = reading.by_side()
        watched.canary = any(server.side == "canary" for server in reading.asked)
        live = reading.live(watched.sums, watched.windows.closed, watched.profiles)
        if watched.failing != bool(live.failure):
            watched.failing = bool(live.failure)
            words = f"{live.reached} of {live.asked} servers told their figures"
            logs.of(logger, watched.key).info("%s%s", words, f"; {live.failure}" if live.failure else "")
        since_s = now - watched.told_at
        news = is_news(live, watched.told, hurried=_hurried(watched, resource), since_s=since_s)
        if news:
            watched.told, watched.told_at = live, now
        self._intake.heard(watched.key, resource.metadata.uid, live, news=news)

    def _forget(self, uid: str) -> None:
        watched = self._watched.pop(uid)
        if watched.task is not None:
            watched.task.cancel()
        self._intake.heard(watched.key, uid, None, news=False)

    async def _end(self) -> None:
        tasks = [watched.task for watched in self._watched.values() if watched.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _hurried(watched: _Watched, resource: Deployment) -> bool:
    """Whether somebody waits for what servers say: a rollout is under way, or its canary not gone yet."""
    rollout = resource.status.rollout
    return watched.canary or (rollout is not None and not rollout.verdict)


def _window_s(resource: Deployment) -> float:
    """How long a window of features is."""
    return durations.parse(resource.spec.monitoring.limits.window).total_seconds()


def _readable(subject: Subject | Unreadable | None) -> Deployment | None:
    """A Deployment whose servers are our own."""
    if not isinstance(subject, Subject) or not isinstance(subject.resource, Deployment):
        return None
    return subject.resource if "management" in endpoints(subject.resource).ports else None
