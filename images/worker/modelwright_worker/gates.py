"""Gates: bounds that the test split's metrics must keep, and champions that a new model must be better than."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelwright_contract.results import GateResult
from modelwright_contract.tasks import Gate, TrainTask
from modelwright_worker.comparison import Comparison, compare
from modelwright_worker.failures import Told
from modelwright_worker.metrics import Judged, NotApplicable, figure


def comparisons(task: TrainTask, challenger: Judged, champions: Mapping[str, Judged]) -> Mapping[str, Comparison]:
    """Each gate that holds the new model against a champion, by the gate's name. Raises Told: MetricNotApplicable."""
    found: dict[str, Comparison] = {}
    for gate in task.gates:
        if gate.against is None or gate.against.digest is None:
            continue
        champion, confidence = champions[gate.against.digest], float(gate.confidence)
        try:
            found[gate.name] = compare(
                task.task, gate.metric, champion, challenger, confidence=confidence, seed=task.seed
            )
        except NotApplicable as error:
            message = f'gate "{gate.name}": {gate.metric} can not be compared on the test split: {error}'
            raise Told("MetricNotApplicable", f"{message}: name another metric", retry=False) from error
    return found


def judge(
    gates: Sequence[Gate], metrics: Mapping[str, float], compared: Mapping[str, Comparison]
) -> tuple[GateResult, ...]:
    """Each gate with the figures it was judged by. Both bounds are inclusive; no champion yet lets pass."""
    return tuple(_judged(gate, metrics.get(gate.metric), compared.get(gate.name)) for gate in gates)


def _judged(gate: Gate, value: float | None, against: Comparison | None) -> GateResult:
    above = value is not None and (gate.min is None or value >= float(gate.min))
    below = value is not None and (gate.max is None or value <= float(gate.max))
    better = against is None or passes(against, gate.confidence)
    result = GateResult(
        name=gate.name,
        metric=gate.metric,
        value=None if value is None else figure(value),
        min=gate.min,
        max=gate.max,
        passed=above and below and better,
    )
    if against is None:
        return result
    return result.model_copy(
        update={
            "champion": figure(against.champion),
            "gain": figure(against.gain),
            "gain_at_least": None if against.gain_at_least is None else figure(against.gain_at_least),
            "p_value": figure(against.p_value),
        }
    )


def passes(compared: Comparison, confidence: str) -> bool:
    """Whether the new model is better, with this confidence: one that is no better passes at most in the rest."""
    return compared.p_value <= 1 - float(confidence) + 1e-12
