"""The step `train`: a dataset version → a model with metrics and judged gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from modelwright_contract.canonical import Json
from modelwright_contract.metrics import DEFAULT_METRICS
from modelwright_contract.model_archive import ArchiveError, load_model
from modelwright_contract.profile import ANSWERED_SPLITS, PROFILE_FILE
from modelwright_contract.results import Metrics, TrainSummary
from modelwright_contract.tasks import TrainTask
from modelwright_worker.allowlist import build_pipeline
from modelwright_worker.archive import write_archive
from modelwright_worker.champion import inputs_of, open_champions
from modelwright_worker.context import Context, Outcome
from modelwright_worker.dataset import open_dataset, read_split
from modelwright_worker.failures import Told
from modelwright_worker.fitting import fit, judged
from modelwright_worker.gates import comparisons, judge
from modelwright_worker.golden import golden_document
from modelwright_worker.labels import Classes
from modelwright_worker.metrics import evaluate, figure, require_known
from modelwright_worker.model import model_manifest
from modelwright_worker.profile import profile_of
from modelwright_worker.store import put_blob, put_manifest


def train(task: TrainTask, context: Context) -> Outcome:
    """Fit, measure, judge, store. Raises Told."""
    stages, scratch = context.stages, context.places.scratch
    wanted, required = _metrics(task)
    pipeline = build_pipeline(task.pipeline, task.task, task.seed)
    with stages.stage("read"):
        manifest, contract = open_dataset(task.dataset, context.store)
        champions = open_champions(task.gates, task.task, manifest, context.store)
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
        test = read_split("test", manifest, contract, task.task, context, inputs_of(champions))
        validation = read_split("validation", manifest, contract, task.task, context)
        said = {
            "validation": judged(model, validation.matrix, validation.target, classes),
            "test": judged(model, test.matrix, test.target, classes),
        }
        on_test = evaluate(task.task, said["test"], wanted, required)
        on_validation = evaluate(task.task, said["validation"], wanted, frozenset())
    with stages.stage("gates"):
        answers_of = {digest: champion.answers(test, classes, context) for digest, champion in champions.items()}
        compared = comparisons(task, said["test"], answers_of)
        gates = judge(task.gates, on_test, compared)
    with stages.stage("golden"):
        shown = next((part for part in (test, validation) if part.rows), rows)
        golden_path = scratch / "golden.json"
        content, answers = golden_document(model, contract, shown.raw, classes)
        golden_path.write_bytes(content)
    with stages.stage("profile"):
        split = next((split for split in ANSWERED_SPLITS if split in said and len(said[split].truth)), "train")
        answered = said[split] if split in said else judged(model, rows.matrix, rows.target, classes)
        profile_path = scratch / PROFILE_FILE
        profile_path.write_bytes(profile_of(contract, rows.matrix, answered, split, classes).to_bytes())
    with stages.stage("store"):
        archive, golden, profile = (put_blob(context.store, path) for path in (archive_path, golden_path, profile_path))
        document = model_manifest(task, contract, archive, golden, profile, answers, classes)
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
        "comparisons": {name: asdict(comparison) for name, comparison in compared.items()},
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
