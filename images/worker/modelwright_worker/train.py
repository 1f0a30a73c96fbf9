"""The step `train`: a dataset version → a model with metrics and judged gates."""

from __future__ import annotations

from collections.abc import Mapping

from modelwright_contract.canonical import Json
from modelwright_contract.metrics import DEFAULT_METRICS
from modelwright_contract.model_archive import ArchiveError, load_model
from modelwright_contract.results import Metrics, TrainSummary
from modelwright_contract.tasks import TrainTask
from modelwright_worker.allowlist import build_pipeline
from modelwright_worker.archive import write_archive
from modelwright_worker.context import Context, Outcome
from modelwright_worker.dataset import open_dataset, read_split
from modelwright_worker.failures import Told
from modelwright_worker.fitting import fit, judged
from modelwright_worker.gates import judge
from modelwright_worker.golden import golden_document
from modelwright_worker.labels import Classes
from modelwright_worker.metrics import evaluate, figure, require_known
from modelwright_worker.model import model_manifest
from modelwright_worker.store import put_blob, put_manifest


def train(task: TrainTask, context: Context) -> Outcome:
    """Fit, measure, judge, store. Raises Told."""
    stages, scratch = context.stages, context.places.scratch
    wanted, required = _metrics(task)
    pipeline = build_pipeline(task.pipeline, task.task, task.seed)
    with stages.stage("read"):
        manifest, contract = open_dataset(task.dataset, context.store)
        rows = read_split("train", manifest, contract, task.task, context)
    if not len(rows.target):
        raise Told("TargetMissing", "the target is missing in every row of the train split", retry=False)
    classes = Classes.of(rows.target) if task.task == "classification" else None
    with stages.stage("fit"):
        complaints = fit(pipeline, rows.matrix, rows.target, contract)
    with stages.stage("archive"):
        archive_path = scratch / "model.skops"
        write_archive(pipeline, archive_path)
        try:
            model = load_model(archive_path)
        except ArchiveError as error:
            raise Told("EstimatorFailed", f"the fitted model can't be stored: {error}", retry=False) from error
    with stages.stage("evaluate"):
        test = read_split("test", manifest, contract, task.task, context)
        validation = read_split("validation", manifest, contract, task.task, context)
        on_test = evaluate(task.task, judged(model, test.matrix, test.target, classes), wanted, required)
        said = judged(model, validation.matrix, validation.target, classes)
        on_validation = evaluate(task.task, said, wanted, frozenset())
        gates = judge(task.gates, on_test)
    with stages.stage("golden"):
        shown = next((part for part in (test, validation) if part.rows), rows)
        golden_path = scratch / "golden.json"
        content, answers = golden_document(model, contract, shown.raw, classes)
        golden_path.write_bytes(content)
    with stages.stage("store"):
        archive, golden = put_blob(context.store, archive_path), put_blob(context.store, golden_path)
        document = model_manifest(task, contract, archive, golden, answers, classes)
        digest, uri = put_manifest(context.store, document.to_bytes())
    summary = TrainSummary(
        digest=digest,
        uri=uri,
        bytes=archive.bytes,
        metrics=Metrics(validation=_figures(on_validation), test=_figures(on_test)),
        gates=gates,
        passed=all(gate.passed for gate in gates),
        classes=0 if classes is None else len(classes.values),
    )
    details: dict[str, Json] = {
        "metrics": {"validation": on_validation, "test": on_test},
        "warnings": list(complaints),
        "rows": {"train": len(rows.target), "validation": len(validation.target), "test": len(test.target)},
    }
    return Outcome(summary, details)


def _metrics(task: TrainTask) -> tuple[tuple[str, ...], frozenset[str]]:
    """What is measured, and what of it must have a value. Raises Told for a metric of another task."""
    gated = [gate.metric for gate in task.gates]
    require_known(task.task, [*task.metrics, *gated])
    wanted = dict.fromkeys([*(task.metrics or DEFAULT_METRICS[task.task]), *gated])
    return tuple(wanted), frozenset([*task.metrics, *gated])


def _figures(values: Mapping[str, float]) -> dict[str, str]:
    return {name: figure(value) for name, value in values.items()}
