"""Making a report fit the termination message: the full result has what is cut, and gates are cut last."""

from __future__ import annotations

from modelwright_contract.results import (
    MAX_SUMMARY_BYTES,
    Failure,
    Metrics,
    PackageSummary,
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
            kept = report.signature.inputs[: len(report.signature.inputs) * 3 // 4]
            signature = Signature(inputs=kept, outputs=report.signature.outputs)
            return report.model_copy(update={"signature": signature})
        case _:
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
    return report.model_copy(update={"gates": report.gates[:-1]})
