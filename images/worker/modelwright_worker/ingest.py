"""The step `ingest`: a source → an immutable dataset version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from modelwright_contract.canonical import Json
from modelwright_contract.manifests import SPLITS, DatasetManifest
from modelwright_contract.results import IngestSummary, SplitRows
from modelwright_contract.tasks import IngestTask
from modelwright_contract.vectors import ValueType
from modelwright_worker import checks, conversion, engine, reading, splitting
from modelwright_worker.context import Context, Outcome
from modelwright_worker.failures import Told, bounded_violations
from modelwright_worker.layout import Layout, lay_out
from modelwright_worker.observer import Observer
from modelwright_worker.refreshing import Brought, listed
from modelwright_worker.source import LocalFile, format_of
from modelwright_worker.store import put_blob, put_manifest


def ingest(task: IngestTask, brought: Brought, context: Context) -> Outcome:
    """Read what was brought here, check, split, store. Raises Told."""
    stages, scratch = context.stages, context.places.scratch
    kind = format_of(task.source)
    breaches = checks.Breaches()
    with engine.connect(scratch) as connection:
        with stages.stage("read"):
            columns = reading.load(connection, brought.files, kind)
            rows = conversion.rows_of(connection)
            _discard(brought.files)
        checks.check_rows(task.checks, rows, breaches)
        with stages.stage("types"):
            layout = _layout(task, connection, columns)
        with stages.stage("split"):
            splitting.assign(connection, columns, layout.stored, task.split)
        with stages.stage("checks"):
            held = {column.name for column in layout.stored}
            checks.check_stored(
                connection, [c for c in task.columns if c.expression is None and c.name in held], rows, breaches
            )
        with stages.stage("write"):
            observer = Observer(layout, task.columns, connection)
            split_rows = splitting.require_rows(connection, task.split)
            paths = _write(connection, layout, scratch, observer)
    observer.report(rows, breaches)
    if breaches.errors:
        raise Told("CheckFailed", "; ".join(breaches.errors), retry=True, violations=breaches.errors)
    contract = layout.contract.with_categories(observer.categories())
    with stages.stage("store"):
        splits = {label: put_blob(context.store, paths[label], split_rows[label]) for label in SPLITS}
        manifest = DatasetManifest(layout.stored, contract.to_json(), splits)
        digest, uri = put_manifest(context.store, manifest.to_bytes())
    summary = IngestSummary(
        digest=digest,
        uri=uri,
        rows=manifest.rows,
        bytes=manifest.size_bytes,
        splits=SplitRows(train=split_rows["train"], validation=split_rows["validation"], test=split_rows["test"]),
        columns=len(layout.stored),
        violations=bounded_violations(breaches.warnings),
        objects=len(brought.files),
        read=brought.read,
    )
    details: dict[str, Json] = {
        "source": listed(brought),
        "violations": list(breaches.warnings),
        "features": list(contract.features),
    }
    return Outcome(summary, details)


def _discard(files: Sequence[LocalFile]) -> None:
    """The table holds the rows now; scratch is needed for spilling and for the splits."""
    for file in files:
        file.path.unlink()


def _layout(task: IngestTask, connection: duckdb.DuckDBPyConnection, columns: Sequence[reading.SourceColumn]) -> Layout:
    declared = {c.name: c.type for c in task.columns if c.type is not None and c.expression is None}

    def types(wanted: frozenset[str]) -> Mapping[str, ValueType]:
        needed = [column for column in columns if column.name in wanted]
        return conversion.told_types(connection, needed, {name: declared[name] for name in wanted & declared.keys()})

    return lay_out(task.columns, [column.name for column in columns], task.split.key, types)


def _write(connection: duckdb.DuckDBPyConnection, layout: Layout, scratch: Path, observer: Observer) -> dict[str, Path]:
    paths = {label: scratch / f"{label}.parquet" for label in SPLITS}
    for index, label in enumerate(SPLITS):
        for rows in splitting.write_split(connection, layout.stored, index, paths[label]):
            observer.see(label, rows)
    return paths
