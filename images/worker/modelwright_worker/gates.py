"""Gates: bounds that the test split's metrics must keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelwright_contract.results import GateResult
from modelwright_contract.tasks import Gate
from modelwright_worker.metrics import figure


def judge(gates: Sequence[Gate], metrics: Mapping[str, float]) -> tuple[GateResult, ...]:
    """Each gate with the value it was judged by; both bounds are inclusive."""
    return tuple(_judged(gate, metrics.get(gate.metric)) for gate in gates)


def _judged(gate: Gate, value: float | None) -> GateResult:
    above = value is not None and (gate.min is None or value >= float(gate.min))
    below = value is not None and (gate.max is None or value <= float(gate.max))
    return GateResult(
        name=gate.name,
        metric=gate.metric,
        value=None if value is None else figure(value),
        min=gate.min,
        max=gate.max,
        passed=above and below,
    )
