"""S3 by botocore (boto3's own layers only cost start-up time here): bounded retries, errors as sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import botocore.config
import botocore.exceptions
import botocore.session

from modelwright_contract.canonical import Digest
from modelwright_contract.manifests import Blob
from modelwright_contract.results import Reason
from modelwright_worker.failures import Told
from modelwright_worker.store import CHUNK_BYTES

PART_BYTES = 64 << 20
MULTIPART_FROM_BYTES = 256 << 20
CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 30
ATTEMPTS = 3
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_NO_BUCKET = frozenset({"NoSuchBucket"})
_FORBIDDEN = frozenset(
    {"AccessDenied", "Forbidden", "403", "401", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
)

Client: TypeAlias = Any
"""botocore makes its clients' methods at run time."""


def s3_client(endpoint: str | None, region: str | None, environment: Mapping[str, str], *, prefix: str) -> Client:
    """A client with the keys in the variables of that prefix; gives up an unreachable server in under 20 s."""
    config = botocore.config.Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return botocore.session.Session().create_client(
        "s3",
        region_name=region or environment.get(f"{prefix}AWS_DEFAULT_REGION") or "us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=environment.get(f"{prefix}AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environment.get(f"{prefix}AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environment.get(f"{prefix}AWS_SESSION_TOKEN"),
        config=config,
    )


@dataclass(frozen=True, slots=True)
class Wording:
    """How errors of one use of S3 are told: as the store, or as a source."""

    what: str
    forbidden: Reason
    no_bucket: Reason
    secret: str


@contextmanager
def told(wording: Wording, bucket: str, endpoint: str | None) -> Iterator[None]:
    """Turn botocore's errors into Told."""
    at = endpoint or "AWS"
    try:
        yield
    except botocore.exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _NO_BUCKET:
            message = f"{wording.what}: there is no bucket {bucket} at {at}: create it, or correct the location"
            raise Told(wording.no_bucket, message, retry=True) from error
        if code in _FORBIDDEN:
            message = f"{wording.what}: {at} refuses bucket {bucket} ({code}): check the keys in {wording.secret}"
            raise Told(wording.forbidden, message, retry=True) from error
        message = f"{wording.what}: {at} answers {code or 'with an error'}: {str(error)[:200]}"
        raise Told("StoreUnreachable", message, retry=True) from error
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
        message = f"{wording.what}: no keys: {wording.secret} must hold AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise Told(wording.forbidden, message, retry=True) from error
    except ValueError as error:
        raise Told(
            "StoreUnreachable", f"{wording.what}: {at} is no endpoint: {str(error)[:200]}", retry=True
        ) from error
    except (botocore.exceptions.BotoCoreError, ConnectionError, TimeoutError) as error:
        message = f"{wording.what}: can't reach {at}: {type(error).__name__}: is the endpoint right, and the server up?"
        raise Told("StoreUnreachable", message, retry=True) from error


def is_absent(error: botocore.exceptions.ClientError) -> bool:
    """Whether the object, not the bucket, is lacking."""
    return str(error.response.get("Error", {}).get("Code", "")) in _ABSENT


def download_object(client: Client, bucket: str, key: str, target: Path) -> tuple[Blob, str] | None:
    """Stream an object to a file while hashing; None when there is none. Gives what it held, and its version.

    A broken stream is begun again once.
    """
    try:
        return _download(client, bucket, key, target)
    except (botocore.exceptions.HTTPClientError, botocore.exceptions.IncompleteReadError):
        return _download(client, bucket, key, target)


def _download(client: Client, bucket: str, key: str, target: Path) -> tuple[Blob, str] | None:
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except botocore.exceptions.ClientError as error:
        if is_absent(error):
            return None
        raise
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
    return Blob(Digest("sha256:" + digest.hexdigest()), size), version_of(answer)


def object_head(client: Client, bucket: str, key: str) -> Mapping[str, Any] | None:
    """What is told of an object beside its content; None when there is none."""
    try:
        head: Mapping[str, Any] = client.head_object(Bucket=bucket, Key=key)
    except botocore.exceptions.ClientError:
        # HEAD only has a number for an error: GET tells whether the object is lacking, or the bucket, or which key.
        try:
            answer = client.get_object(Bucket=bucket, Key=key)
        except botocore.exceptions.ClientError as error:
            if is_absent(error):
                return None
            raise
        answer["Body"].close()
        head = answer
    return head


def version_of(told: Mapping[str, Any]) -> str:
    """What changes when an object does, from an answer or a listing: its ETag, or else when it was written."""
    return str(told.get("ETag") or told.get("LastModified") or "").strip('"')


def upload_object(
    client: Client, bucket: str, key: str, source: Path, metadata: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Stream a file to an object, which appears whole or not at all, with this metadata of the user's."""
    where = {"Bucket": bucket, "Key": key}
    told = {"Metadata": dict(metadata)} if metadata else {}
    if source.stat().st_size < MULTIPART_FROM_BYTES:
        with source.open("rb") as file:
            client.put_object(**where, **told, Body=file)
        return
    upload = client.create_multipart_upload(**where, **told)["UploadId"]
    parts = []
    try:
        with source.open("rb") as file:
            for number, chunk in enumerate(iter(lambda: file.read(PART_BYTES), b""), 1):
                answer = client.upload_part(**where, UploadId=upload, PartNumber=number, Body=chunk)
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    except BaseException:
        client.abort_multipart_upload(**where, UploadId=upload)
        raise


def metadata_of(client: Client, bucket: str, key: str) -> Mapping[str, str] | None:
    """The user's metadata of an object; None when there is no object."""
    try:
        found: Mapping[str, str] = client.head_object(Bucket=bucket, Key=key).get("Metadata", {})
    except botocore.exceptions.ClientError as error:
        if is_absent(error):
            return None
        raise
    return found


_STORE = Wording("the store", "StoreForbidden", "StoreNotFound", "the store's Secret")


class S3Store:
    """Objects under `s3://<bucket>/<prefix>/<namespace>/`."""

    def __init__(self, client: Client, bucket: str, prefix: str, namespace: str, endpoint: str | None) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = "/".join(part for part in (prefix.strip("/"), namespace) if part)
        self._endpoint = endpoint
        self.uri = f"s3://{bucket}/{self._prefix}"

    def read(self, key: str, limit_bytes: int) -> bytes | None:
        """See Store."""
        with self._told():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key))
            except botocore.exceptions.ClientError as error:
                if is_absent(error):
                    return None
                raise
            content: bytes = answer["Body"].read(limit_bytes + 1)
            return content if len(content) <= limit_bytes else None

    def download(self, key: str, target: Path) -> Blob | None:
        """See Store."""
        with self._told():
            found = download_object(self._client, self._bucket, self._key(key), target)
            return None if found is None else found[0]

    def put_once(self, key: str, content: bytes) -> bool:
        """See Store."""
        with self._told():
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._key(key), Body=content, IfNoneMatch="*")
            except botocore.exceptions.ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in (409, 412):
                    return False
                raise
            return True

    def upload(self, key: str, source: Path) -> None:
        """See Store."""
        with self._told():
            if self._size(key) != source.stat().st_size:
                upload_object(self._client, self._bucket, self._key(key), source)

    def _size(self, key: str) -> int | None:
        try:
            return int(self._client.head_object(Bucket=self._bucket, Key=self._key(key))["ContentLength"])
        except botocore.exceptions.ClientError as error:
            if is_absent(error):
                return None
            raise

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        with told(_STORE, self._bucket, self._endpoint):
            yield
