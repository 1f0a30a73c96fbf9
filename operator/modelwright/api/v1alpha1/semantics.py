"""The part of a spec that decides a step's result, as canonical JSON: what content hashes are made of.

Defaults are left out, so that a field added later, or a default written out, changes no hash; map-lists and sets are
sorted, so that their order does not matter.
"""

import json

from modelwright.api.v1alpha1.schema import ListOf, Schema


def pruned(model: Schema, fields: set[str] | None = None) -> dict[str, object]:
    """The model's JSON by Kubernetes' names without values that equal their default; only `fields`, if given."""
    result: dict[str, object] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if (fields is not None and name not in fields) or (not field.is_required() and value == field.default):
            continue
        unordered = any(isinstance(mark, ListOf) and mark.type != "atomic" for mark in field.metadata)
        result[str(field.validation_alias or name)] = _json(value, unordered)
    return result


def _json(value: object, unordered: bool = False) -> object:
    if isinstance(value, Schema):
        return pruned(value)
    if isinstance(value, list | tuple):
        entries = [_json(entry) for entry in value]
        return sorted(entries, key=lambda entry: json.dumps(_sort_key(entry))) if unordered else entries
    return value


def _sort_key(entry: object) -> object:
    return entry["name"] if isinstance(entry, dict) and "name" in entry else entry
