"""Whom the registry's client shows its login: the registry itself, and the token server that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import urllib3

from modelwright_worker import oci
from modelwright_worker.failures import Told
from modelwright_worker.oci import Descriptor, Registry
from modelwright_worker.references import Login

from .registry import PASSWORD, USER

Answer = tuple[int, Mapping[str, str], bytes]
BLOB = Descriptor("application/octet-stream", "sha256:" + "a" * 64, 3)
LOGIN = Login(USER, PASSWORD)
TOKEN = (200, {}, b'{"token": "granted"}')


class Net:
    """Answers in the order of `answers`, and what was asked: method, address, Authorization."""

    def __init__(self, *answers: Answer) -> None:
        self.answers: Iterator[Answer] = iter(answers)
        self.asked: list[tuple[str, str, str | None]] = []
        self.options: list[dict[str, Any]] = []

    def request(self, method: str, address: str, headers: Mapping[str, str], **options: Any) -> urllib3.HTTPResponse:
        self.asked.append((method, address.partition("?")[0], headers.get("Authorization")))
        self.options.append(options)
        status, said, content = next(self.answers)
        return urllib3.HTTPResponse(_Body(content), headers=said, status=status, preload_content=False)


class _Body:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, amount: int | None = None) -> bytes:
        content, self.content = self.content, b""
        return content

    def close(self) -> None:
        self.content = b""


def registry(monkeypatch: pytest.MonkeyPatch, net: Net, host: str = "models.test", insecure: bool = False) -> Registry:
    monkeypatch.setattr(oci.urllib3, "PoolManager", lambda **_: net)
    return Registry(host, LOGIN, insecure=insecure)


def challenge(realm: str) -> Answer:
    return 401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'}, b""


def at(location: str) -> Answer:
    return 202, {"Location": location}, b""


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        pytest.param("/v2/late/blobs/uploads/1", True, id="a path"),
        pytest.param("https://models.test:443/u", True, id="the same, written otherwise"),
        pytest.param("https://models.test.evil.test/u", False, id="a host that begins like it"),
        pytest.param("https://models.test@evil.test/u", False, id="a host behind a user"),
        pytest.param("https://models.test:8443/u", False, id="another port"),
        pytest.param("http://models.test/u", False, id="without TLS"),
        pytest.param("https://models.test:port/u", False, id="no port at all"),
    ],
)
def test_a_login_goes_to_the_registry_only(monkeypatch: pytest.MonkeyPatch, location: str, shown: bool) -> None:
    net = Net(challenge("https://auth.test/token"), TOKEN, at(location), (201, {}, b""))
    registry(monkeypatch, net).upload("late", BLOB, b"abc")
    assert [authorization is not None for *_, authorization in net.asked] == [False, True, True, shown]


def test_another_hosts_challenge_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(at("https://evil.test/u"), challenge("https://evil.test/token"))
    with pytest.raises(Told) as caught:
        registry(monkeypatch, net).upload("late", BLOB, b"abc")
    assert caught.value.reason == "ImagePushForbidden"
    assert [address for _, address, _ in net.asked] == [
        "https://models.test/v2/late/blobs/uploads/", "https://evil.test/u",
    ]  # fmt: skip


def test_a_login_is_not_sent_without_tls_unless_the_registry_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(challenge("http://auth.test/token"))
    with pytest.raises(Told, match="without TLS") as caught:
        registry(monkeypatch, net).has_blob("late", BLOB.digest)
    assert (caught.value.reason, len(net.asked)) == ("ImagePushForbidden", 1)
    net = Net(challenge("http://models.test:5000/token"), TOKEN, (200, {}, b""))
    assert registry(monkeypatch, net, "models.test:5000", insecure=True).has_blob("late", BLOB.digest)


def test_a_token_server_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(challenge("https://auth.test/token"), (307, {"Location": "http://evil.test/"}, b""))
    with pytest.raises(Told) as caught:
        registry(monkeypatch, net).has_blob("late", BLOB.digest)
    assert caught.value.reason == "ImagePushForbidden"
    assert net.options[1]["redirect"] is False
