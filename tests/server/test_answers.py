"""What the server answers is what scikit-learn answers for the same rows."""

import csv
import io
from collections.abc import Sequence

import numpy as np
import pytest

from .model_directories import DATATYPES, INPUTS, ModelDirectory, Row
from .processes import Server


def tensors(rows: Sequence[Row]) -> list[dict[str, object]]:
    """One tensor a raw column."""
    return [
        {"name": i.name, "shape": [len(rows)], "datatype": DATATYPES[i.type], "data": [row[i.name] for row in rows]}
        for i in INPUTS
    ]


def expected(model: ModelDirectory, rows: Sequence[Row]) -> tuple[list[object], list[list[float]]]:
    """scikit-learn's own labels and probabilities."""
    matrix = model.matrix(rows)
    estimator: object = model.estimator
    return (
        estimator.predict(matrix).tolist(),  # type: ignore[attr-defined]
        estimator.predict_proba(matrix).tolist(),  # type: ignore[attr-defined]
    )


@pytest.mark.parametrize("count", [1, 7, 600])
def test_infer_by_columns(server: Server, late: ModelDirectory, count: int) -> None:
    rows = late.rows[:count]
    labels, probabilities = expected(late, rows)
    answer = server.post("/v2/models/late/versions/v7/infer", {"id": "a-1", "inputs": tensors(rows)})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "model_name": "late",
        "model_version": "v7",
        "id": "a-1",
        "outputs": [
            {"name": "label", "datatype": "BOOL", "shape": [count], "data": labels},
            {
                "name": "probability",
                "datatype": "FP64",
                "shape": [count, 2],
                "data": [value for row in probabilities for value in row],
            },
        ],
    }


def test_other_datatypes_and_nested_data(server: Server, late: ModelDirectory) -> None:
    rows = [row for row in late.rows if row["distance"] is not None][:5]
    rounded: list[Row] = [{**row, "distance": float(np.float32(float(row["distance"] or 0)))} for row in rows]
    changed = {"distance": "FP32", "seats": "UINT16", "holiday": "INT8"}
    inputs = [{**tensor, "datatype": changed.get(str(tensor["name"]), tensor["datatype"])} for tensor in tensors(rows)]
    for tensor in inputs:
        assert isinstance(tensor["data"], list)
        tensor["shape"] = [5, 1]
        tensor["data"] = [[int(v) if tensor["name"] == "holiday" else v] for v in tensor["data"]]
    outputs = server.post("/v2/models/late/infer", {"inputs": inputs}).json()["outputs"]
    assert outputs[1]["data"] == [value for row in expected(late, rounded)[1] for value in row]


def test_infer_by_matrix_skips_the_contract(server: Server, late: ModelDirectory) -> None:
    matrix = late.matrix(late.rows[:9])
    data = [[None if value != value else value for value in row] for row in matrix.tolist()]
    tensor = {"name": "features", "shape": [9, 5], "datatype": "FP64", "data": data}
    answer = server.post("/v2/models/late/infer", {"inputs": [tensor], "outputs": [{"name": "label"}]})
    assert [output["name"] for output in answer.json()["outputs"]] == ["label"]
    assert answer.json()["outputs"][0]["data"] == expected(late, late.rows[:9])[0]


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"rows": rows}], ids=["list", "object"])
def test_predict_takes_rows_by_name(server: Server, late: ModelDirectory, wrap: object) -> None:
    rows = late.rows[20:60]
    labels, probabilities = expected(late, rows)
    assert callable(wrap)
    answer = server.post("/v2/models/late/predict", wrap(rows))
    assert answer.json() == {
        "model_name": "late",
        "model_version": "v7",
        "predictions": [
            {"label": label, "probabilities": {"False": no, "True": yes}}
            for label, (no, yes) in zip(labels, probabilities, strict=True)
        ],
    }


