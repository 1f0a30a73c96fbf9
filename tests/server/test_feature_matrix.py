"""Rows become the same matrix as through the feature contract, and what it refuses is refused."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright_contract.features import FeatureContract, Input, Step
from modelwright_contract.parse import parse_expression
from modelwright_contract.vectors import ColumnError
from modelwright_server.feature_matrix import FeatureMatrix
from modelwright_server.predict import PredictDecoder
from modelwright_server.prediction import Matrix
from modelwright_server.problems import Problem
from modelwright_server.v1 import V1Decoder

from .decoding import ANSWERS, MIXED, NUMERIC, features, infer, infer_binary, request

VALUES = {
    "city": st.none() | st.sampled_from(["Bonn", "Köln", "Rom", ""]),
    "height": st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False),
    "rooms": st.none() | st.integers(-(2**63), 2**63 - 1) | st.just(3.0) | st.integers(0, 5),
    "lift": st.none() | st.booleans(),
    "built": st.none() | st.sampled_from(["2026-01-31", "2026-01-31T12:00:00+01:00"]),
    "area": st.none() | st.floats(-1e6, 1e6),
    "unused": st.none() | st.integers(0, 9),
}
ROWS = st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=6)
WRONG = st.sampled_from([True, "x", 2.5, [], {}, 2**64, "2026"])


@settings(max_examples=300, deadline=None)
@given(ROWS)
def test_rows_give_the_matrix_of_the_contract(rows: list[dict[str, object]]) -> None:
    expected = MIXED.matrix({i.name: [row[i.name] for row in rows] for i in MIXED.inputs})
    matrix = FeatureMatrix(MIXED)
    assert np.array_equal(matrix.of_rows(rows), expected, equal_nan=True)
    assert np.array_equal(matrix.of_columns(matrix.columns_of(rows)), expected, equal_nan=True)


def outcome_of(make: Callable[[], Matrix]) -> str:
    """A matrix, or the sentence that refuses it, in a form that can be compared."""
    try:
        return str(make().tolist())
    except (ColumnError, Problem) as refusal:
        return str(refusal)


@settings(max_examples=300, deadline=None)
@given(ROWS, st.sampled_from(sorted(VALUES)), st.integers(0, 5), WRONG)
def test_what_the_contract_refuses_is_refused(
    rows: list[dict[str, object]], column: str, number: int, value: object
) -> None:
    rows[number % len(rows)] = {**rows[number % len(rows)], column: value}
    expected = outcome_of(lambda: MIXED.matrix({i.name: [row[i.name] for row in rows] for i in MIXED.inputs}))
    assert outcome_of(lambda: FeatureMatrix(MIXED).of_rows(rows)) == expected


@pytest.mark.parametrize("number", ["9223372036854775808", "-9223372036854775809", "1e19", "2.5", '"2"', "true"])
def test_integers_that_are_none(number: str) -> None:
    body = b'[{"rooms": %b}]' % number.encode()
    matrix = FeatureMatrix(FeatureContract((Input("rooms", "integer"),), (), ("rooms",), None, {}))
    with pytest.raises(Problem, match='row 1, column "rooms": expected an integer, got '):
        PredictDecoder(matrix, ANSWERS)(request(body))


def test_features_that_stand_twice_or_depend_on_nothing() -> None:
    steps = (Step("one", "integer", parse_expression("1")),)
    contract = FeatureContract((Input("a", "number"), Input("b", "number")), steps, ("b", "one", "a", "b"), None, {})
    assert FeatureMatrix(contract).of_rows([{"a": 1, "b": 2}, {"a": None, "b": 3}]).tolist()[0] == [2, 1, 1, 2]
    alone = FeatureContract((Input("a", "number"),), (), ("a", "a"), None, {})
    assert FeatureMatrix(alone).of_rows([{"a": 4}]).tolist() == [[4, 4]]


@pytest.mark.parametrize("rows", [1, 3])
def test_matrices_may_be_written_to_and_lie_in_order(rows: int) -> None:
    data = struct.pack(f"<{3 * rows}d", *range(3 * rows))
    tensor = {**features(None, shape=[rows, 3]), "parameters": {"binary_data_size": len(data)}}
    del tensor["data"]
    for work in (
        infer(features(list(range(3 * rows)), shape=[rows, 3])),
        infer_binary([tensor], data),
        PredictDecoder(NUMERIC, ANSWERS)(request([{"c": 2, "a": 0, "b": 1}] * rows)),
        V1Decoder(NUMERIC, ANSWERS)(request({"instances": [[0, 1, 2]] * rows})),
    ):
        assert work.matrix.dtype == np.float64
        assert work.matrix.flags.c_contiguous
        assert work.matrix.flags.writeable
        assert work.matrix.flags.aligned
        assert work.matrix.tolist()[0] == [0, 1, 2]
        assert work.rows == len(work.matrix) == rows
