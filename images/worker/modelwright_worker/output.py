"""Where answers go: one object of S3, outside of the artifact store, marked with the key of the step that wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelwright_contract.tasks import ScoreTask
from modelwright_worker.context import Context
from modelwright_worker.failures import Told
from modelwright_worker.s3 import Client, Wording, metadata_of, s3_client, told, upload_object

KEY = "modelwright-key"
"""The object's metadata that names the step."""


def is_written(task: ScoreTask, context: Context) -> bool:
    """Whether the output is there, and of this very step. Raises Told."""
    with _place(task, context) as (client, bucket, key):
        found = metadata_of(client, bucket, key)
        return found is not None and found.get(KEY) == task.key


def write(task: ScoreTask, context: Context, path: Path) -> None:
    """Put the file there, whole or not at all. Raises Told."""
    with _place(task, context) as (client, bucket, key):
        upload_object(client, bucket, key, path, {KEY: task.key})


@contextmanager
def _place(task: ScoreTask, context: Context) -> Iterator[tuple[Client, str, str]]:
    scheme, _, rest = task.output.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not key:
        message = f"spec.batch.output.uri leads to {task.output}: write s3://bucket/folder"
        raise Told("StoreNotFound", message, retry=False)
    endpoint, region = task.store.endpoint, task.store.region
    wording = Wording(f"the output {task.output}", "StoreForbidden", "StoreNotFound", "the store's Secret")
    with told(wording, bucket, endpoint):
        yield s3_client(endpoint, region, context.environment, prefix=""), bucket, key
