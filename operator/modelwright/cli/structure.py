"""Whether an object has the shape that its schema asks for, in the API server's own words.

The same order as there: unknown fields are refused, nulls and absent fields become defaults, then types and bounds are
checked. `x-kubernetes-validations` come after, in `rules`.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from modelwright.api.v1alpha1.schema import INT_OR_STRING, LIST_MAP_KEYS, LIST_TYPE, PRESERVE_UNKNOWN

JsonObject = dict[str, object]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `blocks`: the API server checks no rules until it is gone."""

    path: str
    message: str
    blocks: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def unknown(value: object, schema: JsonObject, path: str = "") -> Iterator[Finding]:
    """The fields that the schema does not know: kubectl refuses them, a plain request loses them."""
    if schema.get(PRESERVE_UNKNOWN):
        return
    match value:
        case dict():
            properties = cast(dict[str, JsonObject], schema.get("properties", {}))
            values = cast(JsonObject | None, schema.get("additionalProperties"))
            if schema.get("type") != "object" or (values is None and "properties" not in schema):
                return
            for name, child in value.items():
                below = f"{path}.{name}".removeprefix(".")
                known = properties.get(name, values)
                if known is None:
                    yield Finding("", f'strict decoding error: unknown field "{below}"')
                else:
                    yield from unknown(child, known, below)
        case list() if "items" in schema:
            for index, child in enumerate(value):
                yield from unknown(child, cast(JsonObject, schema.get("items", {})), f"{path}[{index}]")


def defaulted(value: object, schema: JsonObject) -> object:
    """The value with defaults filled in and nulls of declared fields dropped."""
    match value:
        case dict():
            properties = cast(dict[str, JsonObject], schema.get("properties", {}))
            values = cast(JsonObject, schema.get("additionalProperties", {}))
            result = {
                name: defaulted(child, properties.get(name, values))
                for name, child in value.items()
                if child is not None or name not in properties
            }
            for name, child_schema in properties.items():
                if name not in result and "default" in child_schema:
                    result[name] = defaulted(child_schema["default"], child_schema)
            return result
        case list() if "items" in schema:
            return [defaulted(child, cast(JsonObject, schema["items"])) for child in value]
    return value


def check(value: object, schema: JsonObject, path: str = "") -> Iterator[Finding]:
    """Wrong types, missing fields and broken bounds of a value that went through `defaulted`."""
    wanted = "integer,string" if schema.get(INT_OR_STRING) else cast(str, schema.get("type", ""))
    found = json_type(value)
    if wanted and found not in wanted.split(",") and not (wanted == "number" and found == "integer"):
        yield Finding(
            path, f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"', blocks=True
        )
        return
    if (enum := cast(list[object] | None, schema.get("enum"))) is not None and value not in enum:
        values = ", ".join(quoted(entry) for entry in enum)
        yield Finding(path, f"Unsupported value: {quoted(value)}: supported values: {values}", blocks=True)
    match value:
        case str():
            yield from _text(value, schema, path)
        case bool():
            pass
        case int() | float():
            yield from _number(value, schema, path)
        case list():
            yield from _list(cast(list[object], value), schema, path)
        case dict():
            yield from _map(cast(JsonObject, value), schema, path)


def _text(value: str, schema: JsonObject, path: str) -> Iterator[Finding]:
    if len(value) > (longest := _bound(schema, "maxLength")):
        yield Finding(path, f"Too long: may not be more than {longest:g} bytes", blocks=True)
    if len(value) < (shortest := cast(int, schema.get("minLength", 0))):
        yield Finding(path, f"Invalid value: {quoted(value)}: {path} in body should be at least {shortest} chars long")


def _number(value: float, schema: JsonObject, path: str) -> Iterator[Finding]:
    if value > (most := _bound(schema, "maximum")):
        yield Finding(path, f"Invalid value: {value}: {path} in body should be less than or equal to {most:.0f}")
    if value < (least := -_bound(schema, "minimum", -1)):
        yield Finding(path, f"Invalid value: {value}: {path} in body should be greater than or equal to {least:.0f}")


def _list(value: list[object], schema: JsonObject, path: str) -> Iterator[Finding]:
    if len(value) > (most := _bound(schema, "maxItems")):
        yield Finding(path, f"Too many: {len(value)}: must have at most {most:g} items", blocks=True)
    if len(value) < (least := cast(int, schema.get("minItems", 0))):
        yield Finding(path, f"Invalid value: {len(value)}: {path} in body should have at least {least} items")
    seen: list[object] = []
    keys = cast(list[str], schema.get(LIST_MAP_KEYS, []))
    for index, entry in enumerate(value):
        yield from check(entry, cast(JsonObject, schema.get("items", {})), f"{path}[{index}]")
        identity: object = {key: entry.get(key) for key in keys} if keys and isinstance(entry, dict) else entry
        if schema.get(LIST_TYPE) in ("map", "set"):
            if identity in seen:
                yield Finding(f"{path}[{index}]", f"Duplicate value: {quoted(identity)}")
            seen.append(identity)


def _map(value: JsonObject, schema: JsonObject, path: str) -> Iterator[Finding]:
    if len(value) > (most := _bound(schema, "maxProperties")):
        yield Finding(path, f"Too many: {len(value)}: must have at most {most:g} items", blocks=True)
    properties = cast(dict[str, JsonObject], schema.get("properties", {}))
    for name in cast(list[str], schema.get("required", [])):
        if name not in value:
            yield Finding(f"{path}.{name}".removeprefix("."), "Required value", blocks=True)
    for name, child in value.items():
        below = properties.get(name, cast(JsonObject, schema.get("additionalProperties", {})))
        yield from check(child, below, f"{path}.{name}".removeprefix("."))


def _bound(schema: JsonObject, key: str, sign: int = 1) -> float:
    return sign * cast(float, schema[key]) if key in schema else math.inf


def json_type(value: object) -> str:
    """The name of the value's JSON type, as the API server says it."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
    return "null"


def quoted(value: object) -> str:
    """The value as the API server quotes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
