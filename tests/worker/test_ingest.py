"""`ingest` as a process: versions by content, the columns rule, checks, and what bad input is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwright_contract.results import IngestSummary

from .steps import LATE, Steps, flights


def manifest(steps: Steps, summary: IngestSummary) -> dict[str, object]:
    path = steps.store / "manifests" / "sha256" / f"{summary.digest.removeprefix('sha256:')}.json"
    document: dict[str, object] = json.loads(path.read_bytes())
    return document


def split(steps: Steps, summary: IngestSummary, label: str) -> pa.Table:
    blob = manifest(steps, summary)["splits"][label]["digest"].removeprefix("sha256:")
    return pq.read_table(steps.store / "blobs" / "sha256" / blob)


def test_a_version_holds_typed_rows_in_three_splits_and_a_contract(steps: Steps) -> None:
    uri = steps.write("flights.csv", flights())
    summary = steps.ingest(uri, columns=[LATE, {"name": "id", "role": "id"}, {"name": "cancelled", "role": "ignore"}])
    assert summary.rows == 400
    assert summary.splits.train + summary.splits.validation + summary.splits.test == 400
    document = manifest(steps, summary)
    assert document["columns"] == [
        {"name": "id", "type": "integer", "role": "id"},
        {"name": "month", "type": "integer", "role": "feature"},
        {"name": "carrier", "type": "string", "role": "feature"},
        {"name": "distance", "type": "integer", "role": "feature"},
        {"name": "arr_delay", "type": "integer", "role": "input"},
        {"name": "time_hour", "type": "timestamp", "role": "feature"},
    ]
    contract = document["contract"]
    assert contract["features"] == ["month", "carrier", "distance", "time_hour"]
    assert contract["categories"] == {"carrier": ["AA", "DL", "UA"]}
    train = split(steps, summary, "train")
    assert train.num_rows == summary.splits.train
    assert train.column("arr_delay").null_count > 0
    assert str(train.schema.field("time_hour").type) == "timestamp[us, tz=UTC]"


def test_declared_features_are_the_only_ones(steps: Steps) -> None:
    columns = [LATE, {"name": "hour", "expression": "hour(time_hour)"}, {"name": "distance", "type": "number"}]
    summary = steps.ingest(steps.write("f.csv", flights()), columns=columns)
    document = manifest(steps, summary)
    assert document["contract"]["features"] == ["distance", "hour"]
    assert [column["name"] for column in document["columns"]] == ["distance", "arr_delay", "time_hour"]


def test_the_order_in_which_columns_are_declared_decides_nothing(steps: Steps) -> None:
    uri = steps.write("f.csv", flights())
    declared = [
        LATE,
        {"name": "hour", "expression": "hour(time_hour)"},
        {"name": "distance", "type": "number"},
        {"name": "code", "expression": "lower(carrier)"},
        {"name": "month"},
        {"name": "id", "role": "id"},
    ]
    orders = (declared, declared[::-1], [*declared[3:], *declared[:3]])
    versions = [steps.ingest(uri, columns=order, key=f"{index}" * 64) for index, order in enumerate(orders)]
    assert len({version.digest for version in versions}) == 1
    contract = manifest(steps, versions[0])["contract"]
    assert contract["features"] == ["month", "distance", "code", "hour"]
    assert [step["name"] for step in contract["steps"]] == ["code", "hour"]


def test_the_same_rows_give_the_same_digests_whatever_the_process(steps: Steps) -> None:
    uri = steps.write("flights.csv", flights(3000))
    columns = [LATE, {"name": "code", "type": "string", "expression": "lower(carrier)"}, {"name": "distance"}]
    digests = set()
    for seed, threads in (("1", "1"), ("2", "2"), ("3", "8")):
        environment = {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "TZ": "Asia/Tokyo"}
        digests.add(steps.ingest(uri, environment, columns=columns, key=seed * 64).digest)
    assert len(digests) == 1


def test_parquet_and_csv_of_the_same_rows_are_the_same_version(steps: Steps) -> None:
    rows = 300
    table = pa.table({"a": list(range(rows)), "b": [float(i) / 2 if i % 7 else None for i in range(rows)],
                      "c": [f"t{i % 5}" for i in range(rows)]})  # fmt: skip
    pq.write_table(table, steps.volume / "t.parquet")
    csv = "a,b,c\n" + "".join(f"{i},{i / 2 if i % 7 else ''},t{i % 5}\n" for i in range(rows))
    split_by = {"key": "a", "seed": 3}
    from_parquet = steps.ingest("pvc://claim/t.parquet", split=split_by, key="1" * 64)
    from_csv = steps.ingest(steps.write("t.csv", csv), split=split_by, key="2" * 64)
    assert from_parquet.digest == from_csv.digest


def test_several_files_are_one_source_in_the_order_of_their_names(steps: Steps) -> None:
    for index in (2, 1, 3):
        pq.write_table(pa.table({"a": [index * 100 + i for i in range(100)], "y": [i % 2 for i in range(100)]}),
                       steps.volume / f"part-{index}.parquet")  # fmt: skip
    summary = steps.ingest("pvc://claim/part-*.parquet")
    assert summary.rows == 300
    values = split(steps, summary, "train").column("a").to_pylist()
    assert values == sorted(values)


def test_a_row_stays_in_its_split_when_others_come_and_go(steps: Steps) -> None:
    few = steps.ingest(steps.write("few.csv", flights(200)), split={"key": "id"}, key="1" * 64)
    many = steps.ingest(steps.write("many.csv", flights(400)), split={"key": "id"}, key="2" * 64)
    for label in ("train", "validation", "test"):
        before = set(split(steps, few, label).column("id").to_pylist())
        after = set(split(steps, many, label).column("id").to_pylist())
        assert before <= after


def test_a_finished_step_is_repeated_not_done_again(steps: Steps) -> None:
    uri = steps.write("flights.csv", flights())
    first = steps.ingest(uri)
    (steps.volume / "flights.csv").unlink()
    again = steps.run("ingest", {"source": {"uri": uri}}, {})
    assert (again.code, again.report) == (0, first.model_copy(update={"repeated": True}))
    assert '"repeated": true' in again.output


def test_a_config_map_is_a_source(steps: Steps) -> None:
    folder = steps.root / "mnt" / "configmap" / "tiny"
    folder.mkdir(parents=True)
    (folder / "rows.csv").write_text(flights(100))
    assert steps.ingest("configmap://tiny/rows.csv").rows == 100


def test_a_warning_lets_the_version_pass_and_is_told(steps: Steps) -> None:
    check = {"name": "many", "rowCount": {"min": 10_000}, "severity": "warn"}
    summary = steps.ingest(steps.write("flights.csv", flights()), checks=[check])
    assert summary.violations.total == 1
    assert "at least 10000 are wanted" in summary.violations.first[0]


BAD: list[tuple[str, str | bytes | None, Mapping[str, object], str, bool, str]] = [
    ("no file", None, {}, "SourceNotFound", True, "there is nothing at pvc://claim/data.csv"),
    ("an empty file", "", {}, "SourceEmpty", True, "is empty"),
    ("a header alone", "a,b\n", {}, "SourceEmpty", True, "no rows"),
    ("a broken row", "a,b\n1,2\n3\n", {}, "SourceUnreadable", True, "data.csv, line 3: expected 2 values, found 1: 3"),
    ("an open quote", 'a,b\n1,"2\n', {}, "SourceUnreadable", True, "data.csv, line 2: a quoted value does not end"),
    ("not UTF-8", b"a,b\n1,\xff\n", {}, "SourceUnreadable", True, "data.csv, line 2: not UTF-8"),
    ("semicolons", "a;b\n1;2\n", {}, "SourceUnreadable", True, "must be separated by commas"),
    ("a column twice", "a,A\n1,2\n", {}, "SourceUnreadable", True, '"A" is there twice'),
    ("no such column", None, {"columns": [{"name": "distanse"}]}, "ColumnNotFound", True, "did you mean distance?"),
    ("no such target", None, {"columns": [{"name": "delayed", "role": "target"}]}, "TargetNotFound", True, "delayed"),
    ("no such split key", None, {"split": {"key": "nr"}}, "ColumnNotFound", True, "spec.split.key"),
    ("a type that does not fit", None, {"columns": [{"name": "carrier", "type": "number"}]}, "ColumnTypeMismatch", True,
     'row 1, column "carrier": expected a number, got "AA" (and 299 more rows)'),
    ("an expression over nothing", None, {"columns": [{"name": "x", "expression": "delay > 1"}]}, "ColumnNotFound",
     True, "did you mean arr_delay?"),
    ("double quotes for text", None, {"columns": [{"name": "x", "expression": 'carrier = "AA"'}]}, "ColumnNotFound",
     True, "single quotes"),
    ("no expression at all", None, {"columns": [{"name": "x", "expression": "sum(distance)"}]}, "ExpressionInvalid",
     False, "aggregates"),
    ("an expression of another type", None,
     {"columns": [{"name": "x", "type": "string", "expression": "distance * 2"}]}, "ExpressionInvalid", False,
     "declared string, its expression gives integer"),
    ("two targets", None, {"columns": [LATE, {"name": "month", "role": "target"}]}, "TargetNotFound", False,
     "only one column"),
    ("too few rows", None, {"checks": [{"name": "enough", "rowCount": {"min": 1000}}]}, "CheckFailed", True,
     'check "enough": the source has 400 rows, at least 1000'),
    ("too many nulls", None, {"columns": [{"name": "carrier", "maxNullFraction": "0.01"}]}, "CheckFailed", True,
     "100 of 400 values are null (0.25), at most 0.01"),
    ("too many nulls computed", None,
     {"columns": [{"name": "far", "expression": "distance > 9", "maxNullFraction": "0.01"}]}, "CheckFailed", True,
     '"far": 24 of 400'),
    ("a value that is not allowed", None, {"columns": [{"name": "carrier", "allowed": ["AA", "UA"]}]}, "CheckFailed",
     True, '100 values are not among those allowed, such as "DL" (100 rows)'),
    ("a computed value that is not allowed", None,
     {"columns": [{"name": "low", "expression": "lower(carrier)", "allowed": ["aa", "ua"]}]}, "CheckFailed",
     True, '"dl"'),
    ("a split without rows", "a,b\n1,2\n", {}, "SplitEmpty", True, "has no rows"),
    ("another scheme", None, {"source": {"uri": "ftp://x/y.csv"}}, "SourceNotFound", False, "write s3://"),
    ("no format", None, {"source": {"uri": "pvc://claim/data"}}, "SourceUnreadable", False, "write format: csv"),
    ("a path out of the volume", None, {"source": {"uri": "pvc://claim/../../../etc/passwd", "format": "csv"}},
     "SourceNotFound", True, "there is nothing"),
    ("a pattern out of the volume", None, {"source": {"uri": "pvc://claim//etc/*.csv"}}, "SourceNotFound", True,
     "there is nothing at pvc://claim//etc/*.csv"),
    ("a pattern that climbs", None, {"source": {"uri": "pvc://claim/store/../../*.csv"}}, "SourceNotFound", True,
     "there is nothing"),
    ("a pattern that is none", None, {"source": {"uri": "pvc://claim/a**b.csv"}}, "SourceNotFound", True,
     "there are data.csv"),
    ("own keys that lack", None, {"source": {"uri": "s3://raw/x.csv", "ownKeys": True}}, "SourceForbidden", True,
     "spec.source.secretRef's Secret must hold AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    ("text called Parquet", None, {"source": {"uri": "pvc://claim/data.csv", "format": "parquet"}}, "SourceUnreadable",
     True, "data.csv can't be read as parquet"),
    ("no store", None, {"store": {"uri": "pvc://nosuch/store"}}, "StoreNotFound", True, "not mounted"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "task", "reason", "retry", "says"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_input_is_told(
    steps: Steps, content: str | bytes | None, task: Mapping[str, object], reason: str, retry: bool, says: str
) -> None:
    if content is not None or task:
        steps.write("data.csv", flights() if content is None else content)
    failure = steps.failure("ingest", {"source": {"uri": "pvc://claim/data.csv"}, **task})
    assert (failure.reason, failure.retry) == (reason, retry), failure.message
    assert says in failure.message
    assert str(steps.root) not in failure.message


def test_an_unreachable_store_is_told_in_time(steps: Steps) -> None:
    store = {"uri": "s3://bucket/prefix", "endpoint": "http://127.0.0.1:9"}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    failure = steps.failure("ingest", {"source": {"uri": "pvc://claim/x.csv"}, "store": store}, keys)
    assert failure.reason == "StoreUnreachable"
    assert "http://127.0.0.1:9" in failure.message


def test_a_crash_nobody_foresaw_is_an_internal_error(steps: Steps) -> None:
    (steps.root / "scratch-0").mkdir()
    (steps.root / "scratch-0" / "source").write_text("in the way of a directory")
    run = steps.run("ingest", {"source": {"uri": steps.write("f.csv", flights())}})
    assert run.code == 1
    assert run.report is not None
    assert (run.report.outcome, getattr(run.report, "reason", "")) == ("failed", "InternalError")


def test_a_wrong_task_is_told(steps: Steps) -> None:
    run = steps.run("ingest", {"source": {}})
    assert run.code == 3
    assert "source" in getattr(run.report, "message", "")


def test_nothing_of_a_version_is_left_half_written(steps: Steps) -> None:
    steps.ingest(steps.write("flights.csv", flights()))
    assert not [path for path in steps.store.rglob("*") if path.name.startswith(".")]


def test_sources_are_recorded_beside_the_version_not_in_it(steps: Steps, tmp_path: Path) -> None:
    summary = steps.ingest(steps.write("flights.csv", flights()), key="c" * 64)
    result = json.loads((steps.store / "results" / f"{'c' * 64}.json").read_bytes())
    assert result["summary"]["digest"] == summary.digest
    assert result["details"]["source"][0]["name"] == "flights.csv"
    assert "total" in result["seconds"]
    assert "finishedAt" not in json.dumps(manifest(steps, summary))
