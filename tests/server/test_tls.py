"""TLS and bearer tokens out of folders that change while the server runs."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from modelwright_server.tls import Certificate, CertificateUnusable, Protocol
from modelwright_server.tokens import Tokens, TokensUnusable

from .certificates import write_certificate
from .model_directories import ModelDirectory
from .processes import TIMEOUT_S, Server, eventually

PREDICT = "/v2/models/model/predict"
GOOD, OTHER = "s3cret-Token_1~/+==", "another"


def common_name(port: int, trusted: Path, *, host: str | None = None) -> str:
    """The common name in the certificate of a new connection; `host` is sent as server name if there is one."""
    context = ssl.create_default_context(cafile=str(trusted))
    context.check_hostname = False
    raw = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
    with raw, context.wrap_socket(raw, server_hostname=host) as connection:
        certificate = connection.getpeercert()
        assert certificate is not None
        return str(dict(part[0] for part in certificate["subject"])["commonName"])  # type: ignore[misc]


def replace_secret(folder: Path, content: Path) -> None:
    """Change a folder as the kubelet changes a mounted Secret: a link to the whole content is renamed."""
    link = folder / "..data_tmp"
    link.symlink_to(content)
    link.rename(folder / "..data")
    for path in content.iterdir():
        if not (folder / path.name).is_symlink():
            (folder / path.name).symlink_to(Path("..data") / path.name)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with the certificates `first`, `second`, and `broken`, which has the one and the other's key."""
    folder = tmp_path_factory.mktemp("secrets")
    write_certificate(folder / "first", "first")
    write_certificate(folder / "second", "second")
    shutil.copytree(folder / "first", folder / "broken")
    shutil.copy(folder / "second" / "tls.key", folder / "broken" / "tls.key")
    write_certificate(folder / "locked", "locked", password="abcd")
    return folder


def test_a_certificate_is_reloaded_and_a_broken_one_is_not(late: ModelDirectory, secrets: Path, tmp_path: Path) -> None:
    tls, tokens = tmp_path / "tls", tmp_path / "tokens"
    tls.mkdir()
    tokens.mkdir()
    replace_secret(tls, secrets / "first")
    (tokens / "mine").write_text(GOOD + "\n")
    with Server(late.path, scheme="https", tls_dir=str(tls), tokens_dir=str(tokens)) as server:
        first, second = (str(secrets / name / "tls.crt") for name in ("first", "second"))
        server.session.headers["authorization"] = f"Bearer {GOOD}"
        assert server.post(PREDICT, late.rows[:1], verify=first).status_code == 200

        # Management is plain and open to all, and so is health.
        server.session.headers.clear()
        assert server.managed("/v2/health/ready").status_code == 200
        assert server.managed("/metrics").status_code == 200
        assert server.get("/v2/health/live", verify=first).status_code == 200
        refused = server.post(PREDICT, late.rows[:1], verify=first)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert server.get("/v2/models/model", verify=first).status_code == 401

        replace_secret(tls, secrets / "broken")
        (tokens / "mine").unlink()
        (tokens / "yours").write_text(OTHER)
        assert "don't fit together" in str(server.wait_for("kept what was there before")["reason"])
        assert common_name(server.port, Path(first), host="localhost") == "first"
        headers = {"authorization": f"bearer {OTHER}"}
        eventually(lambda: server.post(PREDICT, late.rows[:1], headers=headers, verify=first).status_code == 200)
        headers = {"authorization": f"Bearer {GOOD}"}
        assert server.post(PREDICT, late.rows[:1], headers=headers, verify=first).status_code == 401

        replace_secret(tls, secrets / "second")
        trusted = tmp_path / "both"
        trusted.write_bytes(Path(first).read_bytes() + Path(second).read_bytes())
        eventually(lambda: common_name(server.port, trusted) == "second")
        assert common_name(server.port, trusted, host="localhost") == "second"
        assert requests.get(server.url + "/v2/health/ready", verify=second, timeout=TIMEOUT_S).status_code == 200


@pytest.fixture(scope="module")
def encrypted(late: ModelDirectory, secrets: Path) -> Iterator[Server]:
    """A server with TLS and little patience."""
    tls = str(secrets / "first")
    with Server(late.path, scheme="https", tls_dir=tls, head_timeout_seconds="0.5", grpc_port="0") as running:
        yield running


def wrapped(server: Server, secrets: Path) -> ssl.SSLSocket:
    """A connection of HTTP in TLS."""
    context = ssl.create_default_context(cafile=str(secrets / "first" / "tls.crt"))
    context.check_hostname = False
    return context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S))


