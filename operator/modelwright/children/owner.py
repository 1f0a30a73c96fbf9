"""Who a child belongs to."""

from modelwright import names
from modelwright.api.v1alpha1 import Resource
from modelwright.plan import JsonObject


def owned_metadata(resource: Resource, name: str, step: str, annotations: dict[str, str] | None = None) -> JsonObject:
    """The metadata of a child that goes when `resource` goes."""
    return {
        "name": name,
        "namespace": resource.metadata.namespace,
        "labels": names.labels(resource.kind, resource.metadata.name, step),
        **({"annotations": annotations} if annotations else {}),
        "ownerReferences": [
            {
                "apiVersion": names.API_VERSION,
                "kind": resource.kind,
                "name": resource.metadata.name,
                "uid": resource.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }
