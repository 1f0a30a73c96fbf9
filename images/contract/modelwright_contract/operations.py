"""The closed set of operations: what each takes, what it gives, and which function on vectors computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from modelwright_contract import logic, moments, numeric, text
from modelwright_contract.canonical import Json
from modelwright_contract.compiler import Build, Columns, Compiler, ExpressionError, Part
from modelwright_contract.vectors import ARTICLED, VALUE_TYPES, ValueType, Vector


def _typed(part: Part, kind: ValueType) -> Part:
    if part.type is None:
        nothing = logic.nothing(kind)
        return Part(kind, lambda _: nothing)
    return part


def _arguments(compiler: Compiler, op: str, nodes: Sequence[Json], at_least: int, at_most: int | None) -> list[Part]:
    if len(nodes) < at_least or (at_most is not None and len(nodes) > at_most):
        wanted = (
            str(at_least)
            if at_most == at_least
            else f"{at_least} or more"
            if at_most is None
            else f"{at_least} to {at_most}"
        )
        raise ExpressionError(f"{op} takes {wanted} arguments, got {len(nodes)}")
    return [compiler.compile(node) for node in nodes]


def _require(op: str, part: Part, allowed: tuple[ValueType, ...]) -> Part:
    part = _typed(part, allowed[0])
    if part.type not in allowed:
        assert part.type is not None
        wanted = " or ".join(allowed)
        raise ExpressionError(
            f"{op} takes {wanted}, got {ARTICLED[part.type]}: convert it with cast(… as {allowed[0]})"
        )
    return part


_NUMERIC: tuple[ValueType, ...] = ("number", "integer")


def _unary(op: str, takes: tuple[ValueType, ...], gives: ValueType | None, run: Callable[[Vector], Vector]) -> Build:
    def build(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
        (a,) = _arguments(compiler, op, nodes, 1, 1)
        a = _require(op, a, takes)
        return Part(gives or a.type, lambda columns: run(a.run(columns)))

    return build


def _binary(
    op: str, takes: tuple[ValueType, ...], gives: ValueType | None, run: Callable[[Vector, Vector], Vector]
) -> Build:
    def build(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
        a, b = _arguments(compiler, op, nodes, 2, 2)
        a, b = _require(op, a, takes), _require(op, b, takes)
        widest: ValueType = "integer" if a.type == b.type == "integer" else "number"
        return Part(gives or widest, lambda columns: run(a.run(columns), b.run(columns)))

    return build


def _common(op: str, parts: list[Part]) -> ValueType:
    kinds = {part.type for part in parts if part.type is not None}
    if not kinds:
        return "number"
    if kinds == {"integer", "number"}:
        return "number"
    if len(kinds) > 1:
        names = " and ".join(sorted(str(kind) for kind in kinds))
        raise ExpressionError(f"{op} can't mix {names}: convert one side with cast(… as …)")
    (kind,) = kinds
    return kind


def _comparison(op: str, run: Callable[[Vector, Vector], Vector]) -> Build:
    def build(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
        a, b = _arguments(compiler, op, nodes, 2, 2)
        a, b = _moment(a, b, nodes[0]), _moment(b, a, nodes[1])
        kind = _common(op, [a, b])
        a, b = _typed(a, kind), _typed(b, kind)
        return Part("boolean", lambda columns: run(a.run(columns), b.run(columns)))

    return build


def _moment(part: Part, other: Part, node: Json) -> Part:
    """A text literal beside a timestamp is a timestamp."""
    if other.type == "timestamp" and part.type == "string" and isinstance(node, Mapping) and "literal" in node:
        constant = moments.cast(part.run({}), "timestamp")
        if constant.missing is not None:
            raise ExpressionError(
                f"'{node['literal']}' is no ISO 8601 timestamp: write for example '2026-01-31T12:00:00Z'"
            )
        return Part("timestamp", lambda _: constant)
    return part


def _chain(op: str, run: Callable[[Vector, Vector], Vector]) -> Build:
    def build(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
        parts = [_require(op, part, ("boolean",)) for part in _arguments(compiler, op, nodes, 2, None)]

        def evaluate(columns: Columns) -> Vector:
            out = parts[0].run(columns)
            for part in parts[1:]:
                out = run(out, part.run(columns))
            return out

        return Part("boolean", evaluate)

    return build


def _is_null(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
    (a,) = _arguments(compiler, "is null", nodes, 1, 1)
    a = _typed(a, "number")
    return Part("boolean", lambda columns: logic.is_missing(a.run(columns)))


def _case(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
    if len(nodes) < 3 or len(nodes) % 2 == 0:
        raise ExpressionError("case takes pairs of condition and value, and a last value for else")
    parts = [compiler.compile(node) for node in nodes]
    conditions = [_require("case when", part, ("boolean",)) for part in parts[:-1:2]]
    kind = _common("case", [*parts[1:-1:2], parts[-1]])
    values = [_typed(part, kind) for part in parts[1:-1:2]]
    otherwise = _typed(parts[-1], kind)

    def evaluate(columns: Columns) -> Vector:
        out = otherwise.run(columns)
        for condition, value in zip(reversed(conditions), reversed(values), strict=True):
            out = logic.choose(kind, condition.run(columns), value.run(columns), out)
        return out

    return Part(kind, evaluate)


def _coalesce(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
    parts = _arguments(compiler, "coalesce", nodes, 1, None)
    kind = _common("coalesce", parts)
    parts = [_typed(part, kind) for part in parts]
    return Part(kind, lambda columns: logic.coalesce(kind, [part.run(columns) for part in parts]))


def _null_if(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
    a, b = _arguments(compiler, "nullif", nodes, 2, 2)
    kind = _common("nullif", [a, b])
    a, b = _typed(a, kind), _typed(b, kind)
    return Part(a.type, lambda columns: logic.null_if(a.run(columns), b.run(columns)))


def _in(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
    a, *rest = _arguments(compiler, "in", nodes, 2, None)
    choices: list[str | int | float | bool] = []
    any_null = False
    for part, node in zip(rest, nodes[1:], strict=True):
        if not (isinstance(node, Mapping) and "literal" in node):
            raise ExpressionError("in (…) takes literals: write a = b or a = c")
        value = node["literal"]
        if value is None:
            any_null = True
        elif isinstance(value, str | int | float | bool):
            choices.append(int(_moment(part, a, node).run({}).values[0]) if a.type == "timestamp" else value)
    kind = _common("in", [a, *(_moment(part, a, node) for part, node in zip(rest, nodes[1:], strict=True))])
    a = _typed(a, kind)
    return Part("boolean", lambda columns: logic.member(a.run(columns), choices, any_null))


def _extreme(op: str, run: Callable[[list[Vector]], Vector]) -> Build:
    def build(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
        parts = _arguments(compiler, op, nodes, 1, None)
        kind = _common(op, parts)
        if kind in ("string", "boolean"):
            raise ExpressionError(f"{op} takes numbers or timestamps, got {ARTICLED[kind]}")
        parts = [_typed(part, kind) for part in parts]
        if kind == "number":
            return Part(kind, lambda columns: run([moments.cast(part.run(columns), "number") for part in parts]))
        return Part(kind, lambda columns: run([part.run(columns) for part in parts]))

    return build


def _constant(nodes: Sequence[Json], index: int, what: str) -> Json:
    node = nodes[index]
    if isinstance(node, Mapping) and "literal" in node:
        return node["literal"]
    raise ExpressionError(f"{what} must be a literal")


def _integer_constant(nodes: Sequence[Json], index: int, what: str, low: int, high: int) -> int:
    value = _constant(nodes, index, what)
    if type(value) is not int or not low <= value <= high:
        raise ExpressionError(f"{what} must be an integer from {low} to {high}")
    return value


def _round(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
    a = _require("round", _arguments(compiler, "round", nodes, 1, 2)[0], _NUMERIC)
    digits = _integer_constant(nodes, 1, "round's number of decimal places", 0, 15) if len(nodes) == 2 else 0
    return Part(a.type, lambda columns: numeric.rounded(a.run(columns), digits))


def _substring(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
    a = _require("substr", _arguments(compiler, "substr", nodes, 2, 3)[0], ("string",))
    start = _integer_constant(nodes, 1, "substr's start", -(10**6), 10**6)
    count = _integer_constant(nodes, 2, "substr's length", 0, 10**6) if len(nodes) == 3 else None
    return Part("string", lambda columns: text.substring(a.run(columns), start, count))


def _like(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
    a = _require("like", _arguments(compiler, "like", nodes, 2, 2)[0], ("string",))
    pattern = _constant(nodes, 1, "like's pattern")
    if not isinstance(pattern, str):
        raise ExpressionError("like's pattern must be text")
    if pattern.count("%") > 8:
        raise ExpressionError("like's pattern may hold at most eight %")
    return Part("boolean", lambda columns: text.like(a.run(columns), pattern))


def _concat(compiler: Compiler, nodes: Sequence[Json], _: Mapping[str, Json]) -> Part:
    parts = [_require("concat", part, ("string",)) for part in _arguments(compiler, "concat", nodes, 1, None)]
    return Part("string", lambda columns: text.concatenate([part.run(columns) for part in parts]))


_CASTS: dict[ValueType, tuple[ValueType, ...]] = {
    "string": ("string", "integer", "number", "boolean", "timestamp"),
    "integer": ("integer", "number", "boolean", "string"),
    "number": ("number", "integer", "boolean"),
    "boolean": ("boolean", "integer", "number", "string"),
    "timestamp": ("timestamp",),
}


def _cast(compiler: Compiler, nodes: Sequence[Json], node: Mapping[str, Json]) -> Part:
    to = node.get("to")
    kind = next((kind for kind in VALUE_TYPES if kind == to), None)
    if kind is None:
        raise ExpressionError(f"there is no type {to}: write {', '.join(VALUE_TYPES)}")
    (a,) = _arguments(compiler, "cast", nodes, 1, 1)
    a = _typed(a, kind)
    assert a.type is not None
    if kind not in _CASTS[a.type]:
        raise ExpressionError(
            f"cast from {a.type} to {kind} is not supported: {a.type} converts to {', '.join(_CASTS[a.type])}"
        )
    return Part(kind, lambda columns: moments.cast(a.run(columns), kind))


OPERATIONS: dict[str, Build] = {
    "add": _binary("+", _NUMERIC, None, numeric.add),
    "subtract": _binary("-", _NUMERIC, None, numeric.subtract),
    "multiply": _binary("*", _NUMERIC, None, numeric.multiply),
    "divide": _binary("/", _NUMERIC, "number", numeric.divide),
    "integer_divide": _binary("//", ("integer",), "integer", numeric.integer_divide),
    "modulo": _binary("%", _NUMERIC, None, numeric.modulo),
    "negate": _unary("-", _NUMERIC, None, numeric.negate),
    "equal": _comparison("=", logic.equal),
    "unequal": _comparison("<>", logic.unequal),
    "less": _comparison("<", logic.less),
    "less_or_equal": _comparison("<=", logic.less_or_equal),
    "greater": _comparison(">", logic.greater),
    "greater_or_equal": _comparison(">=", logic.greater_or_equal),
    "and": _chain("and", logic.conjunction),
    "or": _chain("or", logic.disjunction),
    "not": _unary("not", ("boolean",), "boolean", logic.negation),
    "is_null": _is_null,
    "in": _in,
    "case": _case,
    "coalesce": _coalesce,
    "nullif": _null_if,
    "cast": _cast,
    "abs": _unary("abs", _NUMERIC, None, numeric.absolute),
    "sign": _unary("sign", _NUMERIC, "integer", numeric.sign),
    "round": _round,
    "floor": _unary("floor", _NUMERIC, None, numeric.floor),
    "ceil": _unary("ceil", _NUMERIC, None, numeric.ceil),
    "sqrt": _unary("sqrt", _NUMERIC, "number", numeric.sqrt),
    "ln": _unary("ln", _NUMERIC, "number", numeric.ln),
    "log10": _unary("log10", _NUMERIC, "number", numeric.log10),
    "exp": _unary("exp", _NUMERIC, "number", numeric.exp),
    "power": _binary("power", _NUMERIC, "number", numeric.power),
    "least": _extreme("least", numeric.least),
    "greatest": _extreme("greatest", numeric.greatest),
    "lower": _unary("lower", ("string",), "string", text.lower),
    "upper": _unary("upper", ("string",), "string", text.upper),
    "trim": _unary("trim", ("string",), "string", text.trim),
    "length": _unary("length", ("string",), "integer", text.length),
    "substr": _substring,
    "concat": _concat,
    "join": _binary("||", ("string",), "string", text.joined),
    "like": _like,
    "epoch": _unary("epoch", ("timestamp",), "number", moments.epoch),
    **{name: _unary(name, ("timestamp",), "integer", moments.part(name)) for name in moments.PARTS},
}
"""Operations by the name that stands in a tree."""
