"""`docs/conditions.md`: every condition and every reason, written from the table in `modelwright.reasons`.

`python -m modelwright.conditionsdoc > docs/conditions.md` writes it; a test holds page and table together.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from modelwright.reasons import REASONS, Outlook


@dataclass(frozen=True, slots=True)
class Aspect:
    """One condition type: whose it is, what it says, and its reasons; `reasons` is None where it takes Ready's."""

    kinds: str
    when_true: str
    otherwise: str
    reasons: tuple[str, ...] | None = None


ASPECTS: Final[Mapping[str, Aspect]] = {
    "Ready": Aspect("all", "the spec is fulfilled", "it is not: see the reason"),
    "Reconciling": Aspect("all", "the spec is not fulfilled, and work goes on by itself", "the condition is not there"),
    "Stalled": Aspect("all", "the spec is not fulfilled, and a person must act", "the condition is not there"),
    "Validated": Aspect(
        "Dataset",
        "every check of severity `error` holds for the newest data that was read",
        "a check failed, and the version of before stays, where there is one; or nothing was checked yet",
        ("ChecksPassed", "CheckFailed", "NotStarted"),
    ),
    "Refreshing": Aspect(
        "Dataset",
        "the source is looked at again by `spec.refresh.schedule`, or that is tried again",
        "it is not: the reason says how the last time ended; the condition is there only with a schedule, and does not "
        "decide on `Ready`",
    ),
    "Complete": Aspect("TrainingRun", "the run ended with a model", "it did not", ("Succeeded", "NotFinished")),
    "Failed": Aspect(
        "TrainingRun",
        "the run ended without a model and is not tried again",
        "it succeeded, or may still",
        ("RunFailed", "NotFinished", "Succeeded"),
    ),
    "Passed": Aspect(
        "TrainingRun",
        "every gate holds on the test split",
        "one does not, or none was judged yet",
        ("GatesPassed", "GatesFailed", "NotFinished"),
    ),
    "Suspended": Aspect(
        "TrainingRun",
        "`spec.suspend` is true and the run is not done",
        "the run may go on",
        ("Suspended", "NotSuspended"),
    ),
    "Packaged": Aspect(
        "ModelVersion", "the image is in the registry", "there is no image yet", ("Packaged", "NotPackaged")
    ),
    "Gated": Aspect(
        "ModelVersion",
        "the TrainingRun that it names has passed its gates with this digest; never taken back",
        "that is not known",
        ("GatesPassed", "NotGated"),
    ),
    "Approved": Aspect(
        "ModelVersion",
        "its image may be served",
        "it may not, in any way",
        ("Approved", "ApprovedByPolicy", "AwaitingApproval", "ApprovalRevoked", "ApprovalOutdated", "NotPackaged"),
    ),
    "Available": Aspect(
        "Deployment",
        "at least one server answers",
        "none does",
        ("MinimumReplicasAvailable", "MinimumReplicasUnavailable"),
    ),
    "Progressing": Aspect(
        "Deployment",
        "Pods are being replaced or scaled, or a canary is tried",
        "no change is under way, or `spec.paused` keeps one from beginning",
        ("RollingOut", "CanaryRunning", "RolledOut", "Paused", "NotStarted"),
    ),
    "Drifted": Aspect(
        "Deployment",
        "what the model is asked, or answers, is other than when it was trained",
        "it is not, or nobody knows; without a training profile the condition is there only where it is asked for",
        (
            "Drifted",
            "PredictionDrifted",
            "NoDrift",
            "FirstWindow",
            "TooFewRequests",
            "NoProfile",
            "FiguresUnreachable",
        ),
    ),
    "Retraining": Aspect(
        "Deployment",
        "the model is being trained anew, or what came of it is on its way to be served",
        "it is not; the condition is there only with `spec.retraining`, and does not decide on `Ready`",
        (
            "RetrainingUnderWay",
            "AwaitingApproval",
            "NothingToDo",
            "NothingNew",
            "CoolingDown",
            "AttemptsExhausted",
            "TemplateMissing",
            "TemplateUnfit",
            "VersionIsNamed",
            "ScheduleInvalid",
        ),
    ),
    "Batch": Aspect(
        "Deployment",
        "the file of the last batch that was due is written",
        "none was due yet, one is under way, or it failed: see the reason; the condition is there only with "
        "`spec.batch`, and does not decide on `Ready`",
    ),
    "Routed": Aspect(
        "Deployment",
        "the host of `spec.route` leads to the model",
        "it does not, or nobody says so; the condition is there only with `spec.route`",
        ("RouteAccepted", "RoutePending", "RouteRejected", "RouteKindMissing"),
    ),
    "Autoscaled": Aspect(
        "Deployment",
        "the number of servers follows their load",
        "it stays as it is; the condition is there only with `maxReplicas` above `minReplicas`, and does not decide on "
        "`Ready` but for `RequestMissing`",
        (
            "AutoscalerActive",
            "AutoscalerPending",
            "MetricsMissing",
            "RequestMissing",
            "CapacityMissing",
            "AutoscalerFailed",
        ),
    ),
}

