"""The kinds that a cluster may lack, as small CustomResourceDefinitions: as much of them as the operator writes."""

from modelwright.plan import JsonObject
from modelwright.resources import HTTP_ROUTES, POD_MONITORS, ResourceType

DEFINITIONS = ResourceType("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
_TEXT: JsonObject = {"type": "string"}
_ANYTHING: JsonObject = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _list(items: JsonObject, **more: object) -> JsonObject:
    return {"type": "array", "x-kubernetes-list-type": "atomic", "items": items, **more}


def _object(**properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties}


_PORT: JsonObject = {"type": "integer"}
_SPECS: dict[ResourceType, JsonObject] = {
    HTTP_ROUTES: _object(
        parentRefs=_list(_object(name=_TEXT, namespace=_TEXT, sectionName=_TEXT)),
        hostnames=_list(_TEXT),
        rules=_list(
            _object(
                matches=_list(_object(path=_object(type=_TEXT, value=_TEXT))),
                backendRefs=_list(_object(name=_TEXT, port=_PORT, weight={**_PORT, "default": 1})),
            )
        ),
    ),
    POD_MONITORS: _object(
        selector={
            **_object(
                matchLabels={"type": "object", "additionalProperties": _TEXT},
                matchExpressions=_list(_object(key=_TEXT, operator=_TEXT, values={"type": "array", "items": _TEXT})),
            ),
            "x-kubernetes-map-type": "atomic",
        },
        podTargetLabels={"type": "array", "items": _TEXT},
        podMetricsEndpoints={"type": "array", "items": _object(port=_TEXT, path=_TEXT, interval=_TEXT)},
    ),
}


def definition(type_: ResourceType) -> JsonObject:
    """The CustomResourceDefinition of one of the optional kinds."""
    version: JsonObject = {
        "name": type_.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": _object(spec=_SPECS[type_], status=_ANYTHING)},
    }
    name = f"{type_.plural}.{type_.group}"
    # The API server takes kinds of its own project only with a word of its owners.
    annotations = {"api-approved.kubernetes.io": "unapproved, for a test"}
    names = {
        "plural": type_.plural,
        "singular": type_.kind.lower(),
        "kind": type_.kind,
        "listKind": f"{type_.kind}List",
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"group": type_.group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
