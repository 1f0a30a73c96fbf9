"""What a source holds, without reading it; and bringing its files to local disk, hashing on the way."""

from __future__ import annotations

import errno
import fnmatch
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from modelwright_contract.manifests import Blob
from modelwright_contract.tasks import SourceLocation, StoreLocation
from modelwright_worker.directory import copy_hashed
from modelwright_worker.failures import Told
from modelwright_worker.places import Places
from modelwright_worker.store import hash_file

MAX_FILES = 10_000
SOURCE_PREFIX = "SOURCE_"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
Format = Literal["csv", "parquet"]


@dataclass(frozen=True, slots=True)
class SourceObject:
    """A file of the source as it is listed; `version` is another one once its content is."""

    name: str
    size_bytes: int
    version: str


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the source, as it lies on local disk; `name` is what the user knows it by."""

    path: Path
    name: str
    content: Blob
    version: str = ""


class Source(Protocol):
    """A place with files, which have been listed and not read. Raises Told."""

    remote: bool
    """Whether a copy in the store spares a way that is longer than the store's."""
    objects: tuple[SourceObject, ...]
    """In the order of their names; at least one."""

    def copy(self, wanted: SourceObject, target: Path) -> LocalFile:
        """Bring a file here, hashing on the way; as it is by now, if it was changed since it was listed."""


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


def open_source(
    source: SourceLocation, store: StoreLocation, namespace: str, places: Places, environment: Mapping[str, str]
) -> Source:
    """List a source's files, in the order of their names; none of another namespace's part of the store.

    Raises Told.
    """
    format_of(source)
    scheme, _, rest = source.uri.partition("://")
    name, _, path = rest.partition("/")
    match scheme:
        case "s3":
            return _Bucket(source, store, namespace, environment)
        case "pvc":
            return _Directory(source.uri, places.claim(name), path, by_content=False)
        case "configmap":
            # The kubelet writes its files anew for each Pod, so their times say nothing.
            return _Directory(source.uri, places.config_map(name), path, by_content=True)
    message = f"spec.source.uri is {source.uri}: write s3://bucket/key, pvc://claim/path or configmap://name/key"
    raise Told("SourceNotFound", message, retry=False)


def local_path(places: Places, index: int, name: str) -> Path:
    """Where a file of the source is brought to; DuckDB tells compressed files by their endings."""
    target = places.scratch / "source"
    target.mkdir(parents=True, exist_ok=True)
    return target / f"{index:05d}{''.join(Path(name).suffixes)}"


def _is_pattern(path: str) -> bool:
    return "*" in path or "?" in path


def _not_found(uri: str, detail: str) -> Told:
    return Told("SourceNotFound", f"there is nothing at {uri}: {detail}", retry=True)


class _Directory:
    """Files below the root of a volume."""

    remote = False

    def __init__(self, uri: str, root: Path, path: str, *, by_content: bool) -> None:
        self._uri, self._root, self._by_content = uri, root, by_content
        with self._told():
            inside = root.resolve()
            if not root.is_dir():
                raise _not_found(uri, "the volume is not mounted: does it exist?")
            found = _found(root, path) if _is_pattern(path) else [root / path]
            files = [file for file in found if file.is_file() and file.resolve().is_relative_to(inside)]
            if not files:
                near = ", ".join(sorted(file.name for file in root.iterdir() if not file.name.startswith("."))[:5])
                raise _not_found(uri, f"there are {near}" if near else "the volume is empty")
            _bounded(uri, len(files))
            self.objects = tuple(self._listed(file) for file in files)

    def copy(self, wanted: SourceObject, target: Path) -> LocalFile:
        """See Source."""
        file = self._root / wanted.name
        with self._told():
            before = self._listed(file)
            return LocalFile(target, wanted.name, copy_hashed(file, target), before.version)

    def _listed(self, file: Path) -> SourceObject:
        told = file.stat()
        version = hash_file(file).digest if self._by_content else str(told.st_mtime_ns)
        return SourceObject(str(file.relative_to(self._root)), told.st_size, version)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise Told("SourceForbidden", f"{self._uri} can't be read: {error.strerror}", retry=True) from error
        except FileNotFoundError as error:
            raise _not_found(self._uri, f"{error.filename} was removed while it was read") from error


def _found(root: Path, pattern: str) -> list[Path]:
    try:
        return sorted(root.glob(pattern))
    except (NotImplementedError, ValueError):
        # Absolute, or with a ** that is not a whole part: nothing can fit.
        return []


class _Bucket:
    """Objects of S3."""

    remote = True

    def __init__(
        self, source: SourceLocation, store: StoreLocation, namespace: str, environment: Mapping[str, str]
    ) -> None:
        from modelwright_worker.s3 import Wording, s3_client

        _require_own(source.uri, store.uri, namespace)
        self._uri = source.uri
        self._bucket, _, path = source.uri.removeprefix("s3://").partition("/")
        self._endpoint = source.endpoint or (store.endpoint if store.uri.startswith("s3://") else None)
        prefix = _keys_prefix(source, environment)
        secret = "spec.source.secretRef's Secret" if source.own_keys else "the store's Secret"
        self._wording = Wording(f"the source {source.uri}", "SourceForbidden", "SourceNotFound", secret)
        with self._told():
            self._client = s3_client(self._endpoint, source.region or store.region, environment, prefix=prefix)
            self.objects = self._matching(path) if _is_pattern(path) else (self._single(path),)
        for found in self.objects:
            _require_own(f"s3://{self._bucket}/{found.name}", store.uri, namespace)

    def copy(self, wanted: SourceObject, target: Path) -> LocalFile:
        """See Source."""
        from modelwright_worker.s3 import download_object

        with self._told():
            found = download_object(self._client, self._bucket, wanted.name, target)
        if found is None:
            raise self._lacking(wanted.name)
        return LocalFile(target, wanted.name, *found)

    def _single(self, key: str) -> SourceObject:
        from modelwright_worker.s3 import object_head, version_of

        head = object_head(self._client, self._bucket, key)
        if head is None:
            raise self._lacking(key)
        return SourceObject(key, int(head["ContentLength"]), version_of(head))

    def _matching(self, pattern: str) -> tuple[SourceObject, ...]:
        from modelwright_worker.s3 import version_of

        literal = pattern[: min(pattern.find(c) for c in "*?" if c in pattern)]
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=literal)
        listed = [item for page in pages for item in page.get("Contents", ())]
        # A star stays within one folder, as in a shell.
        depth = pattern.count("/")
        found = [
            SourceObject(item["Key"], int(item["Size"]), version_of(item))
            for item in listed
            if item["Key"].count("/") == depth and fnmatch.fnmatchcase(item["Key"], pattern)
        ]
        if not found:
            detail = f"{len(listed)} objects begin with {literal or self._bucket}, none matches"
            raise _not_found(self._uri, detail)
        _bounded(self._uri, len(found))
        return tuple(sorted(found, key=lambda one: one.name))

    def _lacking(self, key: str) -> Told:
        return _not_found(self._uri, f"bucket {self._bucket} has no object {key}")

    def _told(self) -> AbstractContextManager[None]:
        from modelwright_worker.s3 import told

        return told(self._wording, self._bucket, self._endpoint)


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
def room(places: Places) -> Iterator[None]:
    """Turn a full disk into Told."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        message = f"no room for the source in {places.scratch}: raise spec.resources.limits.ephemeral-storage"
        raise Told("SourceUnreadable", message, retry=False) from error
