"""Reading again: nothing where nothing has changed, only what has where something did, and always the same versions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwright_contract.results import Failure, IngestSummary

from .object_store import KEYS, ObjectStore, object_store
from .steps import Run, Steps

DECLARED = [{"name": "y", "role": "target", "type": "boolean"}]


def rows(part: int, count: int = 200) -> bytes:
    """A part of a table, as CSV."""
    lines = [f"{part * 1000 + i},{i * 7 % 50},{'true' if i % 3 else 'false'}" for i in range(count)]
    return ("id,x,y\n" + "\n".join(lines) + "\n").encode()


@pytest.fixture
def s3() -> Iterator[ObjectStore]:
    """Three objects of a table, and one that is none of it."""
    with object_store() as store:
        store.objects = {f"flights/part-{n}.csv": rows(n) for n in range(3)} | {"flights/readme.txt": b"not a table"}
        yield store


class Dataset:
    """One Dataset's readings, one after the other; each compared with the last one that succeeded."""

    def __init__(self, steps: Steps, source: dict[str, Any], *, copies: bool = True) -> None:
        self._steps = steps
        self._source, self._copies = source, copies
        self._read = 0
        self._last: str | None = None

    def run(self, **task: object) -> Run:
        """One reading under a key of its own."""
        self._read += 1
        key = f"{self._read:064x}"
        asked = {"source": self._source, "columns": DECLARED, "keepCopies": self._copies, "previous": self._last}
        run = self._steps.run("ingest", {**asked, "key": key, **task})
        if isinstance(run.report, IngestSummary):
            self._last = key
        return run

    def read(self, **task: object) -> IngestSummary:
        """One that must succeed."""
        run = self.run(**task)
        assert isinstance(run.report, IngestSummary), run
        return run.report


@pytest.fixture
def dataset(steps: Steps, s3: ObjectStore) -> Dataset:
    steps.keys |= KEYS
    return Dataset(steps, {"uri": "s3://raw/flights/*.csv", "endpoint": s3.endpoint})


def test_unchanged_data_is_not_read(dataset: Dataset, s3: ObjectStore) -> None:
    first = dataset.read()
    assert (first.objects, first.read) == (3, 3)
    assert s3.read() == [f"flights/part-{n}.csv" for n in range(3)]
    again = dataset.read()
    assert s3.read() == []
    assert (again.objects, again.read) == (3, 0)
    assert again == first.model_copy(update={"read": 0})
    assert dataset.read() == again
    assert s3.read() == []


def test_nothing_that_reads_is_even_loaded_for_unchanged_data(steps: Steps, s3: ObjectStore) -> None:
    steps.keys |= KEYS
    source = {"uri": "s3://raw/flights/*.csv", "endpoint": s3.endpoint}
    task = {"source": source, "columns": DECLARED, "keepCopies": True}
    steps.run("ingest", {**task, "key": "a" * 64})
    run = steps.run("ingest", {**task, "previous": "a" * 64}, {**KEYS, "PYTHONPROFILEIMPORTTIME": "1"})
    assert run.code == 0, run.output
    loaded = {line.rpartition("|")[2].strip() for line in run.output.splitlines() if line.startswith("import time:")}
    assert "botocore.session" in loaded
    assert not loaded & {"duckdb", "pyarrow", "sklearn", "numpy"}


@pytest.mark.parametrize(
    ("change", "read"),
    [
        pytest.param({"flights/part-1.csv": rows(7)}, ["flights/part-1.csv"], id="one that changed"),
        pytest.param({"flights/part-3.csv": rows(3)}, ["flights/part-3.csv"], id="one that is new"),
        pytest.param({"flights/part-2.csv": None}, [], id="one that is gone"),
        pytest.param({"flights/part-1.csv": None, "flights/part-9.csv": rows(1)}, ["flights/part-9.csv"],
                     id="one that was renamed"),
    ],
)  # fmt: skip
def test_only_what_changed_is_read_and_the_version_is_that_of_a_whole_reading(
    steps: Steps, dataset: Dataset, s3: ObjectStore, change: dict[str, bytes | None], read: list[str]
) -> None:
    first = dataset.read()
    s3.read()
    for key, content in change.items():
        s3.objects.pop(key, None)
        if content is not None:
            s3.objects[key] = content
    second = dataset.read()
    assert s3.read() == read
    assert second.read == len(read)
    assert second.objects == len([key for key in s3.objects if key.endswith(".csv")])
    assert second.digest != first.digest
    whole = Dataset(steps, {"uri": "s3://raw/flights/*.csv", "endpoint": s3.endpoint}, copies=False)
    assert whole.read(key="f" * 64).digest == second.digest
    assert dataset.read().read == 0


def test_what_comes_back_is_the_version_of_before(dataset: Dataset, s3: ObjectStore) -> None:
    first = dataset.read()
    s3.objects["flights/part-1.csv"] = rows(7)
    dataset.read()
    s3.objects["flights/part-1.csv"] = rows(1)
    assert dataset.read().digest == first.digest


def test_the_same_content_written_anew_is_read_and_makes_no_version(dataset: Dataset, s3: ObjectStore) -> None:
    first = dataset.read()
    s3.read()
    s3.rewrites["flights/part-1.csv"] = 1
    second = dataset.read()
    assert s3.read() == ["flights/part-1.csv"]
    assert second == first.model_copy(update={"read": 1})
    dataset.read()
    assert s3.read() == []


