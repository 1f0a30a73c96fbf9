"""Servers that are slow, large, elsewhere, or nonsense: each fails in time, alone, and says how."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from modelwright.live_client import MAX_BYTES, LiveClient, Unread
from modelwright_contract.canonical import digest_of
from modelwright_contract.profile import MAX_PROFILE_BYTES
from pure import live_samples as say

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serves = Callable[[Handler], Awaitable[int]]


@pytest.fixture
async def client() -> AsyncIterator[LiveClient]:
    async with LiveClient(timeout_s=0.5) as found:
        yield found


@pytest.fixture
async def serves() -> AsyncIterator[Serves]:
    servers: list[TestServer] = []

    async def serve(handler: Handler) -> int:
        app = web.Application()
        app.router.add_get("/live", handler)
        app.router.add_get("/profile", handler)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        assert server.port is not None
        return server.port

    yield serve
    for server in servers:
        await server.close()


async def good(request: web.Request) -> web.Response:
    assert request.headers["Accept-Encoding"] == "identity"
    assert not {"Authorization", "Cookie"} & set(request.headers)
    response = web.json_response(say.document())
    response.set_cookie("known", "again")
    return response


async def test_a_server_is_asked_and_leaves_no_cookie(client: LiveClient, serves: Serves) -> None:
    port = await serves(good)
    for _ in range(2):
        assert (await client.read("127.0.0.1", port)).model_version == "v1"


async def test_a_server_is_asked_by_ipv6(client: LiveClient) -> None:
    app = web.Application()
    app.router.add_get("/live", good)
    async with TestServer(app, host="::1") as server:
        assert server.port is not None
        assert (await client.read("::1", server.port)).model_version == "v1"


async def test_the_environments_proxy_is_not_asked(
    client: LiveClient, serves: Serves, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    assert (await client.read("127.0.0.1", await serves(good))).model_version == "v1"


async def silent(_: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    return web.Response()


async def dripping(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def elsewhere(_: web.Request) -> web.Response:
    raise web.HTTPFound("http://127.0.0.1:1/latest/meta-data")


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.close()
    return response


def answers(body: bytes, status: int = 200, encoding: str = "identity") -> Handler:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers={"Content-Encoding": encoding})

    return handle


PACKED = gzip.compress(b" " * 50_000_000)
SAMPLE = orjson.dumps(say.document())


@pytest.mark.parametrize(
    ("handler", "failure", "words"),
    [
        pytest.param(silent, "timeout", "no answer within 0.5 s", id="silent"),
        pytest.param(dripping, "timeout", "no answer within 0.5 s", id="a byte now and then"),
        pytest.param(endless, "too large", "longer than 1048576 bytes", id="endless"),
        pytest.param(answers(b" " * (MAX_BYTES + 1)), "too large", "longer than", id="one byte too many"),
        pytest.param(elsewhere, "status", "answered with 302", id="a redirect"),
        pytest.param(answers(SAMPLE, 404), "status", "answered with 404", id="another server"),
        pytest.param(answers(SAMPLE, 503), "status", "answered with 503", id="not now"),
        pytest.param(answers(b"<html>"), "unreadable", "Invalid JSON", id="no JSON"),
        pytest.param(answers(PACKED, encoding="gzip"), "unreadable", "Invalid JSON", id="a bomb"),
        pytest.param(answers(b"{}"), "unreadable", "model_version: Field required", id="another document"),
        pytest.param(cut_off, "unreachable", "payload", id="cut off"),
    ],
)
async def test_what_is_no_answer_is_said(
    client: LiveClient, serves: Serves, handler: Handler, failure: str, words: str
) -> None:
    port, loop = await serves(handler), asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(Unread, match=words) as caught:
        await client.read("127.0.0.1", port)
    assert caught.value.failure == failure
    assert loop.time() - began < 5


async def test_the_longest_answer_is_read(client: LiveClient, serves: Serves) -> None:
    padded = SAMPLE + b" " * (MAX_BYTES - len(SAMPLE))
    assert (await client.read("127.0.0.1", await serves(answers(padded)))).model_version == "v1"


@pytest.mark.parametrize("address", ["127.0.0.1", "", "metadata.internal", "127.0.0.1@evil.test", "fe80::1%eth0/.."])
async def test_nobody_there_and_no_address_at_all(client: LiveClient, address: str) -> None:
    with pytest.raises(Unread) as caught:
        await client.read(address, unused_port())
    assert caught.value.failure == "unreachable"


DOCUMENT = say.PROFILE.to_bytes()


async def test_a_training_profile_is_what_its_digest_says(client: LiveClient, serves: Serves) -> None:
    assert await client.profile("127.0.0.1", await serves(answers(DOCUMENT)), say.PROFILED) == say.PROFILE


@pytest.mark.parametrize(
    ("body", "digest", "failure", "words"),
    [
        pytest.param(DOCUMENT + b" ", say.PROFILED, "unreadable", "is not sha256:", id="another document"),
        pytest.param(b"{}", digest_of(b"{}"), "unreadable", "not a profile", id="no profile"),
        pytest.param(
            b"[" * MAX_PROFILE_BYTES, digest_of(b"[" * MAX_PROFILE_BYTES), "unreadable", "no JSON", id="depth"
        ),
        pytest.param(b" " * (MAX_PROFILE_BYTES + 1), say.PROFILED, "too large", "longer than 262144", id="too long"),
    ],
)
async def test_a_training_profile_that_is_none(
    client: LiveClient, serves: Serves, body: bytes, digest: str, failure: str, words: str
) -> None:
    with pytest.raises(Unread, match=words) as caught:
        await client.profile("127.0.0.1", await serves(answers(body)), digest)
    assert caught.value.failure == failure
