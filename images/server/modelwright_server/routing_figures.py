"""What the worker processes of a Pod have counted of canary and stable together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from modelwright_server.board import ROUTING_SIZE, SIDE_SIZE, Field, Slot
from modelwright_server.routing_counts import CANARY_AT, LATENCY_AT, STABLE_AT, Count, SideCount


@dataclass(frozen=True, slots=True)
class RoutingFigures:
    """All processes apply `generation` or a later one; `newest` is the latest that any applies.

    `counts` are those under `newest`, also of processes that have ended; `totals` are since the Pod began.
    """

    generation: int
    newest: int
    counts: Sequence[float]
    totals: Sequence[float]


def routing_figures(present: Sequence[Slot], slots: Sequence[Slot]) -> RoutingFigures:
    """`present` are the slots of the processes that answer, and `slots` those of all that ever did."""
    applied = [max(0, int(slot.get(Field.GENERATION))) for slot in present] or [0]
    newest = max(applied)
    counted = [slot for slot in slots if slot.get(Field.GENERATION) == newest]
    begun = [[-before for before in slot.routing_before()] for slot in counted]
    return RoutingFigures(
        generation=min(applied),
        newest=newest,
        counts=_sum([*(slot.routing() for slot in counted), *begun]),
        totals=_sum([slot.routing() for slot in slots]),
    )


def routing_document(figures: RoutingFigures) -> dict[str, object]:
    """The routing's part of the answer to GET /live."""
    counts = figures.counts
    return {
        "generation": figures.generation,
        "newest": figures.newest,
        "breaker_opened": int(counts[Count.BREAKER_OPENED]),
        "unreachable": int(counts[Count.UNREACHABLE]),
        "canary": _side(counts[CANARY_AT : CANARY_AT + SIDE_SIZE]),
        "stable": _side(counts[STABLE_AT : STABLE_AT + SIDE_SIZE]),
        "compared": int(counts[Count.COMPARED]),
        "agreed": int(counts[Count.AGREED]),
    }


def _side(counts: Sequence[float]) -> dict[str, object]:
    return {
        "requests": int(counts[SideCount.REQUESTS]),
        "errors": int(counts[SideCount.ERRORS]),
        "slow": int(counts[SideCount.SLOW]),
        # A difference of two sums may lie below 0 by its last bits.
        "seconds": max(0.0, round(counts[SideCount.SECONDS], 9)),
        "latency": [[bucket, int(number)] for bucket, number in enumerate(counts[LATENCY_AT:]) if number],
    }


def _sum(parts: Sequence[Sequence[float]]) -> Sequence[float]:
    return [math.fsum(values) for values in zip(*parts, strict=True)] if parts else [0.0] * ROUTING_SIZE
