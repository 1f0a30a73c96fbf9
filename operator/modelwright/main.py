"""Starts the operator: settings, configuration, health, Lease, kopf; and stops it in the opposite order."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Sequence

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


def main(arguments: Sequence[str] | None = None) -> None:
    """The command `modelwright-operator`; exits with 1 where it cannot run or has lost the Lease."""
    settings = parse(sys.argv[1:] if arguments is None else arguments)
    logs.configure(human=settings.dev)
    try:
        loaded = config.load(settings.config)
    except (OSError, ValidationError, yaml.YAMLError) as error:
        sys.exit(f"{settings.config}: {explain(error)}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(serve(settings, loaded)))


async def serve(settings: Settings, loaded: config.Config) -> int:
    """Runs until a signal, or until the Lease is lost; returns the exit code."""
    stop, lost = asyncio.Event(), asyncio.Event()
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
                await _lead(house, lease, stop, lost)
        finally:
            await health.stop()
    return 1 if lost.is_set() else 0


async def _lead(house: House, lease: Lease, stop: asyncio.Event, lost: asyncio.Event) -> None:
    if not await _before(stop, lease.acquire()):
        return

    def give_up() -> None:
        lost.set()
        stop.set()

    keeper = asyncio.create_task(lease.keep(give_up))
    try:
        await _operate(house, stop)
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
        if not lost.is_set():
            await lease.release()


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
