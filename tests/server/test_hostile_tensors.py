"""Tensors that disagree with themselves or the model, in JSON and as binary data: refused with a sentence."""

from collections.abc import Iterator

import pytest

from .hostile.attack import Attack
from .hostile.honest import MIB
from .hostile.tensor_attacks import TENSOR_ATTACKS
from .model_directories import ModelDirectory
from .victim import Victim


@pytest.fixture(scope="module")
def victim(band: ModelDirectory) -> Iterator[Victim]:
    """A server that takes bodies of 8 MiB."""
    with Victim(band, max_body_bytes=str(8 * MIB)) as running:
        yield running


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in TENSOR_ATTACKS])
def test_attack(victim: Victim, attack: Attack) -> None:
    victim.withstands(attack)
