"""From what servers counted of features and answers since they began to closed windows of time, over all servers.

A reading adds what each server counted since the one before to the window in which it took place. So windows begin and
end by at most the time between two readings late, what a Pod counted before it was first read is in none, and what one
that went counted since it was last read neither: a comparison of shares misses nothing by it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from modelwright.live import WINDOWS, FeatureWindow
from modelwright.live_document import LiveDocument

Columns = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Tally:
    """What one server counted since its container began, in the bins of the profile with this digest."""

    version: str
    profile: str
    rows: int
    features: Columns
    outputs: Columns

    @classmethod
    def of(cls, document: LiveDocument) -> Tally | None:
        """As the server tells it; None for a model without a profile."""
        totals = document.totals
        if not document.profile:
            return None
        return cls(document.model_version, document.profile, totals.profiled_rows, totals.features, totals.outputs)

    def since(self, before: Tally) -> Tally | None:
        """What came since `before`. Counters that fell are another container's, which counts from zero.

        None where `before` is of other bins.
        """
        if (self.version, self.profile) != (before.version, before.profile) or _shape(self) != _shape(before):
            return None
        features, outputs = _minus(self.features, before.features), _minus(self.outputs, before.outputs)
        grown = replace(self, rows=self.rows - before.rows, features=features, outputs=outputs)
        return grown if grown.rows >= 0 and _least(features) >= 0 and _least(outputs) >= 0 else self


@dataclass(frozen=True, slots=True)
class FeatureWindows:
    """Windows of `seconds`, of which the one with this `number` is open; `seen` is what each Pod, by UID, said last."""

    seconds: float = 0.0
    number: int = 0
    seen: Mapping[str, Tally] = field(default_factory=dict)
    open: tuple[FeatureWindow, ...] = ()
    closed: tuple[FeatureWindow, ...] = ()

    def after(self, seconds: float, at: datetime, said: Mapping[str, Tally], asked: Collection[str]) -> FeatureWindows:
        """These once, of the Pods that were `asked` at this time, some said this. Another length begins anew."""
        if seconds != self.seconds:
            return FeatureWindows(seconds, _number(at, seconds), said)
        seen = {**{uid: tally for uid, tally in self.seen.items() if uid in asked}, **said}
        versions = {tally.version for tally in seen.values()}
        number, closed = _number(at, seconds), [one for one in self.closed if one.version in versions]
        opened = {(one.version, one.profile): one for one in self.open}
        if number != self.number:
            closed += [one for one in self.open if one.version in versions]
            opened = {}
        for uid, tally in said.items():
            new = tally.since(self.seen[uid]) if uid in self.seen else None
            if new is not None:
                empty = _empty(new, datetime.fromtimestamp(number * seconds, UTC), seconds)
                window = opened.setdefault((new.version, new.profile), empty)
                if _shape(window) == _shape(new):
                    opened[new.version, new.profile] = _with(window, new)
        return FeatureWindows(seconds, number, seen, tuple(opened.values()), _last(closed))

    def profiles(self) -> frozenset[str]:
        """Digests of the profiles by whose bins is counted."""
        counted: tuple[Tally | FeatureWindow, ...] = (*self.seen.values(), *self.open, *self.closed)
        return frozenset(one.profile for one in counted)


def _empty(like: Tally, start: datetime, seconds: float) -> FeatureWindow:
    features, outputs = _minus(like.features, like.features), _minus(like.outputs, like.outputs)
    return FeatureWindow(like.version, like.profile, start, seconds, 0, features, outputs)


def _with(window: FeatureWindow, new: Tally) -> FeatureWindow:
    features, outputs = _plus(window.features, new.features), _plus(window.outputs, new.outputs)
    return replace(window, rows=window.rows + new.rows, features=features, outputs=outputs)


def _last(closed: list[FeatureWindow]) -> tuple[FeatureWindow, ...]:
    """Of each version the last few."""
    kept: list[FeatureWindow] = []
    for window in reversed(closed):
        if sum(one.version == window.version for one in kept) < WINDOWS:
            kept.append(window)
    return tuple(reversed(kept))


def _number(at: datetime, seconds: float) -> int:
    return int(at.timestamp() // seconds)


def _shape(counted: Tally | FeatureWindow) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Columns and how many bins each has."""
    features, outputs = counted.features, counted.outputs
    return {name: len(bins) for name, bins in features.items()}, {name: len(bins) for name, bins in outputs.items()}


def _minus(columns: Columns, before: Columns) -> Columns:
    return {name: tuple(map(int.__sub__, bins, before[name])) for name, bins in columns.items()}


def _plus(columns: Columns, more: Columns) -> Columns:
    return {name: tuple(map(int.__add__, bins, more[name])) for name, bins in columns.items()}


def _least(columns: Columns) -> int:
    return min((count for counts in columns.values() for count in counts), default=0)
