"""What a run's gates came to, in status and in sentences."""

from modelwright.api.v1alpha1 import TrainingRun, TrainingRunStatus
from modelwright.api.v1alpha1.trainingrun import Compared, GateResult, Run
from modelwright_contract import results
from modelwright_contract.tasks import DEFAULT_CONFIDENCE


def gate_result(gate: results.GateResult, resource: TrainingRun, run: Run) -> GateResult:
    """How a gate ended, with the champion's side of it."""
    told = next((one for one in resource.spec.evaluation.gates if one.name == gate.name), None)
    named = told.against.deployment if told is not None and told.against is not None else None
    against = None
    if champion := next((one for one in run.champions if one.deployment == named), None):
        against = Compared(
            deployment=champion.deployment,
            version=champion.version,
            value=gate.champion or "",
            gain=gate.gain or "",
            gain_at_least=gate.gain_at_least or "",
            p_value=gate.p_value or "",
        )
    return GateResult(
        name=gate.name,
        metric=gate.metric,
        value=gate.value or "",
        min=gate.min,
        max=gate.max,
        against=against,
        passed=gate.passed,
    )


def has_passed(status: TrainingRunStatus) -> bool:
    """Whether all gates held, also those that had no room in the Job's message."""
    key = status.run.key if status.run is not None else ""
    record = next((known for known in status.history if known.key == key), None)
    return all(gate.passed for gate in status.gates) and (record is None or record.passed)


def failures(status: TrainingRunStatus, resource: TrainingRun) -> str:
    """Which gates do not hold, and by what figures."""
    found = [_failure(gate, resource) for gate in status.gates if not gate.passed]
    return "; ".join(found) or "a gate does not hold; the full result in the artifact store names it"


def unopposed(status: TrainingRunStatus) -> list[str]:
    """What gates say that had no champion to beat."""
    there = {champion.deployment: champion.exists for champion in status.run.champions} if status.run else {}
    return [
        f"gate {gate.name}: no champion yet, because Deployment {gate.against.deployment} "
        + ("serves no version" if there.get(gate.against.deployment, True) else "does not exist")
        for gate in status.gates
        if gate.against is not None and not gate.against.version
    ]


def _failure(gate: GateResult, resource: TrainingRun) -> str:
    words = f"gate {gate.name}: {gate.metric} is {gate.value}"
    against = gate.against
    if against is None:
        least = [f"at least {gate.min}"] * (gate.min is not None)
        return f"{words}, must be " + " and ".join([*least, *[f"at most {gate.max}"] * (gate.max is not None)])
    told = next((one for one in resource.spec.evaluation.gates if one.name == gate.name), None)
    confidence = float(told.confidence if told is not None and told.confidence else DEFAULT_CONFIDENCE)
    champion = f"that of {against.version}, which Deployment {against.deployment} serves, is {against.value}"
    return f"{words}, {champion}; that it is better has p-value {against.p_value}, must be at most {1 - confidence:.3g}"
