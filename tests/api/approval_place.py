"""A namespace in which people of every role meet model versions of every state."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kubernetes import client

from api.policies import MERGE, OPERATOR, Person, expect, until_so
from chart.rendering import JsonObject
from modelwright.api.v1alpha1 import KINDS
from pure import samples

DIGEST, OTHER = samples.digest("image"), samples.digest("another image")
IMAGE = f"registry.example.org/models/flights@{DIGEST}"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
GROUP = {"apiGroup": "rbac.authorization.k8s.io"}

USERS = {
    "viewer": "vic",
    "editor": "eve",
    "admin": "adam",
    "approver": "ana",
    "second": "ben",
    "own": "system:serviceaccount:{namespace}:robot",
    "ci": "system:serviceaccount:ci:robot",
    "gitops": "system:serviceaccount:argocd:controller",
    "operator": OPERATOR,
    "meddler": "mel",
    "restorer": "rita",
    "root": "root",
}
"""`second` approves and edits; `own`, a service account of the namespace, holds all our verbs, and `ci`, one of
another, may approve; `gitops` edits and may approve for others; `meddler` got rights on status by mistake; `restorer`
may restore it; `root` may do anything, as members of `system:masters` may.
"""
ROLES = {
    "viewer": ["view"],
    "editor": ["edit"],
    "admin": ["admin"],
    "approver": ["modelwright-approver"],
    "second": ["modelwright-approver", "edit"],
    "own": ["modelwright-approver", "edit", "approve-as"],
    "ci": ["modelwright-approver"],
    "gitops": ["edit", "approve-as"],
    "meddler": ["edit", "status"],
    "restorer": ["edit", "status", "restore-status"],
}
"""Names of cluster roles, and of the namespace's own roles in `OWN_ROLES`."""
PLURALS = [kind.names.plural for kind in KINDS]
OWN_ROLES = {
    "approve-as": {"resources": ["modelversions"], "verbs": ["approve-as"]},
    "restore-status": {"resources": PLURALS, "verbs": ["restore-status"]},
    "status": {"resources": [f"{plural}/status" for plural in PLURALS], "verbs": ["update", "patch"]},
}


@dataclass(frozen=True)
class Place:
    """The namespace, and who is in it."""

    api: client.ApiClient
    namespace: str

    def person(self, role: str) -> Person:
        """Who has this role."""
        groups = ("system:masters",) if role == "root" else ()
        return Person(self.api, USERS[role].format(namespace=self.namespace), groups)

    def path(self, name: str = "", plural: str = "modelversions") -> str:
        """Of a collection, an object or its status."""
        return f"/apis/modelwright.dev/v1alpha1/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")


def version(name: str, **spec: object) -> JsonObject:
    """A ModelVersion as somebody writes it."""
    made = samples.model_version(name, **spec)
    return {**made, "metadata": {"name": name}}


def yes(by: str, digest: str = DIGEST, **more: object) -> JsonObject:
    """An approval."""
    return {"approved": True, "approvedBy": by, "imageDigest": digest, **more}


def no(by: str) -> JsonObject:
    """Its opposite."""
    return {"approved": False, "approvedBy": by, "comment": "it leaks names"}


@contextmanager
def place(administrator: Person, namespace: str) -> Iterator[Place]:
    """A namespace with everybody in it, an object `other` of the other kinds, and versions: `unpackaged`, `packaged`
    with an image, and `approved` by the approver. Policies and roles are in force.
    """
    there = Place(administrator.api, namespace)
    expect(administrator.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}}))
    try:
        for name, rule in OWN_ROLES.items():
            role = {"metadata": {"name": name}, "rules": [{"apiGroups": ["modelwright.dev"], **rule}]}
            expect(administrator.ask("POST", f"{RBAC}/{namespace}/roles", role))
        for who, names in ROLES.items():
            for name in names:
                binding = _binding(name, there.person(who).user)
                expect(administrator.ask("POST", f"{RBAC}/{namespace}/rolebindings", binding))
        _make(administrator, there)
        until_so(lambda: _is_in_force(there))
        approval = {"spec": {"approval": yes("ana", comment="checked")}}
        expect(there.person("approver").ask("PATCH", there.path("approved"), approval, MERGE))
        yield there
    finally:
        administrator.ask("DELETE", f"/api/v1/namespaces/{namespace}")


def _binding(role: str, user: str) -> JsonObject:
    return {
        "metadata": {"generateName": f"{role}-"},
        "roleRef": {**GROUP, "kind": "Role" if role in OWN_ROLES else "ClusterRole", "name": role},
        "subjects": [{**GROUP, "kind": "User", "name": user}],
    }


def _make(administrator: Person, there: Place) -> None:
    others = (samples.dataset("other"), samples.training_run("other"), samples.deployment("other"))
    plurals = (plural for plural in PLURALS if plural != "modelversions")
    for plural, made in zip(plurals, others, strict=True):
        expect(administrator.ask("POST", there.path(plural=plural), {**made, "metadata": {"name": "other"}}))
    for name in ("unpackaged", "packaged", "approved"):
        expect(administrator.ask("POST", there.path(), version(name)))
        status = {"status": {"observedGeneration": 1, "image": IMAGE}}
        if name != "unpackaged":
            expect(administrator.ask("PATCH", there.path(f"{name}/status"), status, MERGE))


def _is_in_force(there: Place) -> bool:
    """Whether the roles are aggregated and both policies refuse what they should."""
    may_create = there.person("editor").ask("POST", there.path(), version("new"), dry_run=True)
    approval = {"spec": {"approval": yes("eve")}}
    approves = there.person("editor").ask("PATCH", there.path("packaged"), approval, MERGE, dry_run=True)
    status = {"status": {"observedGeneration": 1}}
    meddles = there.person("meddler").ask("PATCH", there.path("packaged/status"), status, MERGE, dry_run=True)
    refusals = (approves.message, meddles.message)
    return may_create.code == 201 and all(said.startswith("user ") for said in refusals)
