"""The training profile: every value lies in exactly one bin, and a document that is none of ours is refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from bisect import bisect_right
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import modelwright_contract
from modelwright_contract.binning import CHUNK_VALUES, Binning, answers_matrix
from modelwright_contract.profile import (
    KINDS,
    MAX_BINS,
    MAX_CODE,
    MAX_PROFILE_BYTES,
    PROFILE_MEDIA_TYPE,
    Column,
    Profile,
    ProfileError,
    Ranges,
    Values,
    by_name,
)
from modelwright_contract.vectors import VALUE_TYPES

FINITE = st.floats(allow_nan=False, allow_infinity=False)
CODES = st.integers(0, 300)


def _column(name: str, bins: Ranges | Values) -> Column:
    return Column(name, "number" if isinstance(bins, Ranges) else "string", bins, (0,) * (bins.number + 1))


@st.composite
def _bins(draw: st.DrawFn) -> Ranges | Values:
    if draw(st.booleans()):
        return Ranges(tuple(sorted(draw(st.sets(FINITE, max_size=12)))))
    codes = tuple(draw(st.lists(CODES, unique=True, max_size=12)))
    return Values(codes, tuple(f"text {code}" for code in codes))


@st.composite
def _columns_and_rows(draw: st.DrawFn) -> tuple[list[Column], list[list[float]]]:
    columns = [_column(f"c{i}", bins) for i, bins in enumerate(draw(st.lists(_bins(), min_size=1, max_size=5)))]
    edges = [edge for column in columns if isinstance(column.bins, Ranges) for edge in column.bins.edges]
    near = [math.nextafter(edge, to) for edge in edges for to in (-math.inf, edge, math.inf)]
    values = st.one_of(st.floats(), CODES.map(float), st.sampled_from([*near, 0.0, -0.0, math.nan]))
    return columns, draw(st.lists(st.lists(values, min_size=len(columns), max_size=len(columns)), max_size=20))


def _bin_of(bins: Ranges | Values, value: float) -> int:
    """The same by other means."""
    if math.isnan(value):
        return bins.number
    if isinstance(bins, Ranges):
        return bisect_right(bins.edges, value)
    return {float(code): index for index, code in enumerate(bins.codes)}.get(value, len(bins.codes))


@given(_columns_and_rows())
def test_every_value_lies_in_the_one_bin_that_is_its_own(case: tuple[list[Column], list[list[float]]]) -> None:
    columns, rows = case
    matrix = np.array(rows, dtype=np.float64).reshape(len(rows), len(columns))
    binning = Binning(columns, range(len(columns)))
    begins = np.cumsum([0, *(len(column.counts) for column in columns)]).tolist()
    expected = [[begins[i] + _bin_of(column.bins, row[i]) for i, column in enumerate(columns)] for row in rows]
    assert binning.bins(matrix).tolist() == expected
    counts = binning.count(matrix)
    assert counts.dtype == np.int64
    assert binning.size == len(counts) == begins[-1]
    assert counts.tolist() == np.bincount(np.array(expected, dtype=int).ravel(), minlength=begins[-1]).tolist()
    for _, own in by_name(columns, counts.tolist()):
        assert sum(own) == len(rows)


def test_columns_are_found_wherever_they_stand_in_the_matrix() -> None:
    columns = [_column("b", Ranges((0.0,))), _column("a", Values((7,), ("x",))), _column("c", Ranges(()))]
    matrix = np.array([[7.0, 9.0, -1.0, np.nan], [0.0, 9.0, np.nan, 5.0]])
    counts = Binning(columns, [2, 0, 3]).count(matrix).tolist()
    assert dict(by_name(columns, counts)) == {"b": [1, 0, 1], "a": [1, 1, 0], "c": [1, 1]}


def test_many_rows_are_counted_like_few() -> None:
    rng = np.random.default_rng(1)
    columns = [_column("a", Ranges((-1.0, 0.0, 1.0))), _column("b", Values((0, 2), ("x", "y")))]
    matrix = np.column_stack([rng.normal(size=3 * CHUNK_VALUES), rng.integers(0, 4, 3 * CHUNK_VALUES)])
    binning = Binning(columns, [0, 1])
    parts = [binning.count(part) for part in np.array_split(matrix, 1000)]
    np.testing.assert_array_equal(binning.count(matrix), np.sum(parts, axis=0))


def test_no_columns_have_no_bins() -> None:
    assert Binning([], []).count(np.empty((3, 2))).tolist() == []


def test_answers_are_columns() -> None:
    matrix = answers_matrix(("label", "probability"), np.array([1, 0]), np.array([[0.25, 0.75], [0.5, 0.5]]), None)
    np.testing.assert_array_equal(matrix, [[1.0, 0.75], [0.0, 0.5]])
    np.testing.assert_array_equal(answers_matrix(("prediction",), None, None, np.array([2.5])), [[2.5]])
    np.testing.assert_array_equal(
        answers_matrix(("label", "probability"), np.array([1]), None, None), [[1.0, np.nan]], "it gives none"
    )


PROFILE = Profile(
    (
        Column("distance", "number", Ranges((-1.5e-320, 0.1, 1e308)), (1, 2, 3, 4, 0)),
        Column("größe", "string", Values((3, 0), ("B", "ä\u2028")), (5, 4, 1, 0)),
        Column("holiday", "boolean", Values((0, 1), (False, True)), (9, 1, 0, 0)),
    ),
    (Column("label", "integer", Values((0, 1), (3, 17)), (2, 2, 0, 0)),),
    "validation",
    2,
)


def test_a_document_brings_the_profile_back() -> None:
    assert Profile.parse(PROFILE.to_bytes()) == PROFILE
    assert Profile.parse(json.dumps(json.loads(PROFILE.to_bytes()), indent=2).encode()) == PROFILE


@given(st.lists(FINITE, unique=True, max_size=20))
def test_edges_come_back_to_the_last_bit(edges: list[float]) -> None:
    bins = Ranges(tuple(sorted(edges)))
    again = Profile.parse(Profile((_column("a", bins),), (), "test").to_bytes()).features[0].bins
    assert isinstance(again, Ranges)
    assert [edge.hex() for edge in again.edges] == [edge.hex() for edge in bins.edges]


def _with(**change: object) -> bytes:
    """The document of a profile with one column, changed."""
    column = {"name": "a", "kind": "number", "edges": [0.5], "counts": [1, 2, 0]}
    listed = {"name": "b", "kind": "string", "codes": [0], "values": ["x"], "counts": [1, 2, 0]}
    document: dict[str, object] = {
        "mediaType": PROFILE_MEDIA_TYPE, "features": [column, listed], "outputs": [], "split": "test", "omitted": 0,
    }  # fmt: skip
    for name, value in change.items():
        if name in document:
            document[name] = value
        else:
            (column if name in column else listed)[name] = value
    return json.dumps(document).encode()


def test_the_document_of_the_next_test_is_sound_as_it_is() -> None:
    assert [column.name for column in Profile.parse(_with()).features] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "no JSON", id="nothing"),
        pytest.param(b"[" * 100_000, "no JSON", id="deep"),
        pytest.param(b"[]", "not a profile", id="a list"),
        pytest.param(b" " * (MAX_PROFILE_BYTES + 1), "bytes, at most", id="large"),
        pytest.param(_with(mediaType="text/html"), "not a profile", id="another type"),
        pytest.param(_with(split="all"), "not a profile", id="another split"),
        pytest.param(_with(omitted=-1), "not a profile", id="fewer than none omitted"),
        pytest.param(_with(features=[7]), "must have name, kind and counts", id="a number as column"),
        pytest.param(_with(kind="text"), "must have name, kind and counts", id="another kind"),
        pytest.param(_with(name="b"), "two columns of the profile have one name", id="a name twice"),
        pytest.param(_with(edges=[0.5, 0.5]), "no bins", id="edges that do not rise"),
        pytest.param(_with(edges=[float(i) for i in range(65)]), "no bins", id="too many edges"),
        pytest.param(_with(edges=["0.5"]), "that are none", id="text as edge"),
        pytest.param(_with(edges=[math.inf]), "that are none", id="an infinite edge"),
        pytest.param(_with(edges=[math.nan]), "that are none", id="an edge that is no number"),
        pytest.param(_with(edges=[10**400]), "that are none", id="an edge beyond all floats"),
        pytest.param(_with(counts=[1, 2]), "has 2 counts, not 3", id="a count is lacking"),
        pytest.param(_with(counts=[1, 2, -1]), "that are none", id="a negative count"),
        pytest.param(_with(counts=[1, 2, True]), "that are none", id="a truth as count"),
        pytest.param(_with(counts=[1, 2, 1.0]), "that are none", id="a fraction as count"),
        pytest.param(_with(codes=[]), "no bins", id="a value without a code"),
        pytest.param(_with(codes=[MAX_CODE + 1]), "that are none", id="a code without a table"),
        pytest.param(_with(codes=[-1]), "that are none", id="a negative code"),
        pytest.param(_with(codes=[1, 1], values=["x", "y"]), "no bins", id="a code twice"),
        pytest.param(_with(values=[None]), "that are none", id="null as value"),
        pytest.param(_with(outputs=[{"name": "x", "kind": "number", "edges": [], "counts": [0, 0]}]), "outputs are not",
                     id="an output that no model has"),
        pytest.param(_with(features=[{"name": f"c{i}", "kind": "number", "edges": list(range(60)), "counts": [0] * 62}
                                     for i in range(MAX_BINS // 62 + 1)]), "more than", id="too many bins"),
    ],
)  # fmt: skip
def test_what_is_no_profile_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        Profile.parse(content)


@given(st.data())
def test_altered_documents_are_refused_or_sound(data: st.DataObject) -> None:
    content = bytearray(PROFILE.to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        profile = Profile.parse(bytes(content))
    except ProfileError:
        return
    Binning(profile.features, range(3)).count(np.zeros((1, 3)))


def test_kinds_are_the_types_of_columns() -> None:
    assert KINDS == VALUE_TYPES


def test_a_profile_is_read_without_numpy() -> None:
    program = "import sys; import modelwright_contract.profile; sys.exit('numpy' in sys.modules)"
    root = str(Path(str(modelwright_contract.__file__)).parents[1])
    assert subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": root}, check=False).returncode == 0
