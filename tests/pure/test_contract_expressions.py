"""The contract's evaluator against DuckDB for the same SQL, and against itself: order of rows, batches, single rows."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelwright_contract.expressions import ExpressionError, compile_expression
from modelwright_contract.parse import parse_expression
from modelwright_contract.vectors import ValueType, raw_vector

TYPES: dict[str, ValueType] = {
    "i": "integer", "j": "integer", "x": "number", "y": "number", "s": "string", "t": "string", "b": "boolean",
    "c": "boolean", "m": "timestamp",
}  # fmt: skip
SQL = {"integer": "BIGINT", "number": "DOUBLE", "string": "VARCHAR", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP"}
BEGIN = datetime.fromisoformat("1960-01-01")

integers = st.one_of(st.integers(-20, 20), st.integers(-(2**63) + 1, 2**63 - 1))
numbers = st.one_of(st.sampled_from([0.0, -0.5, 0.5, 1.5, 2.5, -2.5]), st.floats(-1e6, 1e6, allow_subnormal=False))
texts = st.text(alphabet=" abAB%_xyz1'", max_size=6)
moments = st.integers(0, 3_000_000_000).map(lambda s: BEGIN + timedelta(seconds=s))
VALUES = {"integer": integers, "number": numbers, "string": texts, "boolean": st.booleans(), "timestamp": moments}
rows = st.lists(st.fixed_dictionaries({n: st.none() | VALUES[k] for n, k in TYPES.items()}), min_size=1, max_size=6)


def pair(ours: str, theirs: str | None = None) -> st.SearchStrategy[tuple[str, str]]:
    return st.just((ours, theirs if theirs is not None else ours))


def call(pattern: str, *operands: st.SearchStrategy[tuple[str, str]], theirs: str | None = None):
    """A construct of operands: `{0}`, `{1}` … in our SQL, and in DuckDB's when it must be told to give null."""
    other = theirs or pattern
    return st.tuples(*operands).map(
        lambda parts: (pattern.format(*(p[0] for p in parts)), other.format(*(p[1] for p in parts)))
    )


def one_of(*options: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    return st.one_of(*options)


def literal_text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def integer(depth: int) -> st.SearchStrategy[tuple[str, str]]:
    leaf = one_of(pair("i"), pair("j"), st.integers(-9, 9).map(lambda v: (f"({v})", f"({v})::BIGINT")))
    if depth == 0:
        return leaf
    i, x, s, b, m = integer(depth - 1), number(depth - 1), string(depth - 1), boolean(depth - 1), pair("m")
    return one_of(
        leaf,
        call("({0} + {1})", i, i, theirs="try({0} + {1})"),
        call("({0} - {1})", i, i, theirs="try({0} - {1})"),
        call("({0} * {1})", i, i, theirs="try({0} * {1})"),
        call("({0} // {1})", i, i, theirs="try({0} // {1})"),
        call("({0} % {1})", i, i, theirs="try({0} % {1})"),
        call("abs({0})", i, theirs="try(abs({0}))"),
        call("sign({0})", x, theirs="sign({0})::BIGINT"),
        call("cast({0} as bigint)", x, theirs="try_cast({0} as bigint)"),
        call("cast({0} as bigint)", b, theirs="cast({0} as bigint)"),
        call("length({0})", s),
        call("coalesce({0}, {1})", i, i),
        call("nullif({0}, {1})", i, i),
        call("least({0}, {1})", i, i),
        call("greatest({0}, {1})", i, i),
        call("case when {0} then {1} else {2} end", b, i, i),
        call("case {0} when {1} then {2} end", i, i, i),
        *(call(f"{part}({{0}})", m) for part in ("year", "month", "day", "hour", "minute", "second", "dayofweek")),
    )


def number(depth: int) -> st.SearchStrategy[tuple[str, str]]:
    leaf = one_of(
        pair("x"), pair("y"), st.sampled_from(["2.5e0", "0e0", "-1.25e1"]).map(lambda v: (f"({v})", f"({v})"))
    )
    if depth == 0:
        return leaf
    i, x, b = integer(depth - 1), number(depth - 1), boolean(depth - 1)
    return one_of(
        leaf,
        *(call(f"({{0}} {op} {{1}})", x, x, theirs=f"fin({{0}} {op} {{1}})") for op in "+-*/"),
        call("({0} / {1})", i, i, theirs="fin({0} / {1})"),
        call("({0} + {1})", i, x, theirs="fin({0} + {1})"),
        call("({0} % {1})", x, x, theirs="fin({0} % {1})"),
        call("(-{0})", x),
        call("abs({0})", x),
        *(call(f"{name}({{0}})", x, theirs=f"fin(try({name}({{0}})))") for name in ("sqrt", "ln", "log10", "exp")),
        call("power({0}, {1})", x, x, theirs="fin(try(power({0}, {1})))"),
        call("round({0})", x),
        call("floor({0})", x),
        call("ceil({0})", x),
        call("cast({0} as double)", i),
        call("coalesce({0}, {1})", x, i),
        call("least({0}, {1})", x, x),
        call("greatest({0}, {1}, {2})", x, i, x),
        call("if({0}, {1}, {2})", b, x, x),
    )


def string(depth: int) -> st.SearchStrategy[tuple[str, str]]:
    leaf = one_of(pair("s"), pair("t"), texts.map(literal_text).map(lambda v: (v, v)))
    if depth == 0:
        return leaf
    s, b, i = string(depth - 1), boolean(depth - 1), integer(0)
    # Before the first character DuckDB's two implementations (ASCII, Unicode) differ from each other.
    spans = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda p: (f"{p[0]}, {p[1]}",) * 2)
    return one_of(
        leaf,
        call("lower({0})", s),
        call("upper({0})", s),
        call("trim({0})", s),
        call("({0} || {1})", s, s),
        call("concat({0}, {1})", s, s),
        call("substr({0}, {1})", s, spans),
        call("coalesce({0}, {1})", s, s),
        call("cast({0} as varchar)", i),
        call("cast({0} as varchar)", b),
        call("case when {0} then {1} else {2} end", b, s, s),
    )


