"""List and watch: keeps one resource type in the cache, through dropped streams, expired versions and busy servers."""

import asyncio
import logging
import random
from typing import Final

from modelwright import metrics
from modelwright.intake import Intake
from modelwright.kube import ApiError, Expired, KubeClient, NotFound, error_of
from modelwright.objects import KubeObject
from modelwright.resources import ResourceType

logger = logging.getLogger(__name__)

_FIRST_RETRY_S: Final = 0.5
_LONGEST_RETRY_S: Final = 30.0
_SAY_AGAIN_S: Final = 10.0
_SHORTEST_WATCH_S: Final = 1.0
"""A server that ends every stream at once is asked once a second."""


class Reflector:
    """One resource type in one namespace, or in all where `namespace` is None."""

    def __init__(self, kube: KubeClient, intake: Intake, type_: ResourceType, namespace: str | None) -> None:
        self._kube = kube
        self._intake = intake
        self._type = type_
        self._namespace = namespace
        self._version: str | None = None

    async def fill(self) -> None:
        """Lists once, however long the API server needs to be able to: a fresh CRD answers 404, then 429."""
        wait_s, said = _FIRST_RETRY_S, float("-inf")
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await self.relist()
            except ApiError as error:
                if loop.time() - said >= _SAY_AGAIN_S:
                    said = loop.time()
                    hint = "; are Modelwright's CRDs installed?" if isinstance(error, NotFound) else ""
                    logger.warning("cannot list %s yet: %s%s", self._type.plural, error, hint)
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(2 * wait_s, 5.0)

    async def relist(self) -> None:
        """Lists all pages and lets the cache forget what is not among them; raises ApiError."""
        objects: list[KubeObject] = []
        page = await self._kube.page(self._type, self._namespace)
        objects += page.items
        while page.continue_:
            page = await self._kube.page(self._type, self._namespace, page.continue_)
            objects += page.items
        self._intake.listed(self._type, self._namespace, objects, page.version)
        self._version = page.version

    async def run(self) -> None:
        """Watches for ever. `fill` comes first."""
        failures, loop = 0, asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                if self._version is None:
                    metrics.RELISTS.labels(self._type.kind).inc()
                    await self.relist()
                await self._watch()
                failures = 0
                await asyncio.sleep(max(0.0, _SHORTEST_WATCH_S - (loop.time() - began)))
            except Expired:
                self._version = None
            except Exception as error:
                metrics.WATCH_FAILURES.labels(self._type.kind).inc()
                ceiling_s = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2 ** min(failures, 10))
                failures += 1
                wait_s = random.uniform(0, ceiling_s)
                if isinstance(error, ApiError):
                    wait_s = max(error.retry_after_s or 0.0, wait_s)
                    logger.info("watch of %s ended: %s; it goes on", self._type.plural, error)
                else:
                    self._version = None
                    logger.exception("watch of %s failed; it begins anew", self._type.plural)
                await asyncio.sleep(wait_s)

    async def _watch(self) -> None:
        assert self._version is not None
        async for event in self._kube.watch(self._type, self._namespace, self._version):
            match event.type:
                case "ADDED" | "MODIFIED":
                    self._intake.seen(self._type, event.obj)
                case "DELETED":
                    self._intake.gone(self._type, event.obj)
                case "ERROR":
                    raise _told(event.obj)
                case _:
                    pass
            self._version = event.obj["metadata"].get("resourceVersion", self._version)


def _told(status: object) -> ApiError:
    if not isinstance(status, dict):
        return ApiError(0, "Unknown", "the watch reported an error without a Status")
    return error_of(int(status.get("code", 0)), str(status.get("reason", "")), str(status.get("message", "")))
