"""The API server's client: the few verbs that the operator uses, over one pooled session, with typed errors.

`Api` is what the engine needs of it; tests put a double of their own behind the same protocol.
"""

import asyncio
import json
import logging
import random
import re
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self, cast

import aiohttp
import orjson

from modelwright import metrics
from modelwright.access import Access
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject
from modelwright.resources import ResourceType

logger = logging.getLogger(__name__)

PAGE: Final = 500
_SERVER_VERSION: Final = ResourceType("", "v1", "version", "Version")
_ATTEMPTS = 4
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
_WATCH_SERVER_S = (480, 600)
_WATCH_SILENCE_S = 120
"""Bookmarks come about every minute; a watch that is silent for longer is dead."""


class ApiError(Exception):
    """The API server said no, in its own words; `code` 0 means that it could not be reached."""

    def __init__(self, code: int, reason: str, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after_s = retry_after_s


class NotFound(ApiError):
    """404: there is no such object, or no such kind."""


class AlreadyExists(ApiError):
    """409: the name is taken."""


class Conflict(ApiError):
    """409: the object is another one, or a newer one, than the request was made for."""


class Forbidden(ApiError):
    """403: by RBAC, by quota or by an admission policy."""


class Invalid(ApiError):
    """400 or 422: the manifest is wrong."""


class Expired(ApiError):
    """410: that resourceVersion, or that page, is no longer remembered."""


class Unreachable(ApiError):
    """Nothing came back."""


class Undecodable(ApiError):
    """What came back is no JSON that this process can read."""


class WatchEvent(NamedTuple):
    """`type` is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR."""

    type: str
    obj: KubeObject


class Page(NamedTuple):
    """A part of a list; `continue_` asks for the next one and is empty on the last."""

    items: list[KubeObject]
    version: str
    continue_: str


class Api(Protocol):
    """What the engine asks of the API server. All raise ApiError; what is returned is as the server has it now."""

    async def get(self, type_: ResourceType, namespace: str, name: str) -> KubeObject:
        """One object; NotFound where there is none."""

    async def create(self, type_: ResourceType, namespace: str, manifest: JsonObject) -> KubeObject:
        """A new object; AlreadyExists where its name is taken."""

    async def apply(self, type_: ResourceType, namespace: str, manifest: JsonObject, manager: str) -> KubeObject:
        """Server-side apply by the field manager `manager`, by force."""

    async def overwrite(self, type_: ResourceType, namespace: str, name: str, patch: JsonObject) -> KubeObject:
        """A merge patch (RFC 7386) of an object: its lists take the place of those that are there."""

    async def patch_status(self, type_: ResourceType, namespace: str, name: str, patch: JsonObject) -> KubeObject:
        """A merge patch of the status subresource."""

    async def delete(self, type_: ResourceType, namespace: str, name: str, uid: str | None) -> KubeObject | None:
        """Deletes that very object; returns it where it lingers, None where it is gone. Dependants go later."""


class KubeClient:
    """`Api` over HTTP, with lists and watches; `namespace` is None for what has none. Use as an async context manager.

    429 and failures of the network are tried again with full jitter where a repetition does no harm.
    """

    def __init__(self, access: Access, connections: int = 32, agent: str = "modelwright-operator") -> None:
        self._access = access
        headers = {"User-Agent": f"{agent}/{metrics.release()}", "Accept": "application/json"}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=access.tls, limit=connections, keepalive_timeout=60),
            headers=headers,
            timeout=_REQUEST_TIMEOUT,
        )
        self._watches = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=access.tls, limit=0), headers=headers, read_bufsize=2**20
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends all connections."""
        await self._session.close()
        await self._watches.close()

    async def get(self, type_: ResourceType, namespace: str | None, name: str) -> KubeObject:
        """See `Api.get`."""
        return await self._object("GET", "get", type_, type_.path(namespace, name))

    async def create(self, type_: ResourceType, namespace: str | None, manifest: JsonObject) -> KubeObject:
        """See `Api.create`."""
        query = {"fieldManager": "modelwright"}
        return await self._object("POST", "create", type_, type_.path(namespace), query, manifest, repeat=False)

    async def replace(self, type_: ResourceType, namespace: str, name: str, manifest: JsonObject) -> KubeObject:
        """Puts the whole object; Conflict where its resourceVersion is not the newest."""
        return await self._object("PUT", "update", type_, type_.path(namespace, name), None, manifest, repeat=False)

    async def apply(self, type_: ResourceType, namespace: str | None, manifest: JsonObject, manager: str) -> KubeObject:
        """See `Api.apply`."""
        name = str(cast(Mapping[str, object], manifest["metadata"])["name"])
        query = {"fieldManager": manager, "force": "true"}
        content = "application/apply-patch+yaml"
        return await self._object("PATCH", "apply", type_, type_.path(namespace, name), query, manifest, content)

    async def overwrite(self, type_: ResourceType, namespace: str, name: str, patch: JsonObject) -> KubeObject:
        """See `Api.overwrite`."""
        path, query = type_.path(namespace, name), {"fieldManager": "modelwright"}
        return await self._object("PATCH", "overwrite", type_, path, query, patch, "application/merge-patch+json")

    async def patch_status(self, type_: ResourceType, namespace: str, name: str, patch: JsonObject) -> KubeObject:
        """See `Api.patch_status`."""
        path, query = type_.path(namespace, name, "status"), {"fieldManager": "modelwright"}
        return await self._object("PATCH", "status", type_, path, query, patch, "application/merge-patch+json")

    async def delete(self, type_: ResourceType, namespace: str | None, name: str, uid: str | None) -> KubeObject | None:
        """See `Api.delete`."""
        options: JsonObject = {"propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        left = await self._object("DELETE", "delete", type_, type_.path(namespace, name), None, options)
        return left if left["kind"] == type_.kind and "deletionTimestamp" in left["metadata"] else None

    async def page(self, type_: ResourceType, namespace: str | None, continue_: str = "") -> Page:
        """The first page of a list, or the next one."""
        query = {"limit": str(PAGE), **type_.selection}
        if continue_:
            query["continue"] = continue_
        answer = await self._request("GET", "list", type_, type_.path(namespace), query)
        items = cast(list[KubeObject], answer.get("items") or [])
        for item in items:
            item["apiVersion"], item["kind"] = type_.api_version, type_.kind
        metadata = cast(Mapping[str, str], answer["metadata"])
        return Page(items, metadata["resourceVersion"], metadata.get("continue", ""))

    async def is_discovered(self, type_: ResourceType) -> bool:
        """Whether discovery names the type; that can come a moment after it can be listed."""
        try:
            answer = await self._request("GET", "discover", type_, f"/apis/{type_.api_version}")
        except NotFound:
            return False
        return any(one["name"] == type_.plural for one in cast(list[Mapping[str, str]], answer["resources"]))

    async def minor_version(self) -> int:
        """The API server's version: 36 of 1.36."""
        answer = await self._request("GET", "discover", _SERVER_VERSION, "/version")
        # Some distributions add a sign of their own, as in 36+.
        found = re.match(r"\d+", str(answer.get("minor", "")))
        return int(found[0]) if found else 0

    async def watch(self, type_: ResourceType, namespace: str | None, version: str) -> AsyncIterator[WatchEvent]:
        """Every change after `version`, until the server ends the stream; bookmarks are among them.

        A line that cannot be read is left out, with a line in the log: the objects after it come all the same.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(random.randint(*_WATCH_SERVER_S)),
            **type_.selection,
        }
        timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=_WATCH_SILENCE_S)
        url = self._access.server + type_.path(namespace)
        try:
            async with self._watches.get(url, params=query, headers=self._authorization(), timeout=timeout) as response:
                metrics.REQUESTS.labels("watch", type_.kind, str(response.status)).inc()
                if response.status >= 300:
                    raise _error(response, await response.read())
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        try:
                            event = cast(Mapping[str, object], decode(line))
                        except Undecodable as error:
                            logger.warning("an event of %s is left out: %s", type_.plural, error)
                            continue
                        yield WatchEvent(str(event["type"]), cast(KubeObject, event["object"]))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(0, "Unreachable", f"watch of {type_.plural}: {error!r}") from error

    async def _object(
        self,
        method: str,
        verb: str,
        type_: ResourceType,
        path: str,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        content: str = "application/json",
        repeat: bool = True,
    ) -> KubeObject:
        return cast(KubeObject, await self._request(method, verb, type_, path, query, body, content, repeat))

    async def _request(
        self,
        method: str,
        verb: str,
        type_: ResourceType,
        path: str,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        content: str = "application/json",
        repeat: bool = True,
    ) -> JsonObject:
        data = None if body is None else orjson.dumps(body)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._send(method, verb, type_, path, query, data, content)
            except ApiError as error:
                throttled = error.code == 429 and error.retry_after_s is not None
                worthwhile = throttled or (repeat and error.code in (0, 502, 503, 504))
                if attempt == _ATTEMPTS or not worthwhile:
                    raise
                await asyncio.sleep(max(error.retry_after_s or 0.0, random.uniform(0, 0.2 * 2**attempt)))
        raise AssertionError("the last attempt returns or raises")

    async def _send(
        self,
        method: str,
        verb: str,
        type_: ResourceType,
        path: str,
        query: Mapping[str, str] | None,
        data: bytes | None,
        content: str,
    ) -> JsonObject:
        headers = {**self._authorization(), **({"Content-Type": content} if data is not None else {})}
        url = self._access.server + path
        try:
            async with self._session.request(method, url, params=query, data=data, headers=headers) as response:
                metrics.REQUESTS.labels(verb, type_.kind, str(response.status)).inc()
                answer = await response.read()
                if response.status >= 300:
                    raise _error(response, answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            metrics.REQUESTS.labels(verb, type_.kind, "0").inc()
            raise Unreachable(0, "Unreachable", f"{method} {path}: {error!r}") from error
        return cast(JsonObject, decode(answer))

    def _authorization(self) -> dict[str, str]:
        value = self._access.authorization()
        return {} if value is None else {"Authorization": value}


def decode(text: bytes) -> object:
    """JSON as the API server may send it; raises Undecodable.

    orjson reads 1024 levels; the API server takes ten times as many, and then the standard library's decoder, slower,
    reads as deep as the interpreter's recursion limit lets it.
    """
    try:
        return cast(object, orjson.loads(text))
    except orjson.JSONDecodeError:
        try:
            return cast(object, json.loads(text))
        except (ValueError, RecursionError) as error:
            raise Undecodable(0, "Undecodable", f"{error}; it begins with {text[:200]!r}") from error


def error_of(code: int, reason: str, message: str, retry_after_s: float | None = None) -> ApiError:
    """The error that a Status of the API server stands for."""
    match code:
        case 422 if "metadata.uid" in message:
            # Server-side apply with the UID of an object that has a successor by now.
            return Conflict(code, reason, message)
        case 400 | 422:
            return Invalid(code, reason, message)
        case 403:
            return Forbidden(code, reason, message)
        case 404:
            return NotFound(code, reason, message)
        case 409 if reason == "AlreadyExists":
            return AlreadyExists(code, reason, message)
        case 409:
            return Conflict(code, reason, message)
        case 410:
            return Expired(code, reason, message)
        case _:
            return ApiError(code, reason, message, retry_after_s)


def _error(response: aiohttp.ClientResponse, body: bytes) -> ApiError:
    try:
        status = decode(body)
    except Undecodable:
        status = {}
    if not isinstance(status, dict):
        status = {}
    retry_after = response.headers.get("Retry-After", "")
    return error_of(
        response.status,
        str(status.get("reason") or response.reason or ""),
        str(status.get("message") or body[:500].decode(errors="replace").strip()),
        float(retry_after) if retry_after.isdigit() else None,
    )
