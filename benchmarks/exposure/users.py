"""Users at a constant rate, who keep their connections, ask nothing twice, and wait for so long and no longer."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from modelwright.analysis.verdict import Side

OK = 200


@dataclass(frozen=True)
class Asked:
    """One request: when it was due (`time.monotonic()`), to which side it went, how long it took, what went wrong."""

    due_at: float
    canary: bool
    seconds: float
    failure: str


@dataclass
class Users:
    """They ask `stable`, or by `weight` the `canary`, until `ended` is set; `asked` is all that came of it.

    A share for each request by itself is what an HTTPRoute's weights are. `slow_s` is from where on one counts as slow.
    """

    stable: str
    canary: str
    body: bytes
    rate_per_s: float
    patience_s: float
    source: random.Random
    weight: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Asks until it is told to end, and returns when all answers are there."""
        pending: set[asyncio.Task[None]] = set()
        due_at = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=self.patience_s)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
            while not self.ended.is_set():
                await asyncio.sleep(max(0.0, due_at - time.monotonic()))
                to_canary = self.source.random() < self.weight
                task = asyncio.create_task(self._ask(session, due_at, to_canary=to_canary))
                pending.add(task)
                task.add_done_callback(pending.discard)
                due_at += 1 / self.rate_per_s
            await asyncio.gather(*pending)

    async def _ask(self, session: aiohttp.ClientSession, due_at: float, *, to_canary: bool) -> None:
        address, headers = self.canary if to_canary else self.stable, {"content-type": "application/json"}
        try:
            async with session.post(address, data=self.body, headers=headers) as answer:
                await answer.read()
                failure = "" if answer.status == OK else str(answer.status)
        except TimeoutError:
            failure = "no answer"
        except aiohttp.ClientError as error:
            failure = type(error).__name__
        self.asked.append(Asked(due_at, to_canary, time.monotonic() - due_at, failure))

    def sides(self, since: float, slow_s: float) -> tuple[Side, Side]:
        """What canary and stable did for requests that were due since then: what a proxy before both would count."""
        recent = [one for one in self.asked if one.due_at >= since]
        return _side([one for one in recent if one.canary], slow_s), _side(
            [one for one in recent if not one.canary], slow_s
        )


def _side(asked: Sequence[Asked], slow_s: float) -> Side:
    errors = sum(bool(one.failure) for one in asked)
    return Side(len(asked), errors, sum(one.seconds > slow_s for one in asked))
