"""The only place that writes conditions, and the rules that they keep (the vocabulary of kstatus).

- `Ready` is always there.
- `Reconciling` is there, and True, only while the spec is not fulfilled and work goes on by itself.
- `Stalled` is there, and True, only when a person must act; never together with `Reconciling`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import TypeAdapter

from modelwright.api.v1alpha1 import Condition
from modelwright.plan import Event, JsonObject
from modelwright.reasons import outlook

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"

REFUSALS = frozenset({"NameTaken", "Forbidden", "Invalid"})
"""Why the API server would not take a child, as the engine tells it."""

MESSAGE_LENGTH = 1024


class Report:
    """What one pass has to say of one object: nothing at first, `conditions()` and `events()` in the end.

    `before` are the conditions that the object has; `generation` is the one that this pass has seen.
    """

    def __init__(self, before: Sequence[Condition], generation: int, now: datetime) -> None:
        self._before = {condition.type: condition for condition in before}
        self._generation = generation
        self._now = timestamp(now)
        self._said: dict[str, Condition] = {}
        self._told: set[str] = set()

    def ready(self, reason: str, message: str) -> None:
        """The spec is fulfilled."""
        self._outcome(True, reason, message)

    def reconciling(self, reason: str, message: str) -> None:
        """Not fulfilled; goes on by itself."""
        self._outcome(False, reason, message)
        self._say(RECONCILING, True, reason, message)

    def stalled(self, reason: str, message: str) -> None:
        """Not fulfilled; a person must act."""
        self._outcome(False, reason, message)
        self._say(STALLED, True, reason, message)

    def paused(self, reason: str, message: str) -> None:
        """Not fulfilled, because the user wants it so."""
        self._outcome(False, reason, message)

    def mark(self, type_: str, holds: bool, reason: str, message: str, *, tell: bool = False) -> None:
        """A condition of the kind's own; `tell` makes an Event of whatever changes in it."""
        self._say(type_, holds, reason, message)
        if tell:
            self._told.add(type_)

    def conditions(self) -> tuple[Condition, ...]:
        """All conditions, `Ready` first, then by name; times move only where the status moved."""
        if READY not in self._said:
            raise AssertionError("a reconciler must say whether its object is Ready")
        return tuple(sorted(self._said.values(), key=lambda c: (c.type != READY, c.type)))

    def events(self) -> tuple[Event, ...]:
        """One Event where the reason of `Ready` changed, and one for each change of what was marked to be told."""
        ready, before = self._said[READY], self._before.get(READY)
        found: list[Event] = []
        if before is None or (before.status, before.reason) != (ready.status, ready.reason):
            found.append(_event(ready, STALLED in self._said))
        for type_ in sorted(self._told):
            now, before = self._said[type_], self._before.get(type_)
            if before is None or (before.status, before.reason, before.message) != (
                now.status,
                now.reason,
                now.message,
            ):
                found.append(_event(now))
        return tuple(found)

    def _outcome(self, holds: bool, reason: str, message: str) -> None:
        self._said.pop(RECONCILING, None)
        self._said.pop(STALLED, None)
        self._say(READY, holds, reason, message)

    def _say(self, type_: str, holds: bool, reason: str, message: str) -> None:
        status: Literal["True", "False"] = "True" if holds else "False"
        before = self._before.get(type_)
        moved = before is None or before.status != status
        self._said[type_] = Condition(
            type=type_,
            status=status,
            reason=reason,
            message=_worded(message) or reason,
            last_transition_time=self._now if before is None or moved else before.last_transition_time,
            observed_generation=self._generation,
        )


def _event(condition: Condition, stalled: bool = False) -> Event:
    acts = stalled or outlook(condition.reason) == "act"
    return Event("Warning" if acts else "Normal", condition.reason, condition.message)


def _worded(message: str) -> str:
    """A message as conditions carry it: bounded, and without the full stop of whoever is quoted."""
    words = message.strip().rstrip(".")
    return words if len(words) <= MESSAGE_LENGTH else words[: MESSAGE_LENGTH - 1] + "…"


def stalled_by_write(
    status: JsonObject, before: Sequence[Condition], generation: int, reason: str, message: str, now: datetime
) -> tuple[JsonObject, tuple[Event, ...]]:
    """The status that a reconciler decided on, turned to Stalled because the API server refused a child's write."""
    decided = TypeAdapter(tuple[Condition, ...]).validate_python(status.get("conditions", ()))
    report = Report(before, generation, now)
    for condition in decided:
        if condition.type not in (READY, RECONCILING, STALLED):
            report.mark(condition.type, condition.status == "True", condition.reason, condition.message)
    report.stalled(reason, message)
    return {**status, "conditions": dump(report.conditions())}, report.events()


def invalid(obj: Mapping[str, object], message: str, now: datetime) -> tuple[JsonObject, tuple[Event, ...]]:
    """The status of an object that cannot be read: an older or newer schema let through what this one refuses."""
    status = obj.get("status")
    metadata = obj.get("metadata")
    old: JsonObject = dict(status) if isinstance(status, dict) else {}
    generation = metadata.get("generation", 0) if isinstance(metadata, dict) else 0
    before = TypeAdapter(tuple[Condition, ...]).validate_python(old.get("conditions", ()))
    decided = {**old, "observedGeneration": generation}
    return stalled_by_write(decided, before, generation, "InvalidSpec", message, now)


def dump(conditions: Iterable[Condition]) -> list[JsonObject]:
    """Conditions as JSON."""
    return [condition.model_dump(mode="json", by_alias=True, exclude_none=True) for condition in conditions]


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second, as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The inverse of `timestamp`."""
    return datetime.fromisoformat(text)