def test_a_copy_that_was_lost_or_altered_is_read_from_the_source(
    steps: Steps, dataset: Dataset, s3: ObjectStore
) -> None:
    dataset.read()
    copies = steps.store / "blobs" / "sha256"
    found = [path for path in copies.iterdir() if path.read_bytes() in s3.objects.values()]
    assert len(found) == 3
    found[0].unlink()
    found[1].write_bytes(found[1].read_bytes()[:-1] + b"!")
    s3.read()
    s3.objects["flights/part-3.csv"] = rows(3)
    assert dataset.read().read == 3
    assert len(s3.read()) == 3


def test_without_readings_to_come_no_copies_are_kept(steps: Steps, s3: ObjectStore) -> None:
    steps.keys |= KEYS
    once = Dataset(steps, {"uri": "s3://raw/flights/*.csv", "endpoint": s3.endpoint}, copies=False)
    once.read()
    assert not [path for path in (steps.store / "blobs" / "sha256").iterdir() if path.read_bytes().startswith(b"id,")]


def test_a_single_object_is_asked_for_by_its_head(steps: Steps, s3: ObjectStore) -> None:
    steps.keys |= KEYS
    single = Dataset(steps, {"uri": "s3://raw/flights/part-0.csv", "endpoint": s3.endpoint})
    single.read()
    s3.read()
    assert single.read().read == 0
    assert s3.read() == []
    s3.objects["flights/part-0.csv"] = rows(8)
    assert single.read().read == 1
    assert s3.read() == ["flights/part-0.csv"]


def test_poisoned_data_makes_no_version_and_what_comes_after_is_compared_with_the_good_one(
    dataset: Dataset, s3: ObjectStore
) -> None:
    checks = [{"name": "enough", "rowCount": {"min": 500}}]
    first = dataset.read(checks=checks)
    good = s3.objects["flights/part-1.csv"]
    s3.objects["flights/part-1.csv"] = rows(1, 3)
    failed = dataset.run(checks=checks).report
    assert isinstance(failed, Failure)
    assert (failed.reason, failed.retry) == ("CheckFailed", True)
    s3.objects["flights/part-1.csv"] = good
    s3.read()
    assert dataset.read(checks=checks).digest == first.digest
    assert s3.read() == []


def test_a_source_that_is_away_is_told_and_nothing_is_lost(dataset: Dataset, s3: ObjectStore) -> None:
    first = dataset.read()
    s3.away = True
    failed = dataset.run().report
    assert isinstance(failed, Failure)
    assert (failed.reason, failed.retry) == ("StoreUnreachable", True)
    s3.away = False
    s3.read()
    assert dataset.read().digest == first.digest
    assert s3.read() == []


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("s3://other/x.csv", "there is no bucket other"),
        ("s3://other/*.csv", "there is no bucket other"),
        ("s3://raw/lacking.csv", "bucket raw has no object lacking.csv"),
        ("s3://raw/flights/*.parquet", "4 objects begin with flights/, none matches"),
    ],
)
def test_what_is_lacking_is_named(steps: Steps, s3: ObjectStore, uri: str, says: str) -> None:
    steps.keys |= KEYS
    failure = steps.failure("ingest", {"source": {"uri": uri, "endpoint": s3.endpoint}})
    assert (failure.reason, failure.retry) == ("SourceNotFound", True)
    assert says in failure.message


@pytest.mark.parametrize("document", [b"not json", b"{}", b'{"summary": {}, "details": {"source": [{"name": "a"}]}}'])
def test_an_earlier_result_that_can_not_be_read_is_none(
    steps: Steps, dataset: Dataset, s3: ObjectStore, document: bytes
) -> None:
    first = dataset.read()
    (steps.store / "results" / f"{1:064x}.json").write_bytes(document)
    again = dataset.read()
    assert (again.digest, again.read) == (first.digest, 3)


def test_files_of_a_volume_are_known_by_size_and_time(steps: Steps) -> None:
    for number in range(2):
        steps.write(f"part-{number}.csv", rows(number))
    volume = Dataset(steps, {"uri": "pvc://claim/part-*.csv"})
    first = volume.read()
    again = volume.read()
    assert (again.digest, again.read) == (first.digest, 0)
    path = steps.volume / "part-0.csv"
    os.utime(path, ns=(1, 1))
    assert volume.read() == first
    steps.write("part-0.csv", rows(5))
    changed = volume.read()
    assert changed.digest != first.digest
    assert changed.read == 2


def test_a_config_map_is_known_by_its_content(steps: Steps) -> None:
    """The kubelet writes it anew for each Pod."""
    mounted = steps.root / "mnt" / "configmap" / "rows"
    mounted.mkdir(parents=True)
    (mounted / "rows.csv").write_bytes(rows(1))
    dataset = Dataset(steps, {"uri": "configmap://rows/rows.csv"})
    first = dataset.read()
    (mounted / "rows.csv").unlink()
    (mounted / "rows.csv").write_bytes(rows(1))
    assert dataset.read() == first.model_copy(update={"read": 0})
    (mounted / "rows.csv").write_bytes(rows(2))
    assert dataset.read().digest != first.digest


def test_versions_and_digests_of_files_lie_beside_the_version_not_in_it(steps: Steps, dataset: Dataset) -> None:
    summary = dataset.read()
    result = json.loads((steps.store / "results" / f"{1:064x}.json").read_bytes())
    files = result["details"]["source"]
    assert [sorted(file) for file in files] == [["bytes", "digest", "name", "version"]] * 3
    manifest = Path(summary.uri.replace("pvc://claim", str(steps.volume))).read_text()
    assert not any(file["version"] in manifest for file in files)
