"""How the models say in Python what a CustomResourceDefinition says in OpenAPI: CEL rules and kinds of lists.

A rule stands beside the field or model that it rules; `crdgen` finds it in pydantic's JSON schema under the key that
Kubernetes uses.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

VALIDATIONS = "x-kubernetes-validations"
LIST_TYPE = "x-kubernetes-list-type"
LIST_MAP_KEYS = "x-kubernetes-list-map-keys"
INT_OR_STRING = "x-kubernetes-int-or-string"
PRESERVE_UNKNOWN = "x-kubernetes-preserve-unknown-fields"


@dataclass(frozen=True)
class Rule:
    """One CEL rule of the API server, on the value that it annotates (`self`).

    `message` says what to write instead, without the field's path, which the API server puts before it.
    `expression` is a CEL expression for the message where it can quote the value; `message` stands in if it fails.
    `field` points the error at a child, as `.name`.
    """

    rule: str
    message: str
    expression: str = ""
    field: str = ""

    def as_json(self) -> dict[str, str]:
        """The rule as an entry of `x-kubernetes-validations`."""
        entry = {"rule": self.rule, "message": self.message}
        if self.expression:
            entry["messageExpression"] = self.expression
        if self.field:
            entry["fieldPath"] = self.field
        return entry

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return with_rules(handler(schema), (self,))


@dataclass(frozen=True)
class Matches:
    """A string must match `pattern` (RE2, anchored by `^` and `$`), or `message` says what to write.

    It is a CEL rule in the CRD, because the API server's own message for a `pattern` only quotes the pattern.
    """

    pattern: str
    message: str

    def as_rule(self) -> Rule:
        """The same as a CEL rule."""
        return Rule(f"self.matches({literal(self.pattern)})", self.message)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        compiled = re.compile(self.pattern.removesuffix("$") + r"\Z")

        def check(text: str) -> str:
            if compiled.search(text) is None:
                raise ValueError(self.message)
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return with_rules(handler(schema), (self.as_rule(),))


@dataclass(frozen=True)
class ListOf:
    """How server-side apply merges a list: entries by `key` (map), distinct values (set), or all at once (atomic)."""

    type: Literal["map", "set", "atomic"]
    key: str = ""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json = handler(schema) | {LIST_TYPE: self.type}
        return json | {LIST_MAP_KEYS: [self.key]} if self.key else json


class Schema(BaseModel):
    """A part of an object's spec: frozen, and refuses what it does not know."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", protected_namespaces=()
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json = handler(schema)
        if cls.rules:
            definition = handler.resolve_ref_schema(json)
            definition.update(with_rules(definition, cls.rules))
        return json


class Observed(Schema):
    """A part of an object's status: frozen, and ignores what a newer operator wrote."""

    model_config = ConfigDict(extra="ignore")


def any_json(depth: int) -> JsonSchemaValue:
    """The schema of any JSON with at most `depth` levels of lists and objects, none of them of great size.

    A structural schema has no recursion, so every level is written out. Nullable, or the API server drops nulls.
    """
    scalar: JsonSchemaValue = {PRESERVE_UNKNOWN: True, "nullable": True, "maxLength": 1024}
    if depth == 0:
        return {**scalar, "maxItems": 0, "maxProperties": 0}
    below = any_json(depth - 1)
    return {**scalar, "maxItems": 1024, "items": below, "maxProperties": 256, "additionalProperties": below}


def with_rules(json: JsonSchemaValue, rules: tuple[Rule, ...]) -> JsonSchemaValue:
    """The schema with the rules added to those that it has."""
    return json | {VALIDATIONS: [*json.get(VALIDATIONS, []), *(rule.as_json() for rule in rules)]}


def literal(text: str) -> str:
    """The text as a string literal of CEL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
