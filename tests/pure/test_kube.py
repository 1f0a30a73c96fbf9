"""The client and the reflector against a small HTTP server that misbehaves as API servers do."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from modelwright.access import Access
from modelwright.api.v1alpha1 import Dataset
from modelwright.cache import Cache
from modelwright.config import Config
from modelwright.intake import Intake
from modelwright.kinds import kind
from modelwright.kube import (
    AlreadyExists,
    ApiError,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    KubeClient,
    NotFound,
    Undecodable,
    Unreachable,
    decode,
)
from modelwright.main import RECURSION_LIMIT
from modelwright.objects import KubeObject
from modelwright.plan import Plan
from modelwright.queue import Gone, Outcome, WorkQueue
from modelwright.reflector import Reflector
from modelwright.resources import JOBS, REFUSALS, Key
from pure.cluster_objects import dataset, job

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
OWNER = dataset("a")


class Script:
    """Answers requests one after the other as a test wrote them, and remembers them."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self.done = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self.asked.append((request.method, request.path, dict(request.query), body))
        if not self.answers:
            self.done.set()
            await asyncio.sleep(3600)
        return await self.answers.pop(0)(request)

    def says(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        async def answer(_: web.Request) -> web.Response:
            return web.json_response(body, status=status, headers=headers)

        self.answers.append(answer)

    def refuses(self, status: int, reason: str, message: str = "no", headers: dict[str, str] | None = None) -> None:
        self.says(status, {"kind": "Status", "code": status, "reason": reason, "message": message}, headers)

    def streams(self, *chunks: bytes) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for chunk in chunks:
                await response.write(chunk)
                await asyncio.sleep(0.01)
            return response

        self.answers.append(answer)

    def hangs_up(self) -> None:
        async def answer(request: web.Request) -> web.Response:
            assert request.transport is not None
            request.transport.close()
            return web.Response()

        self.answers.append(answer)


@pytest.fixture
async def script() -> Script:
    return Script()


@pytest.fixture
async def kube(script: Script) -> AsyncIterator[KubeClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.handle)
    tokens = iter(range(1000))
    async with TestServer(app) as server:
        access = Access(str(server.make_url("")).rstrip("/"), True, lambda: f"Bearer {next(tokens)}")
        async with KubeClient(access) as client:
            yield client


ERRORS = [
    (400, "BadRequest", Invalid),
    (403, "Forbidden", Forbidden),
    (404, "NotFound", NotFound),
    (409, "AlreadyExists", AlreadyExists),
    (409, "Conflict", Conflict),
    (410, "Expired", Expired),
    (422, "Invalid", Invalid),
    (500, "InternalError", ApiError),
]


@pytest.mark.parametrize(("code", "reason", "type_"), ERRORS)
async def test_a_refusal_is_a_typed_error_with_the_servers_words(
    kube: KubeClient, script: Script, code: int, reason: str, type_: type[ApiError]
) -> None:
    script.refuses(code, reason, "because")
    with pytest.raises(type_) as raised:
        await kube.create(JOBS, "n", {"metadata": {"name": "x"}})
    assert (raised.value.code, raised.value.reason, raised.value.message) == (code, reason, "because")
    assert type(raised.value) is type_


async def test_an_answer_that_is_no_status_is_quoted(kube: KubeClient, script: Script) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=404, text="404 page not found\n")

    script.answers.append(answer)
    with pytest.raises(NotFound) as raised:
        await kube.get(JOBS, "n", "x")
    assert raised.value.message == "404 page not found"


async def test_a_busy_server_is_asked_again_as_it_wishes(kube: KubeClient, script: Script) -> None:
    script.refuses(429, "TooManyRequests", headers={"Retry-After": "0"})
    script.says(201, job("x", OWNER))
    assert (await kube.create(JOBS, "n", {"metadata": {"name": "x"}}))["metadata"]["name"] == "x"


async def test_what_may_have_happened_is_not_repeated_unless_that_does_no_harm(
    kube: KubeClient, script: Script
) -> None:
    script.refuses(503, "ServiceUnavailable")
    with pytest.raises(ApiError):
        await kube.create(JOBS, "n", {"metadata": {"name": "x"}})
    assert len(script.asked) == 1
    script.refuses(503, "ServiceUnavailable")
    script.hangs_up()
    script.says(200, job("x", OWNER))
    assert (await kube.apply(JOBS, "n", {"metadata": {"name": "x"}}, "modelwright"))["kind"] == "Job"
    assert len(script.asked) == 4