def test_predict_takes_csv(server: Server, late: ModelDirectory) -> None:
    rows = late.rows[:50]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    answer = server.session.post(
        f"{server.url}/v2/models/late/predict",
        data=text.getvalue().encode(),
        headers={"content-type": "text/csv; charset=utf-8"},
        timeout=10,
    )
    assert answer.json() == server.post("/v2/models/late/predict", rows).json()


def test_regression(delay: ModelDirectory) -> None:
    values = delay.estimator.predict(delay.matrix(delay.rows[:30])).tolist()  # type: ignore[attr-defined]
    with Server(delay.path) as server:
        version = server.wait_for("ready")["version"]
        answer = server.post("/v2/models/model/predict", delay.rows[:30]).json()
        assert answer["predictions"] == [{"prediction": value} for value in values]
        assert answer["model_version"] == version
        outputs = server.post("/v2/models/model/infer", {"inputs": tensors(delay.rows[:30])}).json()["outputs"]
        assert outputs == [{"name": "prediction", "datatype": "FP64", "shape": [30], "data": values}]


def test_text_classes_and_refused_missing_values(band: ModelDirectory) -> None:
    # A linear model answers each row as scikit-learn answers it alone (`bound.calls.Bound`).
    alone = [expected(band, [row]) for row in band.rows]
    labels, probabilities = [label for (label,), _ in alone], [row for _, (row,) in alone]
    with Server(band.path) as server:
        answer = server.post("/v2/models/model/predict", band.rows).json()
        assert [row["label"] for row in answer["predictions"]] == labels
        assert [list(row["probabilities"].values()) for row in answer["predictions"]] == probabilities
        refused = server.post("/v2/models/model/predict", [{**band.rows[0], "distance": None}])
        assert refused.status_code == 422
        assert refused.json()["error"].startswith("the model takes no missing values, and the rows have some: ")


