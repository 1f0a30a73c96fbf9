"""Thousands of hostile connections: after each burst the same processes answer an honest request rightly, and soon.

MODELWRIGHT_TEST_FULL=1 makes it 20,000.
"""

import os
import random
from collections.abc import Iterator

import pytest

from .hostile.bursts import burst, stream_of
from .hostile.honest import MIB
from .model_directories import ModelDirectory
from .victim import Victim

AT_ONCE = 50
BURSTS = 400 if os.environ.get("MODELWRIGHT_TEST_FULL") else 40


@pytest.fixture(scope="module")
def victim(band: ModelDirectory) -> Iterator[Victim]:
    """A server of two processes with small bounds."""
    with Victim(band, processes="2") as running:
        yield running


@pytest.mark.timeout(1800)
def test_bursts(victim: Victim) -> None:
    memory: list[int] = []
    for number in range(BURSTS):
        rng = random.Random(number)
        # The kubelet's port is attacked too.
        port = victim.server.management_port if number % 5 == 4 else victim.port
        burst(port, [stream_of(rng) for _ in range(AT_ONCE)], rng)
        victim.honest()
        assert victim.server.managed("/v2/health/ready").ok
        victim.alive()
        memory.append(victim.memory_bytes())
    # The first bursts fill what is filled once: caches, buffers, the allocator's arenas.
    assert memory[-1] - memory[BURSTS // 4] < 16 * MIB, memory
