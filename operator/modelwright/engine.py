"""One pass over one object: snapshot → reconcile → apply → status. It decides nothing itself."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import assert_never

from modelwright import conditions, logs, metrics
from modelwright.cache import Cache, Entry
from modelwright.kinds import Kind, Subject, Unreadable
from modelwright.plan import Plan
from modelwright.queue import Done, Gone, Outcome, Retry
from modelwright.resources import Key
from modelwright.writer import Leaving, Outdated, Refused, Waits, Writer

logger = logging.getLogger(__name__)


class Engine:
    """`process` is what the work queue runs; `clock` gives the time that reconcilers see."""

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        cache: Cache,
        writer: Writer,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._kinds = kinds
        self._cache = cache
        self._writer = writer
        self._clock = clock

    async def process(self, key: Key) -> Outcome:
        """Brings the cluster one step closer to what the object asks for. Raises ApiError for a later try."""
        entry = self._cache.get(key)
        if entry is None:
            return Gone()
        if "deletionTimestamp" in entry.obj["metadata"]:
            return Done()
        with metrics.RECONCILE.labels(key.kind).time():
            try:
                return await self._pass(key, entry)
            except Leaving:
                return Done()
            except Outdated:
                return Retry()

    async def _pass(self, key: Key, entry: Entry) -> Outcome:
        now = self._clock()
        plan, failed = self._decide(key, entry, now)
        hindrance = await self._carry_out(plan)
        for touch in plan.touches if hindrance is None else ():
            await self._writer.touch(touch)
        match hindrance:
            case Refused(reason=reason, message=message):
                logs.of(logger, key).warning("%s", hindrance)
                plan = _stalled(entry, plan, reason, message, now)
            case Waits():
                logs.of(logger, key).info("%s", hindrance)
        for event in plan.events:
            await self._writer.post(entry.obj, event)
        retry = failed or hindrance is not None
        await self._writer.status(self._kinds[key.kind].type, entry.obj, entry.version, plan.status, again=not retry)
        if retry:
            return Retry()
        return Done(None if plan.requeue_after is None else max(0.0, plan.requeue_after.total_seconds()))

    async def _carry_out(self, plan: Plan) -> Refused | Waits | None:
        """Deletes, then makes; what is refused, or must wait, does not keep the others from being made.

        Returns the first refusal or, where there is none, whether something waits.
        """
        refused: list[Refused] = []
        waiting: list[Waits] = []
        for write in (
            *(partial(self._writer.delete, ref) for ref in plan.deletions),
            *(partial(self._writer.make, child) for child in plan.children),
        ):
            try:
                await write()
            except Refused as error:
                refused.append(error)
            except Waits as error:
                waiting.append(error)
        if refused:
            return refused[0]
        return waiting[0] if waiting else None

    def _decide(self, key: Key, entry: Entry, now: datetime) -> tuple[Plan, bool]:
        """The reconciler's plan, or one that only says why there is none; and whether a reconciler failed."""
        match entry.subject:
            case Unreadable(message):
                status, events = conditions.invalid(dict(entry.obj), message, now)
                return Plan(status, events=events), False
            case Subject() as subject:
                config = self._cache.configuration(key.namespace)
                if isinstance(config, Unreadable):
                    return _stalled(entry, _as_it_was(entry), "InvalidConfiguration", config.message, now), False
                try:
                    return subject.decide(self._cache.view(subject, config), now), False
                except Exception as error:  # noqa: BLE001 - whatever a reconciler raises is said in its object's status
                    metrics.ERRORS.labels(key.kind).inc()
                    logs.of(logger, key).exception("the reconciler failed")
                    message = f"{type(error).__name__}: {error}"
                    return _stalled(entry, _as_it_was(entry), "InternalError", message, now), True
            case never:
                assert_never(never)


def _as_it_was(entry: Entry) -> Plan:
    status = dict(entry.obj).get("status")
    generation = entry.obj["metadata"].get("generation", 0)
    return Plan({**(status if isinstance(status, dict) else {}), "observedGeneration": generation})


def _stalled(entry: Entry, plan: Plan, reason: str, message: str, now: datetime) -> Plan:
    """The plan's status, turned to Stalled; what it wanted to say is no longer true."""
    if isinstance(entry.subject, Unreadable):
        return plan
    resource = entry.subject.resource
    before, generation = resource.status.conditions, resource.metadata.generation
    status, events = conditions.stalled_by_write(plan.status, before, generation, reason, message, now)
    return Plan(status, events=events)