async def test_a_lost_connection_is_an_error_of_ours(kube: KubeClient, script: Script) -> None:
    script.hangs_up()
    with pytest.raises(Unreachable):
        await kube.create(JOBS, "n", {"metadata": {"name": "x"}})


async def test_what_is_sent(kube: KubeClient, script: Script) -> None:
    answers: list[KubeObject] = [job("x", OWNER)] * 4
    for answer in answers:
        script.says(200, answer)
    await kube.apply(JOBS, "n", {"metadata": {"name": "x"}}, "modelwright-scale")
    await kube.patch_status(JOBS, "n", "x", {"status": {"a": None}})
    assert await kube.delete(JOBS, "n", "x", "uid-1") is None
    await kube.get(JOBS, "n", "x")
    apply, status, delete, get = script.asked
    path = "/apis/batch/v1/namespaces/n/jobs/x"
    assert apply[:3] == ("PATCH", path, {"fieldManager": "modelwright-scale", "force": "true"})
    assert (status[1], json.loads(status[3])) == (path + "/status", {"status": {"a": None}})
    assert json.loads(delete[3]) == {"propagationPolicy": "Background", "preconditions": {"uid": "uid-1"}}
    assert get[0] == "GET"


async def test_what_lingers_after_a_deletion_is_returned(kube: KubeClient, script: Script) -> None:
    script.says(200, job("x", OWNER, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}))
    left = await kube.delete(JOBS, "n", "x", None)
    assert left is not None


async def test_pages_carry_the_kind_and_the_way_on(kube: KubeClient, script: Script) -> None:
    script.says(200, {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [{"metadata": {"name": "x"}}]})
    page = await kube.page(JOBS, None)
    assert (page.items[0]["apiVersion"], page.items[0]["kind"]) == ("batch/v1", "Job")
    assert (page.version, page.continue_) == ("7", "more")
    assert script.asked[0][1:3] == (
        "/apis/batch/v1/jobs",
        {"limit": "500", "labelSelector": "app.kubernetes.io/managed-by=modelwright"},
    )


async def test_refusals_are_chosen_by_the_server_and_not_by_label(kube: KubeClient, script: Script) -> None:
    script.says(200, {"metadata": {"resourceVersion": "7"}, "items": []})
    await kube.page(REFUSALS, "n")
    assert script.asked[0][1:3] == (
        "/api/v1/namespaces/n/events",
        {"limit": "500", "fieldSelector": "involvedObject.kind=Job,reason=FailedCreate"},
    )


async def test_discovery_may_name_a_kind_later_than_another(kube: KubeClient, script: Script) -> None:
    script.says(200, {"resources": [{"name": "cronjobs"}]})
    script.says(200, {"resources": [{"name": "cronjobs"}, {"name": "jobs"}]})
    script.refuses(404, "NotFound")
    assert [await kube.is_discovered(JOBS) for _ in range(3)] == [False, True, False]
    assert script.asked[0][1] == "/apis/batch/v1"


@pytest.mark.parametrize(("minor", "number"), [("36", 36), ("36+", 36), ("", 0), (None, 0)])
async def test_the_servers_version(kube: KubeClient, script: Script, minor: str | None, number: int) -> None:
    script.says(200, {"major": "1", **({"minor": minor} if minor is not None else {})})
    assert await kube.minor_version() == number
    assert script.asked[0][1] == "/version"


def line(type_: str, obj: object) -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


async def _idle(_: Key) -> Outcome:
    return Gone()


class Nursery:
    """A cache with one Dataset, and the reflector of its Jobs; its queue is never started."""

    def __init__(self, kube: KubeClient) -> None:
        ours = kind(Dataset, lambda _: frozenset(), lambda *_: Plan({}))
        self.cache = Cache({"Dataset": ours}, Config())
        self.cache.observe(ours.type, OWNER)
        self.queue: WorkQueue[Key] = WorkQueue(_idle)
        self.reflector = Reflector(kube, Intake(self.cache, self.queue), JOBS, None)

    def jobs(self) -> set[str]:
        return {name for name in "abc" if self.cache.child(JOBS, "n", name) is not None}


def listed(version: int, *names: str, more: str = "") -> dict[str, object]:
    items = [job(name, OWNER, version=version - 1) for name in names]
    return {"metadata": {"resourceVersion": str(version), "continue": more}, "items": items}


