"""The step `score`: every row of a dataset version, asked of the model that is served beside, and one file of answers.

This container holds the store's keys and loads no model; the server beside it has the model and no keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from modelwright_contract.canonical import Json
from modelwright_contract.features import ContractError, FeatureContract, Input
from modelwright_contract.manifests import SPLITS, DatasetManifest, ModelManifest
from modelwright_contract.results import ScoreSummary
from modelwright_contract.tasks import ScoreTask
from modelwright_worker.answers_file import OWN, ROW, AnswersFile
from modelwright_worker.arrow_columns import ARROW_TYPES, CONVERTIBLE, kind_of
from modelwright_worker.context import Context, Outcome
from modelwright_worker.dataset import fetch_split, open_version
from modelwright_worker.failures import Told
from modelwright_worker.fetch import parse_manifest
from modelwright_worker.model_server import MAX_DOCUMENT_BYTES, ModelServer
from modelwright_worker.output import write
from modelwright_worker.store import hash_file, read_manifest
from modelwright_worker.tensors import Answer, answer_of, most_bytes, request_of

ROWS = 1024
"""Rows of one request, so that a slow model's call ends long before its server takes it for hung."""
MAX_REQUEST_BYTES = 8 << 20
"""A request that would be larger is asked in halves."""
_NAMED = 8


def score(task: ScoreTask, context: Context) -> Outcome:
    """Ask, write, upload. Raises Told."""
    model = _model(task, context)
    dataset = open_version(task.dataset, context.store)
    inputs = _inputs(model, dataset)
    keys = _keys(dataset)
    path = context.places.scratch / "answers.parquet"
    told = {"modelwright.model": task.model.digest, "modelwright.dataset": task.dataset.digest}
    server = ModelServer(task.served, context.environment)
    try:
        with context.stages.stage("server"):
            server.wait(task.server_seconds)
        with AnswersFile(path, keys, task.model.digest, model.classes, told) as file:
            for label in SPLITS:
                with context.stages.stage("rows"):
                    for known, batch in _batches(label, dataset, inputs, keys, context):
                        file.write(known, _asked(batch, inputs, model, server))
    finally:
        server.close()
    if not file.rows:
        raise Told("SourceEmpty", "the dataset version has no rows", retry=False)
    with context.stages.stage("upload"):
        write(task, context, path)
    blob = hash_file(path)
    summary = ScoreSummary(uri=task.output, rows=file.rows, bytes=blob.bytes, digest=blob.digest)
    details: dict[str, Json] = {
        "model": task.model.digest, "image": task.image, "dataset": task.dataset.digest,
    }  # fmt: skip
    return Outcome(summary, details)


def _model(task: ScoreTask, context: Context) -> ModelManifest:
    """What the model takes and gives, as the store has it: its server is not asked to say."""
    content = read_manifest(context.store, task.model.digest)
    if content is None:
        message = f"the model {task.model.digest} is not in the store {context.store.uri}: was it removed there?"
        raise Told("ModelNotFound", message, retry=True)
    return parse_manifest(content, task.model.digest)


def _inputs(model: ModelManifest, dataset: DatasetManifest) -> tuple[Input, ...]:
    """The raw columns that the model reads, all of which the dataset version has. Raises Told: DatasetUnfit."""
    try:
        inputs = FeatureContract.from_json(model.contract).inputs
    except ContractError as error:
        raise Told("ModelNotFound", f"the model's feature contract can't be read: {error}", retry=False) from error
    held = {column.name: column.type for column in dataset.columns}
    missing = [f'"{item.name}"' for item in inputs if item.name not in held]
    if missing:
        listed = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
        message = f"the model reads the column{'s' if len(missing) > 1 else ''} {listed}, which the dataset has not"
        raise Told("DatasetUnfit", f"{message}: declare what is missing in the Dataset's spec.columns", retry=False)
    for item in inputs:
        if held[item.name] != item.type and (held[item.name], item.type) not in CONVERTIBLE:
            message = f'the model reads the column "{item.name}" as {item.type}, and the dataset has {held[item.name]}'
            raise Told("DatasetUnfit", f"{message}: declare type: {item.type} in its spec.columns", retry=False)
    return inputs


def _keys(dataset: DatasetManifest) -> list[pa.Field]:
    """The columns by which a row is known: the dataset's ids, or else where the row stands. Raises Told."""
    ids = [column for column in dataset.columns if column.role == "id"]
    taken = next((column.name for column in ids if column.name in OWN), None)
    if taken is not None:
        message = f'the dataset has an id column "{taken}", and the output has a column of that name already'
        raise Told("DatasetUnfit", f"{message}: rename it in the source, or leave its role id away", retry=False)
    return [pa.field(column.name, ARROW_TYPES[kind_of(column)]) for column in ids] or [pa.field(ROW, pa.string())]


def _batches(
    label: str, dataset: DatasetManifest, inputs: Sequence[Input], keys: Sequence[pa.Field], context: Context
) -> Iterator[tuple[list[pa.Array], pa.RecordBatch]]:
    """The rows of a split, some at a time: what they are known by, and what the model reads in the types it reads."""
    if not dataset.splits[label].rows:
        return
    path = fetch_split(label, dataset, context)
    ids = [field.name for field in keys if field.name != ROW]
    names = list(dict.fromkeys([*ids, *(item.name for item in inputs)]))
    schema = pa.schema([(item.name, ARROW_TYPES[item.type]) for item in inputs])
    begin = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS, columns=names, use_threads=False):
            known = [batch.column(name) for name in ids]
            if not ids:
                known = [pa.array([f"{label}/{number}" for number in range(begin, begin + batch.num_rows)])]
            begin += batch.num_rows
            yield known, _cast(batch, schema)
    path.unlink()


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    try:
        return pa.RecordBatch.from_arrays([batch.column(f.name).cast(f.type) for f in schema], schema=schema)
    except pa.ArrowInvalid as error:
        message = f"a column that the model reads as whole numbers has others in the dataset: {str(error)[:200]}"
        raise Told("DatasetUnfit", message, retry=False) from error


def _asked(batch: pa.RecordBatch, inputs: Sequence[Input], model: ModelManifest, server: ModelServer) -> Answer:
    """What the model says of some rows, in as many requests as their size asks for."""
    document, data = request_of(batch, inputs)
    rows = batch.num_rows
    if len(document) + len(data) > MAX_REQUEST_BYTES and rows > 1:
        halves = (batch.slice(0, rows // 2), batch.slice(rows // 2))
        return Answer.joined([_asked(half, inputs, model, server) for half in halves])
    reply = server.infer(document, data, MAX_DOCUMENT_BYTES + most_bytes(rows, model.classes))
    return answer_of(reply, rows, model.classes)