@pytest.mark.parametrize(
    "sent", [pytest.param(b"", id="silent"), pytest.param(b"\x16\x03\x01\x02\x00\x01", id="begun")]
)
def test_a_handshake_must_come_as_soon_as_a_head(encrypted: Server, sent: bytes) -> None:
    for port in (encrypted.port, encrypted.grpc_port):
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
            connection.sendall(sent)
            connection.settimeout(5)
            assert connection.recv(1) == b""


def test_a_client_that_leaves_before_its_answers_is_no_line_of_the_log(encrypted: Server, secrets: Path) -> None:
    lines = len(encrypted.log)
    for _ in range(3):
        with wrapped(encrypted, secrets) as connection:
            connection.sendall(b"GET /v2 HTTP/1.1\r\nhost: a\r\n\r\n" * 50)
            with contextlib.suppress(OSError):
                connection.unwrap()
    eventually(lambda: encrypted.series("connections") == 0)
    assert encrypted.log[lines:] == []


def test_an_idle_client_does_not_hold_up_the_end(late: ModelDirectory, secrets: Path) -> None:
    with Server(late.path, scheme="https", tls_dir=str(secrets / "first")) as server, wrapped(server, secrets) as idle:
        idle.sendall(b"GET /v2 HTTP/1.1\r\nhost: a\r\n\r\n")
        assert idle.recv(1024).startswith(b"HTTP/1.1 200 ")
        server.terminate()
        # Far less than the grace period.
        assert server.process.wait(10) == 0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param("broken", "don't fit together", id="another certificate's key"),
        pytest.param("locked", "don't fit together", id="a key with a password"),
        pytest.param("absent", "can't be read: No such file", id="no folder"),
    ],
)
def test_unusable_certificates(secrets: Path, name: str, sentence: str) -> None:
    with pytest.raises(CertificateUnusable, match=sentence):
        Certificate(secrets / name)


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_old_versions_of_tls_are_not_spoken(secrets: Path, protocol: Protocol) -> None:
    assert Certificate(secrets / "first").context(protocol).minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_certificate_without_its_key(secrets: Path, tmp_path: Path) -> None:
    shutil.copy(secrets / "first" / "tls.crt", tmp_path)
    with pytest.raises(CertificateUnusable, match=r"tls\.key can't be read: No such file"):
        Certificate(tmp_path)


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    """Two tokens."""
    (tmp_path / "one").write_text(GOOD + "\n")
    (tmp_path / "two").write_text(OTHER)
    (tmp_path / ".hidden").write_text("hidden")
    return Tokens(tmp_path)


@pytest.mark.parametrize(
    ("header", "admitted"),
    [
        pytest.param(f"Bearer {GOOD}", True, id="the first"),
        pytest.param(f"Bearer {OTHER}", True, id="the second"),
        pytest.param(f"bEARER   {OTHER}  ", True, id="the scheme in any case, and spaces"),
        pytest.param(None, False, id="no header"),
        pytest.param("", False, id="empty"),
        pytest.param("Bearer", False, id="no token"),
        pytest.param("Bearer ", False, id="an empty token"),
        pytest.param(f"Basic {OTHER}", False, id="another scheme"),
        pytest.param(OTHER, False, id="no scheme"),
        pytest.param(f"Bearer {OTHER}x", False, id="too long"),
        pytest.param(f"Bearer {OTHER[:-1]}", False, id="too short"),
        pytest.param("Bearer hidden", False, id="a file that does not count"),
        pytest.param("Bearer \xff\xfe", False, id="no ASCII"),
    ],
)
def test_tokens(tokens: Tokens, header: str | None, admitted: bool) -> None:
    assert tokens.admits(None if header is None else header.encode("latin-1")) is admitted


def test_tokens_that_changed(tokens: Tokens, tmp_path: Path) -> None:
    assert not tokens.refresh()
    (tmp_path / "two").unlink()
    (tmp_path / "three").write_text("third")
    assert tokens.refresh()
    assert [tokens.admits(b"Bearer " + text) for text in (GOOD.encode(), OTHER.encode(), b"third")] == [
        True,
        False,
        True,
    ]
    (tmp_path / "four").write_text("two words")
    with pytest.raises(TokensUnusable, match="four holds no bearer token"):
        tokens.refresh()
    assert tokens.admits(b"Bearer third")
    # What was refused once is not told again until it changes.
    assert not tokens.refresh()
    for name in ("one", "three", "four"):
        (tmp_path / name).unlink()
    assert tokens.refresh()
    assert not tokens.admits(b"Bearer third")


def test_no_tokens(tmp_path: Path) -> None:
    with pytest.raises(TokensUnusable, match="has no token"):
        Tokens(tmp_path)
    with pytest.raises(TokensUnusable, match="can't be read: No such file"):
        Tokens(tmp_path / "absent")