def boolean(depth: int) -> st.SearchStrategy[tuple[str, str]]:
    leaf = one_of(pair("b"), pair("c"), pair("true"), pair("false"))
    if depth == 0:
        return leaf
    i, x, s, b = integer(depth - 1), number(depth - 1), string(depth - 1), boolean(depth - 1)
    comparisons = ("=", "<>", "<", "<=", ">", ">=")
    patterns = st.text(alphabet="abAB%_", max_size=4).map(lambda v: (literal_text(v),) * 2)
    return one_of(
        leaf,
        *(call(f"({{0}} {op} {{1}})", i, i) for op in comparisons),
        *(call(f"({{0}} {op} {{1}})", x, x) for op in comparisons),
        *(call(f"({{0}} {op} {{1}})", s, s) for op in comparisons),
        call("({0} and {1})", b, b),
        call("({0} or {1})", b, b),
        call("(not {0})", b),
        call("({0} is null)", s),
        call("({0} is not null)", x),
        call("({0} is true)", b),
        call("({0} is not false)", b),
        call("({0} in (1, 2, 3))", i),
        call("({0} not in (1, null, 3))", i),
        call("({0} in ('a', 'ab', 'B'))", s),
        call("({0} between {1} and {2})", x, x, x),
        call("({0} like {1})", s, patterns),
        pair("(m > '1999-12-31T00:00:00')", "(m > TIMESTAMP '1999-12-31 00:00:00')"),
    )


expressions = one_of(integer(2), number(2), string(2), boolean(2))


def vectors(data: list[dict[str, object]]):
    def spelled(value: object) -> object:
        return value.isoformat() if isinstance(value, datetime) else value

    return {name: raw_vector(name, kind, [spelled(row[name]) for row in data]) for name, kind in TYPES.items()}


def ours(sql: str, data: list[dict[str, object]]) -> list[object]:
    compiled = compile_expression(parse_expression(sql), TYPES)
    return list(compiled.over(vectors(data), len(data)).to_list())


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET ieee_floating_point_ops = false")
    connection.execute("CREATE MACRO fin(v) AS CASE WHEN isfinite(v) THEN v END")
    columns = ", ".join(f"{name} {SQL[kind]}" for name, kind in TYPES.items())
    connection.execute(f"CREATE TABLE data ({columns})")
    return connection


def same(a: object, b: object) -> bool:
    if isinstance(a, float) or (isinstance(b, float) and b is not None):
        if isinstance(b, float) and not math.isfinite(b):
            b = None
        return (a is None and b is None) or (
            a is not None and b is not None and math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12)
        )
    return a == b


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(expression=expressions, data=rows)
def test_the_evaluator_agrees_with_duckdb(
    duck: duckdb.DuckDBPyConnection, expression: tuple[str, str], data: list[dict[str, object]]
) -> None:
    duck.execute("DELETE FROM data")
    duck.executemany(
        f"INSERT INTO data VALUES ({', '.join('?' * len(TYPES))})", [[row[name] for name in TYPES] for row in data]
    )
    theirs = [row[0] for row in duck.execute(f"SELECT {expression[1]} FROM data").fetchall()]
    mine = ours(expression[0], data)
    assert all(same(a, b) for a, b in zip(mine, theirs, strict=True)), (expression, mine, theirs)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(expression=expressions, data=rows, seed=st.integers(0, 99))