async def run_until_quiet(nursery: Nursery, script: Script) -> None:
    running = asyncio.create_task(nursery.reflector.run())
    async with asyncio.timeout(20):
        await script.done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_list_of_several_pages_and_a_watch_in_arbitrary_chunks(kube: KubeClient, script: Script) -> None:
    nursery = Nursery(kube)
    script.says(200, listed(2000, "a", more="more"))
    script.says(200, listed(2000, "b"))
    await nursery.reflector.fill()
    assert nursery.jobs() == {"a", "b"}
    whole = line("ADDED", job("c", OWNER, version=2001)) + line("DELETED", job("a", OWNER, version=2002))
    script.streams(whole[:10], whole[10:200], whole[200:])
    await run_until_quiet(nursery, script)
    assert nursery.jobs() == {"b", "c"}
    watches = [query["resourceVersion"] for _, _, query, _ in script.asked if "watch" in query]
    assert watches == ["2000", "2002"], "goes on where it was"


async def test_a_bookmark_moves_the_watch_on(kube: KubeClient, script: Script) -> None:
    nursery = Nursery(kube)
    script.says(200, listed(2000))
    await nursery.reflector.fill()
    script.streams(line("BOOKMARK", {"kind": "Job", "metadata": {"resourceVersion": "2500"}}))
    await run_until_quiet(nursery, script)
    assert [query["resourceVersion"] for _, _, query, _ in script.asked if "watch" in query] == ["2000", "2500"]


@pytest.mark.parametrize("in_stream", [True, False])
async def test_an_expired_version_is_listed_anew_and_forgets_what_is_gone(
    kube: KubeClient, script: Script, in_stream: bool
) -> None:
    nursery = Nursery(kube)
    script.says(200, listed(2000, "a", "b"))
    await nursery.reflector.fill()
    if in_stream:
        script.streams(line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}))
    else:
        script.refuses(410, "Expired")
    script.says(200, listed(3000, "b", "c"))
    await run_until_quiet(nursery, script)
    assert nursery.jobs() == {"b", "c"}


async def test_a_server_that_is_not_ready_yet_is_waited_for(kube: KubeClient, script: Script) -> None:
    nursery = Nursery(kube)
    script.refuses(404, "NotFound")
    script.refuses(429, "TooManyRequests", "storage is (re)initializing")
    script.says(200, listed(2000, "a"))
    await nursery.reflector.fill()
    assert nursery.jobs() == {"a"}


async def test_a_watch_outlives_failures(kube: KubeClient, script: Script) -> None:
    nursery = Nursery(kube)
    script.says(200, listed(2000, "a"))
    await nursery.reflector.fill()
    script.hangs_up()
    script.refuses(500, "InternalError")
    script.refuses(429, "TooManyRequests", headers={"Retry-After": "0"})
    script.streams(line("ADDED", job("b", OWNER, version=2001)))
    await run_until_quiet(nursery, script)
    assert nursery.jobs() == {"a", "b"}


def deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.fixture
def recursion() -> Iterator[None]:
    """The operator's own limit."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(RECURSION_LIMIT)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("recursion")
def test_whatever_depth_the_api_server_takes_is_read() -> None:
    assert decode(deep(9_990)) == decode(deep(9_990))


async def test_what_cannot_be_read_is_an_error_of_ours(kube: KubeClient, script: Script) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b'{"kind": ')

    script.answers.append(answer)
    with pytest.raises(Undecodable, match="it begins with"):
        await kube.create(JOBS, "n", {"metadata": {"name": "x"}})


async def test_a_line_of_a_watch_that_cannot_be_read_is_left_out(kube: KubeClient, script: Script) -> None:
    nursery = Nursery(kube)
    script.says(200, listed(2000))
    await nursery.reflector.fill()
    bad = line("ADDED", job("b", OWNER, version=2001)).replace(b'"b"', deep(2_000), 1)
    script.streams(line("ADDED", job("a", OWNER, version=2001)) + bad + line("ADDED", job("c", OWNER, version=2003)))
    await run_until_quiet(nursery, script)
    assert nursery.jobs() == {"a", "c"}


async def test_a_watch_that_fails_for_a_reason_of_its_own_begins_anew(kube: KubeClient, script: Script) -> None:
    nursery = Nursery(kube)
    script.says(200, listed(2000))
    await nursery.reflector.fill()
    script.streams(b'{"type": "ADDED", "object": {"kind": "Job"}}\n')
    script.says(200, listed(3000, "a"))
    await run_until_quiet(nursery, script)
    assert nursery.jobs() == {"a"}
