"""Events for `kubectl describe`, with names that make a repetition harmless."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, cast

from modelwright.names import FIELD_MANAGER, GROUP
from modelwright.objects import KubeObject
from modelwright.plan import Event, JsonObject

_MESSAGE_LENGTH: Final = 1024


def event_manifest(obj: KubeObject, event: Event, instance: str, now: datetime | None = None) -> JsonObject:
    """A core/v1 Event about `obj`, as the object was before the change that the event tells of.

    Its name is a hash of the object, the sentence and the last transitions before it: the same step of the same
    object, told twice because an operator died between Event and status, is one Event.
    """
    metadata = obj["metadata"]
    identity = (metadata["uid"], event.type, event.reason, event.message, *_last_transitions(obj))
    digest = hashlib.sha256("\x00".join(identity).encode()).hexdigest()[:16]
    time = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{digest}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:_MESSAGE_LENGTH],
        "action": event.action,
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": f"{GROUP}/operator",
        "reportingInstance": instance[:128],
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def _last_transitions(obj: KubeObject) -> tuple[str, ...]:
    status = cast(Mapping[str, Mapping[str, list[Mapping[str, str]]]], obj).get("status") or {}
    told = ("type", "status", "reason", "lastTransitionTime")
    return tuple(condition[part] for condition in status.get("conditions", []) for part in told)
