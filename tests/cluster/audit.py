"""The API server's audit log: every write, as one line of JSON without bodies."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OPERATOR = "system:serviceaccount:modelwright-system:"


@dataclass(frozen=True)
class Write:
    """One request that was answered."""

    user: str
    verb: str
    resource: str
    group: str
    subresource: str
    namespace: str
    name: str
    code: int
    at: str

    @property
    def by_operator(self) -> bool:
        """Whether the operator asked."""
        return self.user.startswith(OPERATOR)


def mark() -> int:
    """Where the log ends now."""
    return _log().stat().st_size


def writes(since: int) -> Iterator[Write]:
    """Every write since a mark, in the order of their ends."""
    with _log().open("rb") as log:
        log.seek(since)
        for line in log:
            if not line.endswith(b"\n"):
                return
            entry = json.loads(line)
            where = entry.get("objectRef", {})
            yield Write(
                user=entry["user"].get("username", ""),
                verb=entry["verb"],
                resource=where.get("resource", ""),
                group=where.get("apiGroup", ""),
                subresource=where.get("subresource", ""),
                namespace=where.get("namespace", ""),
                name=where.get("name", ""),
                code=entry.get("responseStatus", {}).get("code", 0),
                at=entry["requestReceivedTimestamp"],
            )


def _log() -> Path:
    path = os.environ.get("MODELWRIGHT_AUDIT_LOG")
    assert path, "this test counts writes in the API server's audit log; the cluster's provider must have one"
    return Path(path)