def test_a_row_has_the_same_value_alone_and_in_any_order(
    expression: tuple[str, str], data: list[dict[str, object]], seed: int
) -> None:
    whole = ours(expression[0], data)
    alone = [ours(expression[0], [row])[0] for row in data]
    order = list(range(len(data)))
    random.Random(seed).shuffle(order)
    shuffled = ours(expression[0], [data[index] for index in order])
    assert whole == alone
    assert shuffled == [whole[index] for index in order]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        pytest.param("1 / 0", None, id="division by zero is missing"),
        pytest.param("7 // 2", 3, id="integer division cuts towards zero"),
        pytest.param("-7 // 2", -3, id="integer division of a negative cuts towards zero"),
        pytest.param("-7 % 3", -1, id="the remainder has the dividend's sign"),
        pytest.param("9223372036854775807 + 1", None, id="an overflow is missing"),
        pytest.param("round(2.5)", 3.0, id="halves are rounded away from zero"),
        pytest.param("round(-0.125, 2)", -0.13, id="halves are rounded away from zero at two places"),
        pytest.param("cast('12.5' as bigint)", 13, id="text is rounded to an integer"),
        pytest.param("cast('abc' as double)", None, id="text that is no number is missing"),
        pytest.param(
            "cast('2013-01-01T10:00:00+02:00' as timestamp) = '2013-01-01T08:00:00Z'", True, id="offsets count"
        ),
        pytest.param("null or true", True, id="unknown or true is true"),
        pytest.param("null and false", False, id="unknown and false is false"),
        pytest.param("coalesce(null and true, false)", False, id="unknown and true is unknown"),
        pytest.param("date_part('hour', cast('2013-01-01T10:00:00Z' as timestamp))", 10, id="date_part"),
        pytest.param("extract(dow from cast('2013-01-01' as timestamp))", 2, id="Sunday is 0"),
        pytest.param("epoch(cast('1970-01-02' as timestamp))", 86400.0, id="seconds since 1970"),
        pytest.param("substr('hello', -3, 2)", "ll", id="a negative start counts from the end"),
    ],
)
def test_values(sql: str, value: object) -> None:
    compiled = compile_expression(parse_expression(sql), {})
    assert compiled.over({}, 1).to_list() == [value]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select 1", "reads one row"),
        ("x in (select 1)", r"write x in \('a', 'b'\)"),
        ("sum(x)", "aggregates"),
        ("row_number() over ()", "window functions"),
        ("lenght(s)", r"did you mean length\?"),
        ("log(x)", r"write ln\(x\) or log10\(x\)"),
        ("s ilike 'a'", r"write lower\(x\) like"),
        ("x as y", "leave out the alias"),
        ("random()", "same value every time"),
        ("x is distinct from y", "write a <> b or"),
        ("data.x", "write x"),
        ("*", "can't be used"),
        ("x; y", "one expression"),
        ("x +", "not a SQL expression"),
        ("cast(x as blob)", "write bigint, double"),
        ("date_part('week', m)", "write day, dow"),
        ("hour(s)", r"convert it with cast\(… as timestamp\)"),
        ("x + s", "takes number or integer, got text"),
        ("x = s", "can't mix number and string"),
        ("nosuch > 1", 'no column "nosuch"'),
        ("m > 'soon'", "no ISO 8601 timestamp"),
        ("cast(m as bigint)", "not supported"),
        ("not x", "takes boolean"),
        ("(" * 500 + "x" + ")" * 500, "too deep|not a SQL|too large"),
        ("+".join(["x"] * 2000), "too|not a SQL"),
        ("x" * 5000, "at most 4096"),
    ],
)
def test_what_is_refused_says_what_to_write_instead(sql: str, says: str) -> None:
    with pytest.raises(ExpressionError, match=says):
        compile_expression(parse_expression(sql), TYPES)


def test_evaluation_leaves_its_columns_as_they_were() -> None:
    data = vectors([dict.fromkeys(TYPES, None), {**dict.fromkeys(TYPES, None), "x": 2.0, "i": 3}])
    before = {name: vector.values.copy() for name, vector in data.items()}
    compile_expression(parse_expression("coalesce(x, i) + abs(x)"), TYPES).over(data, 2)
    for name, values in before.items():
        np.testing.assert_array_equal(data[name].values, values)
