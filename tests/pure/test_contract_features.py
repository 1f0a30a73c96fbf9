"""The feature contract: raw columns to a matrix, exactly typed, and the document it is kept as."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import modelwright_contract
from modelwright_contract.features import ContractError, FeatureContract, Input, Step, Target, fit_categories
from modelwright_contract.parse import parse_expression
from modelwright_contract.vectors import ColumnError

CONTRACT = FeatureContract(
    inputs=(
        Input("distance", "number"),
        Input("hour", "integer"),
        Input("carrier", "string"),
        Input("weekend", "boolean"),
        Input("at", "timestamp"),
    ),
    steps=(
        Step("half", "number", parse_expression("hour / 2")),
        Step("code", "string", parse_expression("lower(carrier)")),
        Step("long", "boolean", parse_expression("distance > 1000")),
    ),
    features=("distance", "hour", "carrier", "weekend", "at", "half", "code", "long"),
    target=Target("late", "boolean", (Input("delay", "number"),), parse_expression("delay > 15")),
    categories={"carrier": ("AA", "UA"), "code": ("aa",)},
)
ROWS: dict[str, list[object]] = {
    "distance": [500, 1500.5, None],
    "hour": [7, 8.0, None],
    "carrier": ["UA", "ZZ", None],
    "weekend": [True, False, None],
    "at": ["1970-01-02T00:00:00Z", "1970-01-01T01:00:00+01:00", None],
}


def test_each_type_becomes_its_number_and_missing_becomes_nan() -> None:
    nan = np.nan
    expected = [
        [500, 7, 1, 1, 86400, 3.5, 1, 0],
        [1500.5, 8, 2, 0, 0, 4.0, 1, 1],
        [nan] * 8,
    ]
    np.testing.assert_array_equal(CONTRACT.matrix(ROWS), expected)


def test_a_batch_is_its_rows_one_by_one() -> None:
    whole = CONTRACT.matrix(ROWS)
    for row in range(3):
        alone = CONTRACT.matrix({name: [values[row]] for name, values in ROWS.items()})
        np.testing.assert_array_equal(alone[0], whole[row])


def test_no_rows_give_an_empty_matrix() -> None:
    assert CONTRACT.matrix({name: [] for name in ROWS}).shape == (0, 8)


def test_the_document_brings_the_contract_back() -> None:
    again = FeatureContract.from_json(CONTRACT.to_json())
    assert again == CONTRACT
    np.testing.assert_array_equal(again.matrix(ROWS), CONTRACT.matrix(ROWS))


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("distance", [1, 2, "abc"], 'row 3, column "distance": expected a number, got "abc"'),
        ("distance", [1, True, 2], 'row 2, column "distance": expected a number, got true'),
        ("hour", [1, 2, 3.5], 'row 3, column "hour": expected an integer, got 3.5'),
        ("hour", [1, 2**70, 3], 'row 2, column "hour": expected an integer, got 1180591620717411303424'),
        ("carrier", ["AA", 5, "UA"], 'row 2, column "carrier": expected text, got 5'),
        ("weekend", [True, False, 1], 'row 3, column "weekend": expected true or false, got 1'),
        ("at", ["soon", None, None], 'row 1, column "at": expected a timestamp as ISO 8601 text, got "soon"'),
        ("carrier", ["AA"], 'column "carrier" has 1 rows, the columns before it 3'),
    ],
)
def test_a_wrong_value_is_told_with_row_and_column(column: str, values: list[object], says: str) -> None:
    with pytest.raises(ColumnError) as caught:
        CONTRACT.matrix({**ROWS, column: values})
    assert str(caught.value) == says


def test_a_lacking_column_is_told_with_what_to_send() -> None:
    with pytest.raises(ColumnError, match='no column "at": send distance, hour, carrier, weekend, at'):
        CONTRACT.matrix({name: values for name, values in ROWS.items() if name != "at"})


def test_arrays_are_taken_where_their_type_fits() -> None:
    arrays = {**ROWS, "distance": np.array([500.0, 1500.5, np.inf]), "hour": np.array([7, 8, 9])}
    matrix = CONTRACT.matrix(arrays)
    assert np.isnan(matrix[2, 0])
    assert matrix[2, 1] == 9


def test_the_target_is_computed_from_its_own_columns() -> None:
    columns = {"delay": CONTRACT.vectors(ROWS)["distance"]}
    assert CONTRACT.target_of(columns).to_list() == [True, True, None]


def test_the_most_frequent_categories_are_kept_and_ties_by_name() -> None:
    counts = Counter({f"c{index:03d}": 1 for index in range(300)}) + Counter({"zz": 5})
    fitted = fit_categories(counts)
    assert len(fitted) == 254
    assert list(fitted) == sorted(fitted)
    assert fitted[-1] == "zz"
    assert "c253" not in fitted


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "version 2 is not known"),
        ({"features": ["nosuch"]}, '"nosuch" is neither an input nor a step'),
        ({"inputs": [{"name": "a", "type": "blob"}]}, "no type blob"),
        ({"steps": [{"name": "z", "type": "number", "expression": {"op": "eval", "args": []}}]}, "not a term"),
        ({"steps": [{"name": "z", "type": "boolean", "expression": {"column": "hour"}}]}, "declared boolean"),
        ({"categories": {"carrier": [1]}}, "expected text"),
    ],
)
def test_a_document_that_does_not_fit_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        FeatureContract.from_json({**CONTRACT.to_json(), **change})  # type: ignore[dict-item]


def test_what_the_server_imports_needs_numpy_and_the_standard_library_only() -> None:
    program = (
        "import sys; import modelwright_contract.features, modelwright_contract.manifests, "
        "modelwright_contract.canonical, modelwright_contract.model_archive; "
        "heavy = ('pydantic', 'sqlglot', 'pyarrow', 'pandas', 'sklearn', 'skops', 'scipy'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    root = Path(modelwright_contract.__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
