"""The door to servers: GET /live and GET /profile, of which nothing is believed before it has been checked.

A Pod can be anybody's. It gets no key, is not followed elsewhere, and its answer is cut off at 1 MiB and after 2 s.
"""

from ipaddress import ip_address
from types import TracebackType
from typing import Final, Literal, Self

import aiohttp
from pydantic import ValidationError
from yarl import URL

from modelwright import metrics
from modelwright.live_document import LiveDocument
from modelwright_contract.canonical import digest_of
from modelwright_contract.profile import MAX_PROFILE_BYTES, Profile, ProfileError

MAX_BYTES: Final = 1024 * 1024
TIMEOUT_S: Final = 2.0

Failure = Literal["timeout", "unreachable", "status", "too large", "unreadable"]


class Unread(Exception):
    """A server did not say what it has to; the message says what came instead, for people."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class LiveClient:
    """Use as an async context manager. Every question is a connection of its own: Pods come and go, addresses stay."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            headers={"User-Agent": f"modelwright-operator/{metrics.release()}", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            # A small packed answer may be a large one.
            auto_decompress=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def read(self, address: str, port: int) -> LiveDocument:
        """What the server at this IP address says of itself. Raises Unread."""
        body = await self._get(address, port, "/live", MAX_BYTES)
        try:
            return LiveDocument.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise Unread("unreadable", f"{where[:100]}: {first['msg'][:100]}") from error

    async def profile(self, address: str, port: int, digest: str) -> Profile:
        """The training profile with this digest, which the server there said it counts by. Raises Unread."""
        body = await self._get(address, port, "/profile", MAX_PROFILE_BYTES)
        if digest_of(body) != digest:
            raise Unread("unreadable", f"its training profile is not {digest}")
        try:
            return Profile.parse(body)
        except ProfileError as error:
            raise Unread("unreadable", str(error)[:200]) from error

    async def _get(self, address: str, port: int, path: str, max_bytes: int) -> bytes:
        try:
            url = URL.build(scheme="http", host=str(ip_address(address)), port=port, path=path)
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status != 200:
                    raise Unread("status", f"GET {path} was answered with {response.status}")
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > max_bytes:
                        raise Unread("too large", f"the answer is longer than {max_bytes} bytes")
                return bytes(body)
        except TimeoutError as error:
            raise Unread("timeout", f"no answer within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unread("unreachable", (str(error) or type(error).__name__)[:200]) from error
