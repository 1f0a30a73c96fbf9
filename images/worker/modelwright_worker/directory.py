"""A store in a directory of a PersistentVolumeClaim: writes appear at once or not at all, and never change."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelwright_contract.canonical import Digest
from modelwright_contract.manifests import Blob
from modelwright_worker.failures import Told
from modelwright_worker.store import CHUNK_BYTES


class DirectoryStore:
    """Objects are files under `<mount>/<prefix>/<namespace>`."""

    def __init__(self, mount: Path, prefix: str, namespace: str, uri: str) -> None:
        if not mount.is_dir():
            raise Told(
                "StoreNotFound", f"the store {uri} is not mounted: does the PersistentVolumeClaim exist?", retry=True
            )
        self._root = mount / prefix.strip("/") / namespace
        self.uri = uri

    def read(self, key: str, limit_bytes: int) -> bytes | None:
        """See Store."""
        with self._told():
            try:
                with (self._root / key).open("rb") as file:
                    content = file.read(limit_bytes + 1)
            except FileNotFoundError:
                return None
            return content if len(content) <= limit_bytes else None

    def download(self, key: str, target: Path) -> Blob | None:
        """See Store."""
        with self._told():
            try:
                return copy_hashed(self._root / key, target)
            except FileNotFoundError:
                return None

    def put_once(self, key: str, content: bytes) -> bool:
        """See Store."""
        with self._told():
            temporary = self._temporary(key)
            temporary.write_bytes(content)
            return self._publish(temporary, self._root / key)

    def upload(self, key: str, source: Path) -> None:
        """See Store."""
        with self._told():
            final = self._root / key
            if final.exists() and final.stat().st_size == source.stat().st_size:
                return
            temporary = self._temporary(key)
            try:
                shutil.copyfile(source, temporary)
                _sync(temporary)
                # What is there is cut off or altered: a blob's name says what it holds.
                temporary.replace(final)
            finally:
                temporary.unlink(missing_ok=True)

    def _temporary(self, key: str) -> Path:
        final = self._root / key
        final.parent.mkdir(parents=True, exist_ok=True)
        return final.parent / f".{uuid.uuid4().hex}.part"

    def _publish(self, temporary: Path, final: Path) -> bool:
        _sync(temporary)
        try:
            os.link(temporary, final)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
                raise
            # A file system without hard links: the rename is as atomic, but lets the last writer win.
            temporary.rename(final)
            return True
        finally:
            temporary.unlink(missing_ok=True)
        return True

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise Told(
                "StoreForbidden", f"the store {self.uri} refuses: {error.strerror}: {error.filename}", retry=True
            ) from error
        except OSError as error:
            raise Told(
                "StoreUnreachable", f"the store {self.uri} fails: {error.strerror or error}", retry=True
            ) from error


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def copy_hashed(source: Path, target: Path) -> Blob:
    """Copy a file while hashing it. Raises OSError."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
            size += len(chunk)
    return Blob(Digest("sha256:" + digest.hexdigest()), size)
