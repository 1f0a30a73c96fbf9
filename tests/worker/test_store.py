"""Stores: what is written stays, errors are sentences; limits and rooms, each by itself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from modelwright_contract.results import (
    MAX_SUMMARY_BYTES,
    Failure,
    GateResult,
    Metrics,
    PackageSummary,
    Signature,
    Tensor,
    TrainSummary,
    parse_summary,
)
from modelwright_worker.directory import DirectoryStore
from modelwright_worker.failures import Told
from modelwright_worker.limits import memory_bytes, processors
from modelwright_worker.room import within_bounds
from modelwright_worker.s3 import S3Store
from modelwright_worker.store import fetch_blob, put_blob, put_manifest, read_manifest

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path, "prefix", "team", "pvc://claim/prefix/team")


def test_the_first_write_stays(directory: DirectoryStore) -> None:
    assert directory.put_once("results/x.json", b"first")
    assert not directory.put_once("results/x.json", b"second")
    assert directory.read("results/x.json", 100) == b"first"
    assert directory.read("results/x.json", 4) is None
    assert directory.read("results/y.json", 100) is None


def test_a_blob_comes_back_by_its_digest_or_not_at_all(directory: DirectoryStore, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"bytes" * 1000)
    blob = put_blob(directory, source, rows=3)
    assert put_blob(directory, source, rows=3) == blob
    assert fetch_blob(directory, blob, target)
    assert target.read_bytes() == source.read_bytes()
    held = next((tmp_path / "prefix" / "team" / "blobs" / "sha256").iterdir())
    held.write_bytes(b"other" * 1000)
    assert not fetch_blob(directory, blob, target)


def test_a_blob_that_was_cut_off_is_put_again(directory: DirectoryStore, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"bytes" * 1000)
    blob = put_blob(directory, source)
    held = next((tmp_path / "prefix" / "team" / "blobs" / "sha256").iterdir())
    held.write_bytes(b"bytes")
    assert put_blob(directory, source) == blob
    assert fetch_blob(directory, blob, target)
    assert [path.name for path in held.parent.iterdir()] == [held.name]


def test_an_altered_manifest_is_none(directory: DirectoryStore, tmp_path: Path) -> None:
    digest, uri = put_manifest(directory, b"{}")
    assert uri.startswith("pvc://claim/prefix/team/manifests/sha256/")
    assert read_manifest(directory, digest) == b"{}"
    next((tmp_path / "prefix" / "team" / "manifests" / "sha256").iterdir()).write_bytes(b"[]")
    assert read_manifest(directory, digest) is None


@pytest.fixture
def s3() -> Iterator[tuple[S3Store, Stubber]]:
    client = botocore.session.Session().create_client(
        "s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber:
        yield S3Store(client, "bucket", "prefix", "team", "http://s3.example"), stubber


def test_a_key_lies_under_prefix_and_namespace(s3: tuple[S3Store, Stubber]) -> None:
    store, stubber = s3
    body = StreamingBody(io.BytesIO(b"hello"), 5)
    stubber.add_response("get_object", {"Body": body}, {"Bucket": "bucket", "Key": "prefix/team/results/x.json"})
    assert store.read("results/x.json", 100) == b"hello"
    assert store.uri == "s3://bucket/prefix/team"


def test_a_write_that_lost_the_race_says_so(s3: tuple[S3Store, Stubber]) -> None:
    store, stubber = s3
    stubber.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
    assert not store.put_once("results/x.json", b"{}")


def test_a_lacking_object_is_none(s3: tuple[S3Store, Stubber]) -> None:
    store, stubber = s3
    stubber.add_client_error("get_object", "NoSuchKey", http_status_code=404)
    assert store.read("results/x.json", 100) is None


@pytest.mark.parametrize(
    ("code", "status", "reason", "says"),
    [
        ("NoSuchBucket", 404, "StoreNotFound", "there is no bucket bucket at http://s3.example"),
        ("AccessDenied", 403, "StoreForbidden", "check the keys in the store's Secret"),
        ("SignatureDoesNotMatch", 403, "StoreForbidden", "check the keys"),
        ("InternalError", 500, "StoreUnreachable", "InternalError"),
    ],
)
def test_errors_of_s3_are_sentences(
    s3: tuple[S3Store, Stubber], code: str, status: int, reason: str, says: str
) -> None:
    store, stubber = s3
    stubber.add_client_error("get_object", code, http_status_code=status)
    with pytest.raises(Told, match=says) as caught:
        store.read("results/x.json", 100)
    assert (caught.value.reason, caught.value.retry) == (reason, True)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
    ],
    ids=["one and a half", "a half", "version 1"],
)
def test_processors_are_the_quotas(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert processors(tmp_path) == expected


def test_without_a_limit_the_machine_is_the_limit(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000")
    (tmp_path / "memory.max").write_text("max")
    assert processors(tmp_path) >= 1
    assert memory_bytes(tmp_path) > 1 << 28
    (tmp_path / "memory.max").write_text(str(1 << 27))
    assert memory_bytes(tmp_path) == 1 << 27


def inputs(count: int) -> tuple[Tensor, ...]:
    return tuple(Tensor(name=f"column_{index:03d}", datatype="FP64", shape=(-1,)) for index in range(count))


LONG: list[Any] = [
    Failure(reason="CheckFailed", message="ж" * 1000, retry=True, violations={"total": 9, "first": ["ж" * 250] * 5}),
    PackageSummary(
        image="h/r@" + DIGEST, model={"digest": DIGEST}, sizes={"model": 1, "layer": 2, "image": 3},
        signature=Signature(inputs=inputs(256)), golden_rows=32,
    ),
    TrainSummary(
        digest=DIGEST, uri="s3://" + "u" * 500, bytes=2, passed=True,
        metrics=Metrics(**{part: {f"metric_{i}": "0.123456" for i in range(32)} for part in ("validation", "test")}),
        gates=[GateResult(name=f"g{i}", metric=f"metric_{i}", value="0.1", min="0", passed=True) for i in range(20)],
    ),
]  # fmt: skip


def test_what_failed_is_cut_last() -> None:
    names = [f"{'g' * 60}{number:02d}" for number in range(20)]
    figures = dict.fromkeys(("value", "champion", "gain", "gain_at_least", "p_value"), "-0.123456")
    gates = tuple(
        GateResult(name=name, metric="median_absolute_error", passed=name != names[-1], **figures) for name in names
    )
    report = TrainSummary(digest=DIGEST, uri="s3://" + "u" * 500, bytes=2, passed=False, metrics=Metrics(), gates=gates)
    kept = parse_summary(within_bounds(report))
    assert isinstance(kept, TrainSummary)
    assert [gate.name for gate in kept.gates] == [*names[: len(kept.gates) - 1], names[-1]]
    assert {(gate.champion, gate.p_value, gate.gain) for gate in kept.gates} == {("-0.123456", "-0.123456", None)}


@pytest.mark.parametrize("report", LONG, ids=["failure", "package", "train"])
def test_every_report_fits_its_message(report: Any) -> None:
    assert len(report.to_json().encode()) > MAX_SUMMARY_BYTES
    text = within_bounds(report)
    assert len(text.encode()) <= MAX_SUMMARY_BYTES
    told = parse_summary(text)
    assert type(told) is type(report)
    if isinstance(told, PackageSummary):
        assert len(told.signature.inputs) + (told.signature.omitted or 0) == 256
