"""What the API server would say of an object of ours, said offline."""

import re
from collections.abc import Iterator
from functools import cache
from typing import cast

from modelwright import crdgen
from modelwright.api.v1alpha1 import KINDS
from modelwright.cli import rules, structure
from modelwright.cli.structure import Finding
from modelwright.names import API_VERSION, GROUP

JsonObject = dict[str, object]

NOT_CHECKED = Finding(
    "<nil>",
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation",
)
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def is_ours(obj: JsonObject) -> bool:
    """Whether the object is of our API group, in whatever version."""
    return str(obj.get("apiVersion", "")).partition("/")[0] == GROUP


def findings(obj: JsonObject) -> list[Finding]:
    """All that is wrong with an object of ours as a new one; empty when the API server takes it."""
    kind, version = obj.get("kind"), obj.get("apiVersion")
    if version != API_VERSION or kind not in {k.__name__ for k in KINDS}:
        return [Finding("", f'no matches for kind "{kind}" in version "{version}"')]
    schema = _schema(str(kind))
    found = list(structure.unknown({key: obj[key] for key in obj if key != "metadata"}, schema))
    candidate = cast(JsonObject, structure.defaulted({key: obj[key] for key in obj if key != "status"}, schema))
    found += _metadata(candidate.get("metadata"))
    if any(finding.blocks for finding in found):
        candidate.setdefault("metadata", {"name": ""})
    found += structure.check(candidate, schema)
    if any(finding.blocks for finding in found):
        return [*found, NOT_CHECKED]
    return [*found, *rules.check(candidate, schema)]


def _metadata(metadata: object) -> Iterator[Finding]:
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not name:
        yield Finding("metadata.name", "Required value: name or generateName is required", blocks=True)
    elif isinstance(name, str) and not _SUBDOMAIN.fullmatch(name):
        yield Finding(
            "metadata.name",
            f"Invalid value: {structure.quoted(name)}: a lowercase RFC 1123 subdomain must consist of lower case "
            "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
            f"'example.com', regex used for validation is '{_SUBDOMAIN.pattern}')",
        )


@cache
def _schema(kind: str) -> JsonObject:
    return next(crdgen.schema(k) for k in KINDS if k.__name__ == kind)
