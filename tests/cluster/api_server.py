"""The API server as a test talks to it: plain JSON objects over HTTP, with the credentials of $KUBECONFIG."""

import json
import os
import subprocess
import threading
from dataclasses import dataclass
from typing import Any

import requests
from kubernetes.client import Configuration
from kubernetes.config import load_kube_config

JsonObject = dict[str, Any]

OURS = {
    "Dataset": "datasets",
    "TrainingRun": "trainingruns",
    "ModelVersion": "modelversions",
    "Deployment": "modeldeployments",
}
_API = "/apis/modelwright.dev/v1alpha1"
_PATHS = {
    **{kind: (_API, plural) for kind, plural in OURS.items()},
    "Namespace": ("/api/v1", "namespaces"),
    "Secret": ("/api/v1", "secrets"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Service": ("/api/v1", "services"),
    "Pod": ("/api/v1", "pods"),
    "Event": ("/api/v1", "events"),
    "Job": ("/apis/batch/v1", "jobs"),
    "apps/Deployment": ("/apis/apps/v1", "deployments"),
}


@dataclass(frozen=True)
class Access:
    """Where the API server is, and how to be let in."""

    url: str
    authority: str
    certificate: tuple[str, str] | None
    headers: dict[str, str]


class Refused(Exception):
    """The API server said no; `code` is HTTP's, the text is its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def access() -> Access:
    """As kubectl would be let in."""
    found = Configuration()
    # Its default was read when the module was loaded, before a cluster was up.
    load_kube_config(os.environ.get("KUBECONFIG"), client_configuration=found)
    token = found.api_key.get("authorization") or found.api_key.get("BearerToken")
    return Access(
        url=found.host,
        authority=found.ssl_ca_cert,
        certificate=(found.cert_file, found.key_file) if found.cert_file else None,
        headers={"Authorization": token} if token else {},
    )


def path_of(kind: str, namespace: str | None = None, name: str = "") -> str:
    """The URL path of a kind, of a namespace's objects, or of one object; `apps/Deployment` is Kubernetes' own."""
    root, plural = _PATHS[kind]
    where = f"{root}/namespaces/{namespace}/{plural}" if namespace and kind != "Namespace" else f"{root}/{plural}"
    return f"{where}/{name}" if name else where


class ApiServer:
    """One client for all threads of a test."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._local = threading.local()

    def get(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        """The object, or None."""
        try:
            return self._send("GET", path_of(kind, namespace, name))
        except Refused as refused:
            if refused.code == 404:
                return None
            raise

    def list(self, kind: str, namespace: str | None = None, **query: str) -> list[JsonObject]:
        """All objects of a kind, in a namespace or everywhere."""
        found = self._send("GET", path_of(kind, namespace), query=query)
        items: list[JsonObject] = found["items"]
        return items

    def create(self, manifest: JsonObject) -> JsonObject:
        """Makes it; unknown fields are refused, as by kubectl."""
        return self._send("POST", _place(manifest), manifest, {"fieldValidation": "Strict"})

    def patch(self, kind: str, namespace: str, name: str, patch: JsonObject) -> JsonObject:
        """A merge patch."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._send("PATCH", path_of(kind, namespace, name), patch, {"fieldValidation": "Strict"}, headers)

    def restore_status(self, kind: str, namespace: str, name: str, status: JsonObject) -> JsonObject:
        """Puts the status of a backup back, as the verb `restore-status` allows."""
        headers = {"Content-Type": "application/merge-patch+json"}
        path = f"{path_of(kind, namespace, name)}/status"
        return self._send("PATCH", path, {"status": status}, {"fieldValidation": "Strict"}, headers)

    def delete(self, kind: str, namespace: str, name: str, **options: object) -> None:
        """Deletes it, with its dependents in the background; gone already is as good."""
        try:
            self._send("DELETE", path_of(kind, namespace, name), {"propagationPolicy": "Background", **options})
        except Refused as refused:
            if refused.code != 404:
                raise

    def _send(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> JsonObject:
        answer = self._session().request(
            method,
            self.access.url + path,
            data=None if body is None else json.dumps(body),
            params=query,
            headers={"Content-Type": "application/json", **(headers or {})},
            timeout=30,
        )
        if not answer.ok:
            raise Refused(answer.status_code, _message(answer))
        document: JsonObject = answer.json()
        return document

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            session = requests.Session()
            session.verify, session.cert = self.access.authority, self.access.certificate
            session.headers.update(self.access.headers)
            session.trust_env = False
            self._local.session = session
        session = self._local.session
        assert isinstance(session, requests.Session)
        return session


def kubectl(
    *arguments: str, stdin: JsonObject | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """kubectl itself, where the test is about what a person types; the caller looks at the exit code."""
    return subprocess.run(
        ["kubectl", *arguments],
        input=None if stdin is None else json.dumps(stdin),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def _place(manifest: JsonObject) -> str:
    kind = manifest["kind"]
    if kind == "Deployment" and manifest["apiVersion"] == "apps/v1":
        kind = "apps/Deployment"
    return path_of(kind, manifest["metadata"].get("namespace"))


def _message(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError):
        return answer.text[:500]
