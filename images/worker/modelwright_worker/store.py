"""The artifact store: bytes by key, written once. `s3.py` and `directory.py` are its two kinds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from modelwright_contract.canonical import Digest, Json, digest_of, hex_of
from modelwright_contract.manifests import MAX_MANIFEST_BYTES, Blob
from modelwright_contract.tasks import StoreLocation
from modelwright_worker.failures import Told
from modelwright_worker.places import Places

CHUNK_BYTES = 1 << 20
MAX_RESULT_BYTES = 8 << 20


class Store(Protocol):
    """What every store does. Raises Told: StoreUnreachable, StoreForbidden, StoreNotFound."""

    uri: str
    """The namespace's root, for people and summaries."""

    def read(self, key: str, limit_bytes: int) -> bytes | None:
        """A small object's bytes; None when there is none."""

    def download(self, key: str, target: Path) -> Blob | None:
        """Stream an object to a file while hashing; None when there is none."""

    def put_once(self, key: str, content: bytes) -> bool:
        """Write a small object unless it is there; whether it was written."""

    def upload(self, key: str, source: Path) -> None:
        """Stream a file to an object unless one of that size is there."""


def open_store(location: StoreLocation, namespace: str, places: Places, environment: Mapping[str, str]) -> Store:
    """The store of a namespace. Raises Told."""
    scheme, _, rest = location.uri.partition("://")
    name, _, prefix = rest.partition("/")
    if scheme == "pvc":
        from modelwright_worker.directory import DirectoryStore

        return DirectoryStore(places.claim(name), prefix, namespace, f"{location.uri.rstrip('/')}/{namespace}")
    if scheme == "s3":
        from modelwright_worker.s3 import S3Store, s3_client

        client = s3_client(location.endpoint, location.region, environment, prefix="")
        return S3Store(client, name, prefix, namespace, location.endpoint)
    raise Told(
        "StoreNotFound", f"store.uri is {location.uri}: write s3://bucket/prefix or pvc://claim/prefix", retry=True
    )


def blob_key(digest: str) -> str:
    """Where content of a digest lies."""
    return f"blobs/sha256/{hex_of(digest)}"


def manifest_key(digest: str) -> str:
    """Where the manifest of a digest lies."""
    return f"manifests/sha256/{hex_of(digest)}.json"


def result_key(key: str) -> str:
    """Where the full result of a step lies."""
    return f"results/{key}.json"


def read_result(store: Store, key: str) -> Mapping[str, Json] | None:
    """The full result of a step; None when there is none that can be read."""
    content = store.read(result_key(key), MAX_RESULT_BYTES)
    try:
        document = None if content is None else json.loads(content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def hash_file(path: Path) -> Blob:
    """Digest and size of a file, in bounded memory."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Blob(Digest("sha256:" + digest), file.tell())


def put_blob(store: Store, path: Path, rows: int | None = None) -> Blob:
    """Store a file under its digest."""
    blob = hash_file(path)
    store.upload(blob_key(blob.digest), path)
    return Blob(blob.digest, blob.bytes, rows)


def put_manifest(store: Store, content: bytes) -> tuple[Digest, str]:
    """Store a manifest under its digest; gives digest and location."""
    digest = digest_of(content)
    key = manifest_key(digest)
    store.put_once(key, content)
    return digest, f"{store.uri}/{key}"


def read_manifest(store: Store, digest: str) -> bytes | None:
    """A manifest's bytes, checked against its digest; None when there is none or it was altered."""
    content = store.read(manifest_key(digest), MAX_MANIFEST_BYTES)
    return content if content is not None and digest_of(content) == digest else None


def fetch_blob(store: Store, blob: Blob, target: Path) -> bool:
    """Stream a blob to a file; False when it is not there or its bytes are not what the digest says."""
    found = store.download(blob_key(blob.digest), target)
    return found is not None and found.digest == blob.digest
