"""Reading a source again: nothing of it is read where nothing has changed, and of many files only those that have.

What the source's files were lies beside the result of the last reading: their names, sizes, versions and digests. Where
a Dataset asks for readings again and again, the store keeps a copy of each file of a source of many, by digest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from modelwright_contract.canonical import Digest, Json
from modelwright_contract.manifests import Blob
from modelwright_contract.results import IngestSummary, parse_summary
from modelwright_contract.tasks import IngestTask
from modelwright_worker.context import Context, Outcome
from modelwright_worker.source import LocalFile, Source, local_path, room
from modelwright_worker.store import blob_key, fetch_blob, read_result


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the last reading made, and the files that it saw, by name and in order."""

    summary: IngestSummary
    files: Mapping[str, Json]
    held: Mapping[str, tuple[str, Blob]]
    """Version and content of each file."""


@dataclass(frozen=True, slots=True)
class Brought:
    """All files of the source, and how many of them were read from it."""

    files: tuple[LocalFile, ...]
    read: int


def earlier_reading(task: IngestTask, context: Context) -> Earlier | None:
    """The reading that this one is compared with; None where there is none to be found."""
    document = read_result(context.store, task.previous) if task.previous is not None else None
    if document is None:
        return None
    summary, details = parse_summary(json.dumps(document.get("summary"))), document.get("details")
    files = details.get("source") if isinstance(details, dict) else None
    if not isinstance(summary, IngestSummary) or not isinstance(files, list):
        return None
    held: dict[str, tuple[str, Blob]] = {}
    for file in files:
        match file:
            case {"name": str(name), "version": str(version), "digest": str(digest), "bytes": int(size)}:
                held[name] = (version, Blob(Digest(digest), size))
            case _:
                return None
    return Earlier(summary, {"source": files}, held)


def unchanged(earlier: Earlier | None, source: Source) -> Outcome | None:
    """The earlier outcome once more, where the source has the same files in the same versions."""
    if earlier is None:
        return None
    listed = [(one.name, one.size_bytes, one.version) for one in source.objects]
    if listed != [(name, blob.bytes, version) for name, (version, blob) in earlier.held.items()]:
        return None
    summary = earlier.summary.model_copy(update={"objects": len(listed), "read": 0})
    return Outcome(summary, earlier.files)


def bring(task: IngestTask, source: Source, earlier: Earlier | None, context: Context) -> Brought:
    """Bring all files here; those that have not changed from the store's copy, where it has one. Raises Told."""
    copied = task.keep_copies and source.remote and len(source.objects) > 1
    files: list[LocalFile] = []
    read = 0
    with room(context.places):
        for index, wanted in enumerate(source.objects):
            target = local_path(context.places, index, wanted.name)
            known = earlier.held.get(wanted.name) if earlier is not None and copied else None
            if known is not None and known[0] == wanted.version and fetch_blob(context.store, known[1], target):
                files.append(LocalFile(target, wanted.name, known[1], wanted.version))
                continue
            file = source.copy(wanted, target)
            read += 1
            if copied:
                context.store.upload(blob_key(file.content.digest), target)
            files.append(file)
    return Brought(tuple(files), read)


def same_content(earlier: Earlier | None, brought: Brought) -> Outcome | None:
    """The earlier outcome, where the files hold what they held, only written anew."""
    if earlier is None or [(file.name, file.content) for file in brought.files] != [
        (name, blob) for name, (_, blob) in earlier.held.items()
    ]:
        return None
    summary = earlier.summary.model_copy(update={"objects": len(brought.files), "read": brought.read})
    return Outcome(summary, {"source": listed(brought)})


def listed(brought: Brought) -> list[Json]:
    """The files as they stand in the result."""
    return [{"name": file.name, "version": file.version, **file.content.to_json()} for file in brought.files]
