"""Making a report fit the termination message: the full result has what is cut, and gates are cut last."""

from __future__ import annotations

from modelwright_contract.results import (
    MAX_SUMMARY_BYTES,
    Failure,
    IngestSummary,
    Metrics,
    PackageSummary,
    ScoreSummary,
    Signature,
    Summary,
    TrainSummary,
)
from modelwright_worker.failures import shortened


def within_bounds(report: Summary | Failure) -> str:
    """The report's JSON in at most MAX_SUMMARY_BYTES."""
    text = report.to_json()
    while len(text.encode()) > MAX_SUMMARY_BYTES:
        smaller = _smaller(report)
        if smaller == report:
            raise ValueError(f"a {type(report).__name__} of {len(text.encode())} bytes can't be made smaller")
        report, text = smaller, smaller.to_json()
    return text


def _smaller(report: Summary | Failure) -> Summary | Failure:
    match report:
        case Failure():
            update = {"message": shortened(report.message, max(100, len(report.message) // 2)), "violations": None}
            return report.model_copy(update=update)
        case TrainSummary():
            return _with_fewer_metrics(report)
        case PackageSummary():
            inputs, omitted = report.signature.inputs, report.signature.omitted or 0
            kept = inputs[: len(inputs) * 3 // 4]
            omitted += len(inputs) - len(kept)
            signature = Signature(inputs=kept, outputs=report.signature.outputs, omitted=omitted)
            return report.model_copy(update={"signature": signature})
        case ScoreSummary():
            return report
        case IngestSummary():
            violations = report.violations.model_copy(update={"first": report.violations.first[:-1]})
            return report.model_copy(update={"violations": violations})


def _with_fewer_metrics(report: TrainSummary) -> TrainSummary:
    gated = {gate.metric for gate in report.gates}
    for label in ("validation", "test"):
        values: dict[str, str] = getattr(report.metrics, label)
        dropped = next((name for name in reversed(values) if name not in gated or label == "validation"), None)
        if dropped is not None:
            kept = {name: value for name, value in values.items() if name != dropped}
            metrics: Metrics = report.metrics.model_copy(update={label: kept})
            return report.model_copy(update={"metrics": metrics})
    bare = tuple(gate.model_copy(update={"gain": None, "gain_at_least": None}) for gate in report.gates)
    if bare != report.gates:
        return report.model_copy(update={"gates": bare})
    # What failed is told as long as anything is.
    last = next((gate for gate in reversed(report.gates) if gate.passed), report.gates[-1])
    return report.model_copy(update={"gates": tuple(gate for gate in report.gates if gate is not last)})
