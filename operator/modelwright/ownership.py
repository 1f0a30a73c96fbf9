"""Whether everything that was applied is still so, by what the API server keeps on the object itself.

Server-side apply lists each manager's fields (`metadata.managedFields`). A field of ours that another hand changes or
removes leaves our list, whatever this process remembers and wherever the object was edited; a field that another hand
adds beside ours is in its own list, and is none of our business.
"""

import json
from collections.abc import Mapping
from typing import Final, cast

from modelwright.names import FIELD_MANAGER
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject

_IDENTITY: Final = frozenset({"apiVersion", "kind", "name", "namespace", "uid"})
"""What every manifest must say, and nobody owns."""


def is_ours(obj: KubeObject, manifest: JsonObject) -> bool:
    """Whether each field of the manifest is still owned by who applied it."""
    metadata = {name: value for name, value in cast(JsonObject, manifest["metadata"]).items() if name not in _IDENTITY}
    applied = {name: value for name, value in manifest.items() if name not in _IDENTITY}
    listed = cast(Mapping[str, list[Mapping[str, object]]], obj["metadata"]).get("managedFields", [])
    for entry in listed:
        if (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply"):
            return _has(entry.get("fieldsV1"), {**applied, "metadata": metadata})
    return False


def _has(fields: object, value: object) -> bool:
    """Whether a part of a fieldsV1 names everything in a part of the manifest; an empty one owns it as a whole."""
    if not isinstance(fields, dict) or not fields:
        return isinstance(fields, dict)
    if isinstance(value, dict):
        return all(_has(fields.get(f"f:{name}"), inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(_has_item(fields, item) for item in value)
    return True


def _has_item(fields: Mapping[str, object], item: object) -> bool:
    """An item of a list goes by the values of its keys, or of a set by its own."""
    for path, inner in fields.items():
        kind, _, text = path.partition(":")
        if kind == "v" and json.loads(text) == item:
            return True
        if kind == "k" and isinstance(item, dict) and _matches(json.loads(text), item):
            return _has(inner, item)
    return False


def _matches(keys: Mapping[str, object], item: Mapping[str, object]) -> bool:
    """A key that the item leaves out has the API's default."""
    return all(item.get(name, value) == value for name, value in keys.items())