_CHAPTERS: Final[Mapping[Outlook, tuple[str, str]]] = {
    "good": ("As it should be", "Nothing to do."),
    "moving": ("It goes on by itself", "`Reconciling` is there beside `Ready=False`."),
    "act": (
        "A person has to act",
        "`Stalled` is there beside `Ready=False`; while a failure is young and tried again, `Reconciling` is.",
    ),
}

_INTRODUCTION: Final = """# Conditions

The state of every object is in `status.conditions`, in the words that `kubectl wait`, Flux, Helm and Argo CD know.

- `Ready` is there from the first pass. `kubectl wait --for=condition=Ready` waits for a fulfilled spec.
- `Reconciling` is there, and `True`, only while the spec is not fulfilled and work goes on by itself.
- `Stalled` is there, and `True`, only while a person must act. It is never there together with `Reconciling`.
- `Ready` is `False` without either of them only while `spec.suspend` or `spec.paused` is true.
- `Reconciling` and `Stalled` carry the reason and the message of `Ready`. Its message names what it is about.
- `status.observedGeneration` and each condition's own say which generation of the spec they answer.

Reasons are part of the API: they are never renamed. This page is written by `python -m modelwright.conditionsdoc`.
"""


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_INTRODUCTION, *_conditions(), *(line for outlook in _CHAPTERS for line in _chapter(outlook))])


def carried_by(reason: str) -> tuple[str, ...]:
    """The conditions that may carry the reason, beside `Ready` and its two companions."""
    return tuple(type_ for type_, aspect in ASPECTS.items() if aspect.reasons is not None and reason in aspect.reasons)


def _conditions() -> list[str]:
    lines = ["## Conditions", "", "| condition | of | True | otherwise | reasons |", "| --- | --- | --- | --- | --- |"]
    for type_, aspect in ASPECTS.items():
        reasons = ", ".join(f"`{reason}`" for reason in aspect.reasons) if aspect.reasons else "all below"
        lines.append(f"| `{type_}` | {aspect.kinds} | {aspect.when_true} | {aspect.otherwise} | {reasons} |")
    return [*lines, ""]


def _chapter(outlook: Outlook) -> list[str]:
    title, words = _CHAPTERS[outlook]
    lines = [f"## {title}", "", words, "", "| reason | also of | meaning | remedy |", "| --- | --- | --- | --- |"]
    for name, reason in REASONS.items():
        if reason.outlook == outlook:
            others = ", ".join(f"`{type_}`" for type_ in carried_by(name))
            lines.append(f"| `{name}` | {others} | {reason.meaning} | {reason.remedy} |")
    return [*lines, ""]


if __name__ == "__main__":
    sys.stdout.write(page().rstrip() + "\n")
