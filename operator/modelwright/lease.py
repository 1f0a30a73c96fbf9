"""One leader among several replicas, by a coordination.k8s.io/v1 Lease."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, cast

from modelwright import metrics
from modelwright.kube import AlreadyExists, ApiError, Conflict, KubeClient, NotFound
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject
from modelwright.resources import LEASES

logger = logging.getLogger(__name__)

NAME: Final = "modelwright-operator"
DURATION_S: Final = 15.0
RENEW_S: Final = 5.0
_AGAIN_S: Final = 1.0
_GIVE_UP_S: Final = 10.0
"""A holder that could not renew for so long must stop, well before another one may begin."""


class Lease:
    """The Lease as one replica sees it; `identity` is the Pod's name, so a restarted container is still itself.

    Another holder's clock is never trusted: its Lease has run out when it did not change for its own duration,
    by our clock.
    """

    def __init__(self, kube: KubeClient, namespace: str, identity: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._identity = identity
        self._seen: KubeObject | None = None
        self._seen_at = 0.0
        self._renewed_at = 0.0
        self._standby = False

    def standby(self) -> bool:
        """Whether another replica leads and this one waits for its turn."""
        return self._standby

    async def acquire(self) -> None:
        """Waits until the Lease is ours."""
        said: str | None = None
        while not await self._try():
            holder = self._holder()
            if holder != said:
                logger.info("waiting for the Lease, which %s holds", holder)
                said = holder
            self._standby = True
            await asyncio.sleep(random.uniform(0.5, 1.0) * min(RENEW_S, 2.0))
        self._standby = False
        metrics.LEADER.set(1)
        logger.info("leading as %s", self._identity)

    async def keep(self, lost: Callable[[], None]) -> None:
        """Renews for ever; calls `lost` and returns once the Lease is another's or could not be renewed in time."""
        loop, held = asyncio.get_running_loop(), True
        while held:
            await asyncio.sleep(max(_AGAIN_S, self._renewed_at + RENEW_S - loop.time()))
            try:
                async with asyncio.timeout_at(self._renewed_at + _GIVE_UP_S):
                    held = await self._try() and loop.time() - self._renewed_at < _GIVE_UP_S
            except TimeoutError:
                held = False
        logger.error("lost the Lease, which %s has had last; this replica stops", self._holder() or "nobody")
        metrics.LEADER.set(0)
        lost()

    async def release(self) -> None:
        """Lets the next one begin at once. Never raises for the API server's sake."""
        metrics.LEADER.set(0)
        if self._seen is None or self._holder() != self._identity:
            return
        try:
            async with asyncio.timeout(5):
                await self._put({"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro_time()})
        except (ApiError, TimeoutError) as error:
            logger.info("the Lease could not be released: %s", error)

    async def _try(self) -> bool:
        """Takes or renews it if that is allowed; whether it is ours now. An API server that fails is not a loss."""
        loop = asyncio.get_running_loop()
        try:
            if self._seen is None or self._holder() != self._identity:
                await self._look(loop.time())
            if self._seen is not None and not self._free(loop.time()):
                return False
            await self._put(self._claim())
        except (Conflict, AlreadyExists):
            with contextlib.suppress(ApiError):
                await self._look(loop.time())
            return self._holder() == self._identity
        except NotFound:
            self._seen = None
            return False
        except ApiError as error:
            logger.warning("the Lease could not be written: %s", error)
            return self._seen is not None and self._holder() == self._identity
        self._renewed_at = loop.time()
        return True

    async def _look(self, now: float) -> None:
        try:
            found = await self._kube.get(LEASES, self._namespace, NAME)
        except NotFound:
            self._seen = None
            return
        if self._seen is None or _version(found) != _version(self._seen):
            self._seen, self._seen_at = found, now

    def _free(self, now: float) -> bool:
        if self._holder() in ("", self._identity):
            return True
        duration_s = self._spec().get("leaseDurationSeconds")
        return now - self._seen_at > (float(duration_s) if isinstance(duration_s, int) else DURATION_S)

    def _claim(self) -> JsonObject:
        now = _micro_time()
        claim: JsonObject = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(DURATION_S),
            "renewTime": now,
            "acquireTime": now,
            "leaseTransitions": 0,
        }
        spec = self._spec()
        if spec.get("holderIdentity") == self._identity:
            return {**spec, "renewTime": now, "leaseDurationSeconds": int(DURATION_S)}
        transitions = spec.get("leaseTransitions")
        if self._seen is not None:
            claim["leaseTransitions"] = (transitions if isinstance(transitions, int) else 0) + 1
        return claim

    async def _put(self, spec: JsonObject) -> None:
        metadata: JsonObject = {"name": NAME, "namespace": self._namespace}
        manifest: JsonObject = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": spec,
        }
        if self._seen is None:
            self._seen = await self._kube.create(LEASES, self._namespace, manifest)
        else:
            metadata["resourceVersion"] = _version(self._seen)
            self._seen = await self._kube.replace(LEASES, self._namespace, NAME, manifest)

    def _spec(self) -> JsonObject:
        return {} if self._seen is None else cast(JsonObject, dict(self._seen).get("spec") or {})

    def _holder(self) -> str:
        return str(self._spec().get("holderIdentity") or "")


def _version(obj: KubeObject) -> str:
    return obj["metadata"].get("resourceVersion", "")


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
