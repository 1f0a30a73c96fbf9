"""The chart's admission policies and cluster roles on a real API server, and people who write under them."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kubernetes import client

from chart.rendering import JsonObject, of_kind, render

PATHS = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}
"""What the administrator's half of the chart has beside the CRDs."""
OPERATOR = "system:serviceaccount:modelwright-system:modelwright"
JSON, JSON_PATCH, MERGE, APPLY = (
    "application/json", "application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What the API server said: the object where it was content, else why not."""

    code: int
    body: JsonObject

    @property
    def message(self) -> str:
        """Why not, in the words of the policy that refused; empty where it was content."""
        said = str(self.body["message"]) if self.code >= 300 else ""
        return said.partition("denied request: ")[2] or said


@dataclass(frozen=True)
class Person:
    """Somebody who asks the API server; without a name, the administrator of the kubeconfig."""

    api: client.ApiClient
    user: str = ""
    groups: tuple[str, ...] = ()

    def ask(self, method: str, path: str, body: object = None, content: str = JSON, *, dry_run: bool = False) -> Answer:
        """One request; what is applied is so by the field manager `test`, by force."""
        query = {"dryRun": "All"} if dry_run else {}
        if content == APPLY:
            query |= {"fieldManager": "test", "force": "true"}
        headers: dict[str, Any] = {"Content-Type": content, "Accept": JSON}
        if self.user:
            headers["Impersonate-User"] = self.user
        for group in self.groups:
            headers["Impersonate-Group"] = group
        try:
            answer = self.api.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
            )
        except client.ApiException as error:
            return Answer(error.status, json.loads(error.body))
        return Answer(answer.status, json.loads(answer.data))


@contextmanager
def installed(administrator: Person) -> Iterator[None]:
    """The policies and roles as the chart has them; those that were not there before go again."""
    made = []
    for obj in of_kind(render(), *PATHS):
        path = f"{PATHS[obj['kind']]}/{obj['metadata']['name']}"
        if administrator.ask("GET", path).code == 404:
            made.append(path)
        expect(administrator.ask("PATCH", path, obj, APPLY))
    try:
        yield
    finally:
        for path in made:
            administrator.ask("DELETE", path)


def expect(answer: Answer) -> JsonObject:
    """The object; fails with the API server's words where it was not content."""
    assert answer.code < 300, answer.body
    return answer.body


def until_so(asked: Callable[[], bool], timeout_s: float = 60) -> None:
    """Waits until a question is answered with yes: policies and aggregated roles take effect within seconds."""
    until = time.monotonic() + timeout_s
    while not asked():
        assert time.monotonic() < until, f"not within {timeout_s} s"
        time.sleep(0.2)
