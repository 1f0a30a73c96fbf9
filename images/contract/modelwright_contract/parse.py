"""SQL scalar expressions into the contract's own tree. What is not listed here is refused, with what to write instead.

Uses sqlglot; the worker and the command-line tool import it, the server never does.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from modelwright_contract.canonical import Json
from modelwright_contract.compiler import ExpressionError
from modelwright_contract.vectors import ValueType

MAX_CHARS = 4096

_BINARY: dict[type[exp.Expr], str] = {
    exp.Add: "add",
    exp.Sub: "subtract",
    exp.Mul: "multiply",
    exp.Div: "divide",
    exp.IntDiv: "integer_divide",
    exp.Mod: "modulo",
    exp.Pow: "power",
    exp.EQ: "equal",
    exp.NEQ: "unequal",
    exp.LT: "less",
    exp.LTE: "less_or_equal",
    exp.GT: "greater",
    exp.GTE: "greater_or_equal",
    exp.And: "and",
    exp.Or: "or",
    exp.DPipe: "join",
    exp.Like: "like",
    exp.Nullif: "nullif",
}
_UNARY: dict[type[exp.Expr], str] = {
    exp.Neg: "negate",
    exp.Not: "not",
    exp.Abs: "abs",
    exp.Sign: "sign",
    exp.Sqrt: "sqrt",
    exp.Ln: "ln",
    exp.Exp: "exp",
    exp.Lower: "lower",
    exp.Upper: "upper",
    exp.Length: "length",
    exp.Year: "year",
    exp.Month: "month",
    exp.Day: "day",
    exp.DayOfMonth: "day",
    exp.Hour: "hour",
    exp.Minute: "minute",
    exp.Second: "second",
    exp.DayOfWeek: "dow",
    exp.TimeToUnix: "epoch",
}
_LISTS: dict[type[exp.Expr], str] = {exp.Coalesce: "coalesce", exp.Least: "least", exp.Greatest: "greatest"}
_NAMED = {"dow": "dow", "weekday": "dow", "dayofweek": "dow"}
_PARTS = {"year", "month", "day", "hour", "minute", "second", "dow", "epoch"}
_TYPES: dict[str, ValueType] = {
    **dict.fromkeys(("BIGINT", "INT", "SMALLINT", "TINYINT"), "integer"),
    **dict.fromkeys(("DOUBLE", "FLOAT"), "number"),
    **dict.fromkeys(("VARCHAR", "TEXT"), "string"),
    "BOOLEAN": "boolean",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPNTZ", "DATETIME"), "timestamp"),
}
FUNCTIONS = sorted(
    {
        *_UNARY.values(),
        *_LISTS.values(),
        "power",
        "nullif",
        "log10",
        "round",
        "floor",
        "ceil",
        "trim",
        "substr",
        "concat",
        "if",
    }
    - {"negate", "not"}
)
"""The names of the functions that an expression may call."""


def parse_expression(sql: str) -> Json:
    """The tree of a SQL scalar expression. Raises ExpressionError that says what to write instead."""
    if len(sql) > MAX_CHARS:
        raise ExpressionError(f"the expression has {len(sql)} characters, at most {MAX_CHARS} are allowed")
    try:
        statements = sqlglot.parse(sql, dialect="duckdb")
    except SqlglotError as error:
        raise ExpressionError(f"not a SQL expression: {_first_line(error)}") from None
    except RecursionError:
        raise ExpressionError("nested too deep") from None
    if len(statements) != 1 or statements[0] is None:
        raise ExpressionError("write one expression, for example: dep_delay > 15")
    try:
        return _tree(statements[0])
    except RecursionError:
        raise ExpressionError("nested too deep") from None


def _first_line(error: Exception) -> str:
    return " ".join(str(error).replace("\x1b[4m", "").replace("\x1b[0m", "").split())[:160]


def _op(name: str, *arguments: Json) -> Json:
    return {"op": name, "args": list(arguments)}


def _tree(node: exp.Expr) -> Json:
    kind = type(node)
    if kind in _BINARY:
        return _op(_BINARY[kind], _tree(node.this), _tree(node.expression))
    if kind in _UNARY:
        return _op(_UNARY[kind], _tree(node.this))
    if kind in _LISTS:
        return _op(_LISTS[kind], *_all([node.this, *node.expressions]))
    convert = _SPECIAL.get(kind)
    if convert is not None:
        return convert(node)
    raise _refusal(node)


def _all(nodes: Iterable[exp.Expr]) -> list[Json]:
    return [_tree(node) for node in nodes]


def _column(node: exp.Expr) -> Json:
    if node.args.get("table") is not None:
        raise ExpressionError(f"{node.sql()}: columns have no table before them: write {node.name}")
    if isinstance(node.this, exp.Star):
        raise ExpressionError("* is not a value: name one column")
    return {"column": node.name}


def _literal(node: exp.Expr) -> Json:
    text: str = node.this
    if node.args.get("is_string"):
        return {"literal": text}
    try:
        return {"literal": int(text)}
    except ValueError:
        return {"literal": float(text)}


def _is(node: exp.Expr) -> Json:
    right = node.expression
    if isinstance(right, exp.Null):
        return _op("is_null", _tree(node.this))
    if isinstance(right, exp.Boolean):
        wanted = _op("equal", _tree(node.this), {"literal": bool(right.this)})
        return _op("coalesce", wanted, {"literal": False})
    raise ExpressionError(f"{node.sql()}: after is, write null, true or false")


def _case(node: exp.Expr) -> Json:
    arguments: list[Json] = []
    for branch in node.args["ifs"]:
        condition = _tree(branch.this)
        if node.this is not None:
            condition = _op("equal", _tree(node.this), condition)
        arguments += [condition, _tree(branch.args["true"])]
    default = node.args.get("default")
    arguments.append(_tree(default) if default is not None else {"literal": None})
    return _op("case", *arguments)


def _if(node: exp.Expr) -> Json:
    otherwise = node.args.get("false")
    last: Json = _tree(otherwise) if otherwise is not None else {"literal": None}
    return _op("case", _tree(node.this), _tree(node.args["true"]), last)


def _in(node: exp.Expr) -> Json:
    if node.args.get("query") is not None or node.args.get("unnest") is not None or node.args.get("field") is not None:
        raise ExpressionError(f"{node.sql()}: in takes a list of literals: write x in ('a', 'b')")
    return _op("in", _tree(node.this), *(_negative(item) for item in node.expressions))


def _negative(node: exp.Expr) -> Json:
    """-5 is a literal where only literals may stand."""
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.args.get("is_string"):
        value = _literal(node.this)
        assert isinstance(value, dict)
        return {"literal": -value["literal"]}
    return _tree(node)


def _between(node: exp.Expr) -> Json:
    value = _tree(node.this)
    return _op(
        "and",
        _op("greater_or_equal", value, _tree(node.args["low"])),
        _op("less_or_equal", value, _tree(node.args["high"])),
    )


def _cast(node: exp.Expr) -> Json:
    spelled = node.args["to"].this
    name = str(getattr(spelled, "value", spelled)).upper()
    kind = _TYPES.get(name)
    if kind is None:
        raise ExpressionError(
            f"cast to {name.lower()} is not supported: write bigint, double, varchar, boolean or timestamp"
        )
    return {"op": "cast", "to": kind, "args": [_tree(node.this)]}


def _round(node: exp.Expr) -> Json:
    digits = node.args.get("decimals")
    return _op("round", _tree(node.this), *([_negative(digits)] if digits is not None else []))


def _whole(name: str) -> Callable[[exp.Expr], Json]:
    def convert(node: exp.Expr) -> Json:
        if node.args.get("decimals") is not None:
            raise ExpressionError(f"{name} takes one argument: write round(x, digits)")
        return _op(name, _tree(node.this))

    return convert


def _log(node: exp.Expr) -> Json:
    if isinstance(node.this, exp.Literal) and node.this.this == "10" and node.expression is not None:
        return _op("log10", _tree(node.expression))
    raise ExpressionError(f"{node.sql()}: log has no fixed base: write ln(x) or log10(x)")


def _trim(node: exp.Expr) -> Json:
    if node.args.get("position") or node.args.get("expression") is not None:
        raise ExpressionError(f"{node.sql()}: trim removes spaces on both sides only: write trim(x)")
    return _op("trim", _tree(node.this))


def _substring(node: exp.Expr) -> Json:
    arguments = [_tree(node.this), _negative(node.args["start"])]
    count = node.args.get("length")
    return _op("substr", *arguments, *([_negative(count)] if count is not None else []))


def _extract(node: exp.Expr) -> Json:
    return _part(node.this.name, node.expression)


def _part(name: str, of: exp.Expr) -> Json:
    name = {"dayofweek": "dow", "weekday": "dow"}.get(name.lower(), name.lower())
    if name not in _PARTS:
        raise ExpressionError(f"there is no date part {name}: write {', '.join(sorted(_PARTS))}")
    return _op(name, _tree(of))


def _anonymous(node: exp.Expr) -> Json:
    name = str(node.this).lower()
    if name in _NAMED and len(node.expressions) == 1:
        return _op(_NAMED[name], _tree(node.expressions[0]))
    if name == "date_part" and len(node.expressions) == 2 and isinstance(node.expressions[0], exp.Literal):
        return _part(node.expressions[0].this, node.expressions[1])
    close = difflib.get_close_matches(name, FUNCTIONS, n=3)
    instead = f"did you mean {', '.join(close)}?" if close else f"write one of {', '.join(FUNCTIONS)}"
    raise ExpressionError(f"there is no function {name}(): {instead}")


_SPECIAL: dict[type[exp.Expr], Callable[[exp.Expr], Json]] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: lambda node: {"literal": bool(node.this)},
    exp.Null: lambda _: {"literal": None},
    exp.Paren: lambda node: _tree(node.this),
    exp.Is: _is,
    exp.Case: _case,
    exp.If: _if,
    exp.In: _in,
    exp.Between: _between,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Round: _round,
    exp.Floor: _whole("floor"),
    exp.Ceil: _whole("ceil"),
    exp.Log: _log,
    exp.Trim: _trim,
    exp.Substring: _substring,
    exp.Extract: _extract,
    exp.Concat: lambda node: _op("concat", *_all(node.expressions)),
    exp.Anonymous: _anonymous,
}

_INSTEAD: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Query, "an expression reads one row: joins and subqueries are not row-wise"),
    (exp.Window, "window functions read other rows: an expression reads one row"),
    (exp.AggFunc, "aggregates read other rows: an expression reads one row"),
    (exp.ILike, "write lower(x) like 'pattern'"),
    (exp.Alias, "leave out the alias: the column's name is its field name"),
    (exp.Interval, "write epoch(a) - epoch(b), in seconds"),
    (exp.Rand, "an expression gives the same value every time"),
    (exp.CurrentTimestamp, "an expression gives the same value every time"),
    (exp.CurrentDate, "an expression gives the same value every time"),
    (exp.NullSafeEQ, "write a = b or (a is null and b is null)"),
    (exp.NullSafeNEQ, "write a <> b or (a is null) <> (b is null)"),
    (exp.Func, f"write one of {', '.join(FUNCTIONS)}"),
)


def _refusal(node: exp.Expr) -> ExpressionError:
    shown = node.sql(dialect="duckdb")
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    for kind, instead in _INSTEAD:
        if isinstance(node, kind):
            return ExpressionError(f"{shown} can't be used: {instead}")
    return ExpressionError(
        f"{shown} can't be used: write arithmetic, comparisons, and, or, not, case, cast, in, between or a function"
    )
