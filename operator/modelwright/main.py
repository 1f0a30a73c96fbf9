"""Starts the operator: settings, configuration, health, Lease, kopf; and stops it in the opposite order."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Final

import kopf
import uvloop
import yaml
from pydantic import ValidationError

from modelwright import access, config, logs, watch
from modelwright.health import HealthServer
from modelwright.house import House
from modelwright.kinds import all_kinds, explain
from modelwright.kube import KubeClient
from modelwright.lease import Lease
from modelwright.settings import Settings, parse

logger = logging.getLogger(__name__)

RECURSION_LIMIT: Final = 40_000
"""The API server stores JSON of up to 10,000 levels, and kopf's decoder takes one call for each; comparing two of them
takes some more. The default of 1000 would let one object, in one namespace, end the watches of all.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command `modelwright-operator`; exits with 1 where it cannot run or has lost the Lease."""
    settings = parse(sys.argv[1:] if arguments is None else arguments)
    logs.configure(human=settings.dev)
    sys.setrecursionlimit(RECURSION_LIMIT)
    try:
        loaded = config.load(settings.config)
    except (OSError, ValidationError, yaml.YAMLError) as error:
        sys.exit(f"{settings.config}: {explain(error)}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, loaded))


async def serve(settings: Settings, loaded: config.Config) -> None:
    """Runs until a signal. Where the Lease is lost, the process ends then and there, with exit code 1."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    async with KubeClient(access.discover()) as kube:
        house = House(kube, all_kinds(), loaded, settings)
        lease = Lease(kube, settings.namespace, settings.identity)
        # A standby is as ready as it can be, or a rollout of several replicas would never end.
        health = HealthServer(settings.port, house.alive, lambda: house.ready() or lease.standby())
        await health.start()
        try:
            if not settings.leader_elect:
                await _operate(house, stop)
            else:
                await _lead(house, lease, stop)
        finally:
            await health.stop()


async def _lead(house: House, lease: Lease, stop: asyncio.Event) -> None:
    if not await _before(stop, lease.acquire()):
        return
    keeper = asyncio.create_task(lease.keep(_exit_at_once))
    try:
        await _operate(house, stop)
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
        await lease.release()


def _exit_at_once() -> None:
    """Another replica may lead any moment: no pass may write once more, and an orderly end would let some."""
    logging.shutdown()
    os._exit(1)


async def _operate(house: House, stop: asyncio.Event) -> None:
    namespaces = house.settings.namespaces
    # kopf would else name itself after its user, who in a container has a number and no name.
    os.environ.setdefault("POD_ID", house.settings.identity)
    await kopf.operator(
        registry=watch.registry(house, stop.set),
        settings=kopf.OperatorSettings(),
        clusterwide=not namespaces,
        namespaces=namespaces,
        standalone=True,
        stop_flag=stop,
    )


async def _before(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Whether the work was done before it was time to stop; if not, it is cancelled."""
    stopping, working = asyncio.create_task(stop.wait()), asyncio.create_task(work)
    await asyncio.wait((stopping, working), return_when=asyncio.FIRST_COMPLETED)
    done = working.done()
    if done:
        working.result()
    for task in (stopping, working):
        task.cancel()
    await asyncio.gather(stopping, working, return_exceptions=True)
    return done
