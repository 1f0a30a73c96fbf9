"""The CEL rules of a schema, evaluated offline: CEL's own runtime, with the functions that Kubernetes adds."""

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Protocol, cast

from cel_expr_python import cel  # ships stubs but no py.typed marker
from cel_expr_python.ext import ext_strings  # the same

from modelwright import quantities
from modelwright.api.v1alpha1.schema import VALIDATIONS
from modelwright.cli.structure import Finding, quoted

JsonObject = dict[str, object]


class _Value(Protocol):
    def plain_value(self) -> object: ...


class _Expression(Protocol):
    def eval(self, *, data: JsonObject) -> _Value: ...


def check(value: object, schema: JsonObject, path: str = "") -> Iterator[Finding]:
    """The rules that a new object breaks, with the messages that the API server has for them.

    Rules on changes (those that read `oldSelf`) are passed over: offline, there is nothing before.
    """
    for rule in cast(list[dict[str, str]], schema.get(VALIDATIONS, [])):
        if "oldSelf" in rule["rule"] or _evaluate(rule["rule"], value) is True:
            continue
        message = _evaluate(rule["messageExpression"], value) if "messageExpression" in rule else None
        shown = "" if isinstance(value, dict | list) else f"{quoted(value)}: "
        where = f"{path}{rule.get('fieldPath', '')}".removeprefix(".")
        yield Finding(where, f"Invalid value: {shown}{message if isinstance(message, str) else rule['message']}")
    match value:
        case dict():
            properties = cast(dict[str, JsonObject], schema.get("properties", {}))
            values = cast(JsonObject, schema.get("additionalProperties", {}))
            for name, child in value.items():
                if name in properties:
                    yield from check(child, properties[name], f"{path}.{name}".removeprefix("."))
                else:
                    yield from check(child, values, f"{path}[{name}]")
        case list() if "items" in schema:
            for index, child in enumerate(value):
                yield from check(child, cast(JsonObject, schema["items"]), f"{path}[{index}]")


def _evaluate(expression: str, value: object) -> object:
    return _compiled(expression).eval(data={"self": value}).plain_value()


@cache
def _compiled(expression: str) -> _Expression:
    return cast(_Expression, _environment().compile(expression))


@cache
def _environment() -> cel.Env:
    """`self`, CEL's strings extension, and Kubernetes' lists and quantities: a quantity is held as its text."""
    text, truth, values = cel.Type.STRING, cel.Type.BOOL, cel.Type.List(cel.Type.DYN)
    functions = [
        _function("isQuantity", truth, [text], _is_quantity),
        _function("quantity", text, [text], str),
        _function("isGreaterThan", truth, [text, text], _is_greater, member=True),
        _function("isSorted", truth, [values], _is_sorted, member=True),
    ]
    return cel.NewEnv(variables={"self": cel.Type.DYN}, functions=functions, extensions=[ext_strings.ExtStrings()])


def _function(name: str, result: cel.Type, parameters: list[cel.Type], body: object, member: bool = False) -> object:
    return cel.FunctionDecl(name, [cel.Overload(f"modelwright_{name}", result, parameters, member, body)])


def _is_quantity(text: str) -> bool:
    try:
        quantities.parse(text)
    except ValueError:
        return False
    return True


def _is_greater(left: str, right: str) -> bool:
    first: Decimal = quantities.parse(left)
    return first > quantities.parse(right)


def _is_sorted(values: list[int]) -> bool:
    return values == sorted(values)
