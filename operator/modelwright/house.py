"""All parts put together: what starts, in which order, and what stops."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping

from modelwright import logs, metrics
from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.monitoring import DriftFigures
from modelwright.cache import Cache
from modelwright.config import Config
from modelwright.discovery import Discovery
from modelwright.engine import Engine
from modelwright.intake import Intake
from modelwright.kinds import Kind, Subject
from modelwright.kube import ApiError, KubeClient
from modelwright.live_reader import LiveReader, ReadingPace
from modelwright.objects import KubeObject
from modelwright.queue import Observer, Pace, WorkQueue
from modelwright.reflector import Reflector
from modelwright.resources import REFLECTED, Key, ResourceType
from modelwright.settings import Settings
from modelwright.writer import Writer

logger = logging.getLogger(__name__)


class House:
    """The operator without kopf: caches, queue, engine and the watches of the children.

    The watches of our own kinds are kopf's, which tells `seen` and `gone`.
    """

    def __init__(self, kube: KubeClient, kinds: Mapping[str, Kind], config: Config, settings: Settings) -> None:
        self._kube = kube
        self.settings = settings
        self.kinds = kinds
        self.cache = Cache(kinds, config)
        self._queue: WorkQueue[Key] = WorkQueue(
            lambda key: self._engine.process(key),
            settings.workers,
            observer=Observer(metrics.QUEUE_WAIT.observe, metrics.QUEUE_DEPTH.set, _failed),
        )
        self._intake = Intake(self.cache, self._queue)
        own = tuple(kind.type for kind in kinds.values())
        self._engine = Engine(kinds, self.cache, Writer(kube, self.cache, self._intake, own, settings.identity))
        scopes = settings.namespaces or (None,)
        self._own = [Reflector(kube, self._intake, type_, scope) for type_ in own for scope in scopes]
        self._children = [Reflector(kube, self._intake, type_, scope) for type_ in REFLECTED for scope in scopes]
        self._discovery = Discovery(kube, self._intake, scopes)
        self._live = LiveReader(self.cache, self._intake, ReadingPace.of(config.serving.live_figures))
        self._tasks: list[asyncio.Task[None]] = []
        self._full = False
        metrics.REGISTRY.register(metrics.Objects(self._count))
        metrics.REGISTRY.register(metrics.Served(self._live.figures))
        metrics.REGISTRY.register(metrics.Drift(self._drift))

    async def start(self) -> None:
        """Fills the caches, all lists at once, and only then lets the queue run."""
        began = asyncio.get_running_loop().time()
        reflectors = (*self._own, *self._children)
        await asyncio.gather(self._discovery.fill(), *(reflector.fill() for reflector in reflectors))
        for kind in self.kinds.values():
            await self._discovered(kind.type)
        took_s = asyncio.get_running_loop().time() - began
        logger.info("caches are full after %.2f s: %d objects of ours", took_s, len(self.cache.subjects()))
        self._full = True
        self._queue.start()
        self._tasks = [asyncio.create_task(reflector.run()) for reflector in self._children]
        self._tasks.append(asyncio.create_task(self._discovery.run()))
        self._tasks.append(asyncio.create_task(self._live.run()))
        self._tasks.append(asyncio.create_task(self._sweep(Pace().resync_s)))

    async def stop(self) -> None:
        """Ends the watches, lets passes under way end, and starts no more."""
        self._full = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._discovery.stop()
        await self._queue.stop()

    def seen(self, type_: ResourceType, obj: KubeObject) -> None:
        """An object of ours is as given."""
        self._intake.seen(type_, obj)

    def gone(self, type_: ResourceType, obj: KubeObject) -> None:
        """An object of ours is no more."""
        self._intake.gone(type_, obj)

    def alive(self) -> bool:
        """Whether the queue and the reader move and every watch is under way, or they have not begun to."""
        moving = self._queue.healthy() and self._live.healthy()
        return not self._full or (moving and not any(task.done() for task in self._tasks))

    def ready(self) -> bool:
        """Whether the caches are full and the queue runs."""
        return self._full and self._queue.healthy()

    def idle(self) -> bool:
        """Whether there is nothing to do now."""
        return self._queue.idle()

    async def _discovered(self, type_: ResourceType) -> None:
        """kopf asks once which kinds there are, and never watches one that discovery did not name then."""
        while True:
            try:
                if await self._kube.is_discovered(type_):
                    return
            except ApiError as error:
                logger.warning("discovery of %s fails: %s", type_.plural, error)
            await asyncio.sleep(0.2)

    async def _sweep(self, every_s: float) -> None:
        """Lists our own kinds anew now and then: kopf does not tell what was deleted while its watch was broken."""
        while True:
            await asyncio.sleep(every_s)
            for reflector in self._own:
                try:
                    await reflector.relist()
                except ApiError as error:
                    logger.info("the sweep comes again later: %s", error)
                except Exception:
                    logger.exception("the sweep comes again later")

    def _count(self) -> Mapping[tuple[str, str], int]:
        count: Counter[tuple[str, str]] = Counter()
        for key, subject in self.cache.subjects().items():
            ready = subject.resource.status.condition("Ready") if isinstance(subject, Subject) else None
            count[key.kind, ready.status if ready else "Unknown"] += 1
        return count

    def _drift(self) -> Iterator[tuple[tuple[str, str], bool, DriftFigures]]:
        """By namespace and name, whether a Deployment's input has drifted, and how far."""
        for key, subject in self.cache.subjects().items():
            resource = subject.resource if isinstance(subject, Subject) else None
            if isinstance(resource, Deployment) and resource.status.drift is not None:
                said = resource.status.condition("Drifted")
                yield (key.namespace, key.name), said is not None and said.status == "True", resource.status.drift


def _failed(key: Key, error: BaseException) -> None:
    metrics.ERRORS.labels(key.kind).inc()
    if isinstance(error, ApiError):
        logs.of(logger, key).warning("tried again later: %s", error)
    else:
        logs.of(logger, key).error("tried again later", exc_info=error)
