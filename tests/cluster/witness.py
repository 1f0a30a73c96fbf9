"""Every version of every object that concerns the tests, as the API server tells them, each held against the lint."""

import asyncio
import json
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import aiohttp

from .api_server import OURS, Access, JsonObject, path_of

WATCHED = (*OURS, "Job", "Pod", "apps/Deployment", "ConfigMap")
TOO_MANY_REQUESTS = 429
Id = tuple[str, str, str]
"""Kind, namespace and name."""


@dataclass(frozen=True)
class Sighting:
    """One version of an object; `at` is this process's monotonic clock, `wall` its wall clock."""

    at: float
    wall: float
    deleted: bool
    obj: JsonObject


class Witness:
    """Watches from its start to its end in a thread of its own; `lint` gives one sentence for each wrong condition."""

    def __init__(self, access: Access, lint: Callable[[JsonObject], list[str]]) -> None:
        self._access = access
        self._lint = lint
        self._changed = threading.Condition()
        self._seen: dict[Id, list[Sighting]] = defaultdict(list)
        self._complaints: dict[str, list[str]] = defaultdict(list)
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self._tasks: asyncio.Future[list[None]] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(30), "the watches did not begin"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._tasks is not None
        self._loop.call_soon_threadsafe(self._tasks.cancel)
        self._thread.join(10)

    def sightings(self, kind: str, namespace: str, name: str) -> list[Sighting]:
        """All versions of one object, and of its successors of the same name."""
        with self._changed:
            return list(self._seen.get((kind, namespace, name), ()))

    def everything(self, kind: str, namespace: str) -> dict[str, list[Sighting]]:
        """All versions of all objects of a kind in a namespace, by name; the deleted ones too."""
        with self._changed:
            return {
                name: list(seen)
                for (of_kind, of_namespace, name), seen in self._seen.items()
                if (of_kind, of_namespace) == (kind, namespace)
            }

    def made(self, kind: str, namespace: str) -> dict[str, JsonObject]:
        """The last version of each object that ever was, by UID."""
        found: dict[str, JsonObject] = {}
        for seen in self.everything(kind, namespace).values():
            found.update({sighting.obj["metadata"]["uid"]: sighting.obj for sighting in seen})
        return found

    def latest(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        """The object as it is now, or None."""
        seen = self.sightings(kind, namespace, name)
        return seen[-1].obj if seen and not seen[-1].deleted else None

    def wait(
        self, kind: str, namespace: str, name: str, until: Callable[[JsonObject | None], bool], timeout_s: float
    ) -> Sighting | None:
        """The first version from now on for which `until` holds; None when time is up. A missing object is None."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                seen = self._seen.get((kind, namespace, name), [])
                last = seen[-1] if seen else Sighting(time.monotonic(), time.time(), True, {})
                if until(None if last.deleted else last.obj):
                    return last
                if not self._changed.wait(max(0.0, end - time.monotonic())):
                    return None

    def complaints(self, namespace: str) -> list[str]:
        """What the lint had to say of a namespace's objects."""
        with self._changed:
            return list(self._complaints.get(namespace, ()))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._watch_all())
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    async def _watch_all(self) -> None:
        context = ssl.create_default_context(cafile=self._access.authority)
        if self._access.certificate is not None:
            context.load_cert_chain(*self._access.certificate)
        async with aiohttp.ClientSession(
            self._access.url,
            connector=aiohttp.TCPConnector(ssl=context),
            headers=self._access.headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_read=90),
            read_bufsize=2**22,
        ) as session:
            versions = {kind: await self._list(session, kind) for kind in WATCHED}
            self._tasks = asyncio.gather(*(self._follow(session, kind, versions[kind]) for kind in WATCHED))
            self._started.set()
            await self._tasks

    async def _follow(self, session: aiohttp.ClientSession, kind: str, version: str) -> None:
        while True:
            try:
                version = await self._watch(session, kind, version)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.2)
            except _Expired:
                version = await self._list(session, kind)

    async def _list(self, session: aiohttp.ClientSession, kind: str) -> str:
        while True:
            async with session.get(path_of(kind)) as answer:
                # The storage of a CRD that has just been made is not there at once.
                if answer.status == TOO_MANY_REQUESTS:
                    await asyncio.sleep(0.2)
                    continue
                answer.raise_for_status()
                document = await answer.json()
                break
        for item in document["items"]:
            self._note(kind, "ADDED", item)
        return str(document["metadata"]["resourceVersion"])

    async def _watch(self, session: aiohttp.ClientSession, kind: str, version: str) -> str:
        query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": "60"}
        async with session.get(path_of(kind), params=query) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _Expired
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._note(kind, event["type"], event["object"])
        return version

    def _note(self, kind: str, event: str, obj: JsonObject) -> None:
        metadata = obj["metadata"]
        sighting = Sighting(time.monotonic(), time.time(), event == "DELETED", obj)
        with self._changed:
            seen = self._seen[kind, metadata["namespace"], metadata["name"]]
            if seen and seen[-1].obj["metadata"]["resourceVersion"] == metadata["resourceVersion"]:
                return
            seen.append(sighting)
            if kind in OURS and event != "DELETED":
                where = f"{kind} {metadata['name']} at version {metadata['resourceVersion']}"
                self._complaints[metadata["namespace"]] += [f"{where}: {words}" for words in self._lint(obj)]
            self._changed.notify_all()


class _Expired(Exception):
    """The API server has forgotten the version that the watch was to begin with."""
