"""Bringing a source's files to local disk, hashing on the way."""

from __future__ import annotations

import errno
import fnmatch
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modelwright_contract.manifests import Blob
from modelwright_contract.tasks import SourceLocation, StoreLocation
from modelwright_worker.directory import copy_hashed
from modelwright_worker.failures import Told
from modelwright_worker.places import Places

MAX_FILES = 10_000
SOURCE_PREFIX = "SOURCE_"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
Format = Literal["csv", "parquet"]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the source, as it lies on local disk; `name` is what the user knows it by."""

    path: Path
    name: str
    content: Blob


def format_of(source: SourceLocation) -> Format:
    """The declared format, or the one the name's ending says. Raises Told."""
    if source.format is not None:
        return source.format
    name = source.uri.lower()
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    message = f"spec.source: {source.uri} ends in neither .csv nor .parquet: write format: csv or format: parquet"
    raise Told("SourceUnreadable", message, retry=False)


def bring(
    source: SourceLocation, store: StoreLocation, namespace: str, places: Places, environment: Mapping[str, str]
) -> tuple[LocalFile, ...]:
    """Copy all files of a source, in the order of their names; none of another namespace's part of the store.

    Raises Told.
    """
    target = places.scratch / "source"
    target.mkdir(parents=True, exist_ok=True)
    scheme, _, rest = source.uri.partition("://")
    name, _, path = rest.partition("/")
    with _room(places):
        match scheme:
            case "s3":
                return tuple(_from_s3(source, store, namespace, environment, target))
            case "pvc":
                return tuple(_from_directory(source.uri, places.claim(name), path, target))
            case "configmap":
                return tuple(_from_directory(source.uri, places.config_map(name), path, target))
    message = f"spec.source.uri is {source.uri}: write s3://bucket/key, pvc://claim/path or configmap://name/key"
    raise Told("SourceNotFound", message, retry=False)


def _is_pattern(path: str) -> bool:
    return "*" in path or "?" in path


def _not_found(uri: str, detail: str) -> Told:
    return Told("SourceNotFound", f"there is nothing at {uri}: {detail}", retry=True)


def _from_directory(uri: str, root: Path, path: str, target: Path) -> Iterator[LocalFile]:
    try:
        inside = root.resolve()
        if not root.is_dir():
            raise _not_found(uri, "the volume is not mounted: does it exist?")
        found = _found(root, path) if _is_pattern(path) else [root / path]
        files = [file for file in found if file.is_file() and file.resolve().is_relative_to(inside)]
        if not files:
            near = ", ".join(sorted(file.name for file in root.iterdir() if not file.name.startswith("."))[:5])
            raise _not_found(uri, f"there are {near}" if near else "the volume is empty")
        _bounded(uri, len(files))
        for index, file in enumerate(files):
            local = target / f"{index:05d}{''.join(file.suffixes)}"
            yield LocalFile(local, str(file.relative_to(root)), copy_hashed(file, local))
    except PermissionError as error:
        raise Told("SourceForbidden", f"{uri} can't be read: {error.strerror}", retry=True) from error


def _found(root: Path, pattern: str) -> list[Path]:
    try:
        return sorted(root.glob(pattern))
    except (NotImplementedError, ValueError):
        # Absolute, or with a ** that is not a whole part: nothing can fit.
        return []


def _from_s3(
    source: SourceLocation, store: StoreLocation, namespace: str, environment: Mapping[str, str], target: Path
) -> Iterator[LocalFile]:
    from modelwright_worker.s3 import Wording, download_object, s3_client, told

    _require_own(source.uri, store.uri, namespace)
    bucket, _, path = source.uri.removeprefix("s3://").partition("/")
    endpoint = source.endpoint or (store.endpoint if store.uri.startswith("s3://") else None)
    prefix = _keys_prefix(source, environment)
    secret = "spec.source.secretRef's Secret" if source.own_keys else "the store's Secret"
    wording = Wording(f"the source {source.uri}", "SourceForbidden", "SourceNotFound", secret)
    with told(wording, bucket, endpoint):
        client = s3_client(endpoint, source.region or store.region, environment, prefix=prefix)
        keys = [path]
        if _is_pattern(path):
            literal = path[: min(path.find(c) for c in "*?" if c in path)]
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=literal)
            listed = [item["Key"] for page in pages for item in page.get("Contents", ())]
            # A star stays within one folder, as in a shell.
            depth = path.count("/")
            keys = sorted(key for key in listed if key.count("/") == depth and fnmatch.fnmatchcase(key, path))
            if not keys:
                raise _not_found(source.uri, f"{len(listed)} objects begin with {literal or bucket}, none matches")
            _bounded(source.uri, len(keys))
            for key in keys:
                _require_own(f"s3://{bucket}/{key}", store.uri, namespace)
        for index, key in enumerate(keys):
            local = target / f"{index:05d}{''.join(Path(key).suffixes)}"
            content = download_object(client, bucket, key, local)
            if content is None:
                raise _not_found(source.uri, f"bucket {bucket} has no object {key}")
            yield LocalFile(local, key, content)


def _keys_prefix(source: SourceLocation, environment: Mapping[str, str]) -> str:
    """What the variables with the source's keys begin with; own keys that lack are not made up for by the store's."""
    if not source.own_keys:
        return ""
    lacking = [key for key in KEYS if not environment.get(f"{SOURCE_PREFIX}{key}")]
    if lacking:
        message = f"the source {source.uri}: spec.source.secretRef's Secret must hold {' and '.join(lacking)}"
        raise Told("SourceForbidden", message, retry=True)
    return SOURCE_PREFIX


def _require_own(uri: str, store: str, namespace: str) -> None:
    """The store's keys may read what other namespaces keep in it; their user may not."""
    place = store.rstrip("/")
    # A server that keeps objects as files takes `a//b` and `a/x/../b` for a/b.
    inside, whole = posixpath.normpath(uri).split("/"), posixpath.normpath(place).split("/")
    if inside[: len(whole)] == whole and inside[len(whole) : len(whole) + 1] != [namespace]:
        message = f"{uri} lies in the artifact store, where only {place}/{namespace}/ is yours: read another place"
        raise Told("SourceForbidden", message, retry=False)


def _bounded(uri: str, files: int) -> None:
    if files > MAX_FILES:
        raise Told("SourceUnreadable", f"{uri} matches {files} files, at most {MAX_FILES} are read", retry=True)


@contextmanager
def _room(places: Places) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        message = f"no room for the source in {places.scratch}: raise spec.resources.limits.ephemeral-storage"
        raise Told("SourceUnreadable", message, retry=False) from error
