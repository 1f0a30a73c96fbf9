"""What this cluster can do that another may not: the kinds that it may lack, and what its version brings.

A kind's objects are listed and watched from when the API server serves the kind until it no longer does, so that a CRD
may be installed, or removed, while the operator runs, and one that is not there keeps nothing from working.
"""

import asyncio
import logging
from typing import Final

from modelwright.intake import Intake
from modelwright.kube import ApiError, Forbidden, KubeClient, NotFound
from modelwright.reflector import Reflector
from modelwright.resources import OPTIONAL, ResourceType
from modelwright.view import Cluster

logger = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 15.0
_FIRST_RETRY_S: Final = 0.5
_IMAGE_VOLUMES_SINCE: Final = 36
"""The minor version of Kubernetes in which image volumes are stable, and on in every kubelet of that version."""


class Discovery:
    """`scopes` are the namespaces that are watched; None is all."""

    def __init__(
        self, kube: KubeClient, intake: Intake, scopes: tuple[str | None, ...], again_s: float = LOOK_AGAIN_S
    ) -> None:
        self._kube = kube
        self._intake = intake
        self._scopes = scopes
        self._again_s = again_s
        self._watches: dict[ResourceType, list[asyncio.Task[None]]] = {}
        self._refused: set[ResourceType] = set()
        self._known: Cluster | None = None

    async def fill(self) -> None:
        """Looks once, however long the API server needs to be able to answer."""
        while True:
            try:
                return await self.look()
            except ApiError as error:
                logger.warning("discovery fails: %s", error)
            await asyncio.sleep(_FIRST_RETRY_S)

    async def run(self) -> None:
        """Looks again and again. `fill` comes first."""
        while True:
            await asyncio.sleep(self._again_s)
            try:
                await self.look()
            except ApiError as error:
                logger.info("discovery fails: %s; it comes again later", error)
            except Exception:
                logger.exception("discovery comes again later")

    async def stop(self) -> None:
        """Ends the watches."""
        for type_ in list(self._watches):
            await self._unwatch(type_)

    async def look(self) -> None:
        """Begins and ends watches, and tells what has changed. Raises ApiError, and then what was known still is."""
        minor = await self._kube.minor_version()
        for type_ in OPTIONAL:
            served = await self._kube.is_discovered(type_)
            if served and type_ not in self._watches:
                await self._watch(type_)
            elif not served and type_ in self._watches:
                await self._unwatch(type_)
                self._intake.dropped(type_)
        kinds = frozenset(type_.kind for type_ in self._watches)
        cluster = Cluster(kinds, image_volumes=minor >= _IMAGE_VOLUMES_SINCE)
        if cluster != self._known:
            self._known = cluster
            words = ", ".join(sorted(kinds)) or "none"
            how = "image volumes" if cluster.image_volumes else "a copy by an init container"
            logger.info("Kubernetes 1.%d; optional kinds: %s; models reach other servers by %s", minor, words, how)
        self._intake.learned(cluster)

    async def _watch(self, type_: ResourceType) -> None:
        reflectors = [Reflector(self._kube, self._intake, type_, scope) for scope in self._scopes]
        try:
            for reflector in reflectors:
                await reflector.relist()
        except NotFound:
            return
        except Forbidden as error:
            if type_ not in self._refused:
                self._refused.add(type_)
                logger.warning("%s are left alone: %s", type_.plural, error.message)
            return
        self._watches[type_] = [asyncio.create_task(reflector.run()) for reflector in reflectors]

    async def _unwatch(self, type_: ResourceType) -> None:
        tasks = self._watches.pop(type_)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