def column(name: str, /, **changes: object) -> list[dict[str, object]]:
    """Good tensors of two rows, but for what is changed in one of them."""
    row: Row = {"carrier": "AA", "distance": 1.0, "seats": 3, "holiday": True, "sched_dep": "2026-01-01T10:00:00"}
    return [{**tensor, **changes} if tensor["name"] == name else tensor for tensor in tensors([row, row])]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        pytest.param([], "the body must be an object", id="no object"),
        pytest.param({"inputs": []}, "the body must be an object", id="no inputs"),
        pytest.param({"inputs": [3]}, "inputs[0]: must be an object", id="input is no object"),
        pytest.param({"inputs": column("seats")[:2]}, 'input "seats" is missing', id="missing input"),
        pytest.param({"inputs": column("seats", name="sofas")}, 'input "sofas" is unknown', id="unknown input"),
        pytest.param({"inputs": [*column("seats")] * 2}, "is there twice", id="twice"),
        pytest.param({"inputs": column("seats", datatype="FP8")}, "datatype is", id="datatype"),
        pytest.param({"inputs": column("seats", datatype="BYTES")}, "row 1: 3 is no BYTES", id="numbers as bytes"),
        pytest.param({"inputs": column("sched_dep", datatype="FP64")}, 'row 1: "2026', id="texts as numbers"),
        pytest.param({"inputs": column("seats", datatype="BOOL", data=[True, False])}, "must be FP16", id="booleans"),
        pytest.param({"inputs": column("seats", shape=[3])}, "data has 2 values", id="shape"),
        pytest.param({"inputs": column("seats", shape=[1, 2])}, "must be [rows] or [rows, 1]", id="two columns"),
        pytest.param({"inputs": column("seats", shape=[2**60, 2**60])}, "asks for", id="huge shape"),
        pytest.param({"inputs": column("seats", data=7)}, '"data" must be a list', id="data"),
        pytest.param({"inputs": column("seats", data=[1, "x"])}, 'input "seats", row 2: "x" is no INT64', id="value"),
        pytest.param({"inputs": column("seats", data=[1, 300], datatype="UINT8")}, "out of UINT8's range", id="range"),
        pytest.param(
            {"inputs": column("seats", data=[1, 2.5], datatype="FP64")}, 'row 2, column "seats"', id="no integer"
        ),
        pytest.param(
            {"inputs": column("distance", data=[1, 1e300], datatype="FP32")}, "out of FP32's range", id="FP32"
        ),
        pytest.param({"inputs": column("seats", data=[[1], 2], shape=[2, 1])}, "neither flat nor nested", id="ragged"),
        pytest.param({"inputs": column("seats", data=[1], shape=[1])}, "they must agree", id="lengths"),
        pytest.param({"inputs": column("sched_dep", data=["soon", "late"])}, 'row 1, column "sched_dep"', id="time"),
        pytest.param({"inputs": column("seats"), "outputs": [{"name": "odds"}]}, "is no output", id="output"),
        pytest.param({"inputs": column("seats"), "id": 5}, "id: 5 is no text", id="id"),
        pytest.param(
            {"inputs": [{"name": "features", "shape": [1, 4], "datatype": "FP64", "data": [1, 2, 3, 4]}]},
            "must be [rows, 5]",
            id="matrix width",
        ),
        pytest.param(
            {"inputs": [{"name": "features", "shape": [0, 5], "datatype": "FP64", "data": []}]}, "no rows", id="no rows"
        ),
    ],
)
def test_wrong_infer_says_what_is_wrong(server: Server, document: object, sentence: str) -> None:
    answer = server.post("/v2/models/late/infer", document)
    assert answer.status_code == 422
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        pytest.param(b"{", 400, "the body is no JSON", id="no JSON"),
        pytest.param(b"", 400, "the body is no JSON", id="empty"),
        pytest.param(b"[NaN]", 400, "the body is no JSON", id="NaN"),
        pytest.param(b"[1e400]", 400, "the body is no JSON", id="beyond float64"),
        pytest.param(b'["\xff"]', 400, "the body is no JSON", id="UTF-8"),
        pytest.param(b'["\\ud800"]', 400, "the body is no JSON", id="lone surrogate"),
        pytest.param(b"[" * 50_000 + b"]" * 50_000, 400, "the body is no JSON", id="depth"),
        pytest.param(b"3", 422, "the body must be a list of rows", id="no list"),
        pytest.param(b"[]", 422, "the request has no rows", id="no rows"),
        pytest.param(b"[3]", 422, "row 1: 3 is no object", id="no object"),
        pytest.param(b'[{"carrier": "AA"}]', 422, 'row 1: column "distance" is missing', id="missing column"),
    ],
)
def test_wrong_predict_says_what_is_wrong(server: Server, body: bytes, status: int, sentence: str) -> None:
    answer = server.session.post(f"{server.url}/v2/models/late/predict", data=body, timeout=10)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]


HEADER = b"carrier,distance,seats,holiday,sched_dep\n"


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        pytest.param(b"", 422, "the request has no rows", id="empty"),
        pytest.param(b"carrier,distance\nAA\n", 400, "row 1 has 1 cells, the header has 2", id="short row"),
        pytest.param(b"carrier\nAA\n", 422, 'the header: column "distance" is missing', id="missing column"),
        pytest.param(b"carrier,carrier\nA,B\n", 422, 'column "carrier" is there 2 times', id="column twice"),
        pytest.param(b'carrier\n"AA\n', 400, "the body is no CSV", id="open quote"),
        pytest.param(b"carrier\n\xff\n", 400, "the body is no UTF-8", id="UTF-8"),
        pytest.param(HEADER + b"AA,1_0,1,true,2026-01-01\n", 422, 'row 1, column "distance"', id="no number"),
        pytest.param(HEADER + b"AA,,1,maybe,2026-01-01\n", 422, 'row 1, column "holiday"', id="no boolean"),
    ],
)
def test_wrong_csv_says_what_is_wrong(server: Server, body: bytes, status: int, sentence: str) -> None:
    answer = server.session.post(
        f"{server.url}/v2/models/late/predict", data=body, headers={"content-type": "text/csv"}, timeout=10
    )
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
