"""JSON merge patch (RFC 7386): the smallest patch from one document to another."""

from collections.abc import Mapping

from modelwright.plan import JsonObject


def merge_patch(old: Mapping[str, object], new: Mapping[str, object]) -> JsonObject:
    """The patch that turns `old` into `new`, empty where they are equal. Neither may hold a null.

    Lists are replaced whole, as the RFC has it; a field that is not in `new` is set to null, which removes it.
    """
    patch: JsonObject = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := merge_patch(before, value):
                patch[name] = inner
        elif name not in old or before != value:
            patch[name] = value
    return patch


def without_nulls(value: Mapping[str, object]) -> JsonObject:
    """The document as the API server would store it: a field that is null is a field that is not there."""
    return {
        name: without_nulls(inner) if isinstance(inner, dict) else inner
        for name, inner in value.items()
        if inner is not None
    }
