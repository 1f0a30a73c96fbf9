"""HTTP/1.1 attacks over sockets: the answer, that nothing hidden is executed, and the next honest request."""

from collections.abc import Iterator

import pytest

from .hostile.attack import Attack
from .hostile.framing_attacks import FRAMING_ATTACKS
from .hostile.head_attacks import HEAD_ATTACKS
from .hostile.honest import get
from .hostile.wire import exchange
from .model_directories import ModelDirectory
from .victim import Victim

ATTACKS = (*FRAMING_ATTACKS, *HEAD_ATTACKS)


@pytest.fixture(scope="module")
def victim(band: ModelDirectory) -> Iterator[Victim]:
    """A server with small bounds."""
    with Victim(band) as running:
        yield running


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in ATTACKS])
def test_attack(victim: Victim, attack: Attack) -> None:
    victim.withstands(attack)


@pytest.mark.parametrize("field", [b"expect: tea", b"content-length: 999999", b"transfer-encoding: gzip"])
def test_a_refused_head_request_is_answered_without_a_body(victim: Victim, field: bytes) -> None:
    received = exchange(victim.port, get(field).replace(b"GET", b"HEAD"))
    assert received.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501 "))
    assert received.endswith(b"\r\n\r\n")
    assert received.count(b"\r\n\r\n") == 1
    victim.honest()
