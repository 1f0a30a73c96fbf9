"""One run of a step: an earlier run's result is repeated; otherwise work, then the full result, then the summary."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Mapping

from pydantic import ValidationError

from modelwright_contract.canonical import Json, canonical_bytes
from modelwright_contract.results import Failure, IngestSummary, Summary, parse_summary
from modelwright_contract.tasks import AnyTask, IngestTask, PackageTask, ScoreTask, TrainTask, parse_task
from modelwright_worker.context import Context, Outcome
from modelwright_worker.failures import MESSAGE_CHARS, Told, shortened
from modelwright_worker.places import Places
from modelwright_worker.room import within_bounds
from modelwright_worker.stages import Stages
from modelwright_worker.store import Store, open_store, read_result, result_key

SUCCEEDED, CRASHED, TOLD = 0, 1, 3
STEPS = {"ingest": "ingest", "train": "train", "fetch": "package", "push": "package", "score": "score"}
"""The step whose task each command carries out."""


def run(command: str, environment: Mapping[str, str], started_s: float) -> int:
    """Carry out a command with the task in MODELWRIGHT_TASK; gives the exit code."""
    places = Places.from_environment(environment)
    stages = Stages(started_s)
    try:
        summary = _carry_out(command, environment, places, stages)
    except Told as told:
        log(step=command, outcome="failed", reason=told.reason, message=told.message, seconds=stages.seconds())
        _report(places, within_bounds(told.to_failure()))
        return TOLD
    except Exception as error:  # noqa: BLE001 - the last line of defence: whatever it was, the user is told
        traceback.print_exc()
        message = shortened(f"{type(error).__name__}: {error}", MESSAGE_CHARS)
        log(step=command, outcome="failed", reason="InternalError", message=message, seconds=stages.seconds())
        _report(places, within_bounds(Failure(reason="InternalError", message=message, retry=True)))
        return CRASHED
    log(step=command, outcome="succeeded", seconds=stages.seconds())
    if summary is not None:
        _report(places, within_bounds(summary))
    return SUCCEEDED


def _carry_out(command: str, environment: Mapping[str, str], places: Places, stages: Stages) -> Summary | None:
    with stages.stage("task"):
        task = _task(command, environment)
    with stages.stage("connect"):
        store = open_store(task.store, task.namespace, places, environment)
        earlier = earlier_summary(store, task.key)
    context = Context(store, places, stages, environment)
    log(step=command, key=task.key, object=f"{task.namespace}/{task.name}", repeated=earlier is not None)
    if command == "fetch":
        assert isinstance(task, PackageTask)
        from modelwright_worker.fetch import fetch

        fetch(task, context, earlier)
        return None
    if earlier is not None and _still_holds(task, context):
        # What was read then may have changed since.
        return earlier.model_copy(update={"repeated": True}) if isinstance(earlier, IngestSummary) else earlier
    outcome = _work(task, context)
    document: dict[str, Json] = {
        "key": task.key,
        "summary": json.loads(outcome.summary.to_json()),
        "details": outcome.details,
        "seconds": dict(stages.seconds()),
        "finishedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    with stages.stage("result"):
        written = store.put_once(result_key(task.key), canonical_bytes(document))
        if not written:
            # A twin was faster: what it wrote is the record.
            return earlier_summary(store, task.key) or outcome.summary
    return outcome.summary


def _work(task: AnyTask, context: Context) -> Outcome:
    match task:
        case IngestTask():
            return _ingest(task, context)
        case TrainTask():
            with context.stages.stage("imports"):
                from modelwright_worker.train import train
            return train(task, context)
        case PackageTask():
            with context.stages.stage("imports"):
                from modelwright_worker.push import push
            return push(task, context)
        case ScoreTask():
            with context.stages.stage("imports"):
                from modelwright_worker.score import score
            return score(task, context)


def _ingest(task: IngestTask, context: Context) -> Outcome:
    """What reads is not even imported where there is nothing to be read."""
    from modelwright_worker.refreshing import bring, earlier_reading, same_content, unchanged
    from modelwright_worker.source import open_source

    with context.stages.stage("list"):
        source = open_source(task.source, task.store, task.namespace, context.places, context.environment)
        earlier = earlier_reading(task, context)
    if (same := unchanged(earlier, source)) is not None:
        return same
    with context.stages.stage("fetch"):
        brought = bring(task, source, earlier, context)
    if (same := same_content(earlier, brought)) is not None:
        return same
    with context.stages.stage("imports"):
        from modelwright_worker.ingest import ingest
    return ingest(task, brought, context)


def _still_holds(task: AnyTask, context: Context) -> bool:
    """Whether what an earlier run of the task made is there. Only answers lie where others may take them away."""
    if not isinstance(task, ScoreTask):
        return True
    from modelwright_worker.output import is_written

    return is_written(task, context)


def _task(command: str, environment: Mapping[str, str]) -> AnyTask:
    try:
        task = parse_task(environment.get("MODELWRIGHT_TASK", ""))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Told("InternalError", f"MODELWRIGHT_TASK: {where}: {first['msg']}", retry=False) from error
    if STEPS[command] != task.step:
        raise Told("InternalError", f"MODELWRIGHT_TASK is a {task.step} task, {command} can't do it", retry=False)
    return task


def earlier_summary(store: Store, key: str) -> Summary | None:
    """The summary of an earlier run under this key."""
    document = read_result(store, key)
    summary = document.get("summary") if document is not None else None
    report = parse_summary(json.dumps(summary)) if isinstance(summary, dict) else None
    return None if isinstance(report, Failure) else report


def _report(places: Places, text: str) -> None:
    try:
        places.termination_log.write_text(text, encoding="utf-8")
    except OSError as error:
        log(warning=f"the summary can't be written to {places.termination_log}: {error}")


def log(**fields: object) -> None:
    """One JSON line on stdout."""
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
    sys.stdout.flush()
