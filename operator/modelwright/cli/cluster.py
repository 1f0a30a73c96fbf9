"""What commands ask of the API server, as the person of the kubeconfig."""

import json
from dataclasses import dataclass
from typing import Protocol, cast

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from modelwright.api.v1alpha1 import Deployment
from modelwright.cli.problems import Problem
from modelwright.names import GROUP, VERSION


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes


class _Reply(Protocol):
    status: int

    def read(self, amt: int) -> bytes: ...


class Cluster:
    """The cluster of one context of the kubeconfig."""

    def __init__(self, context: str | None = None) -> None:
        """Reads the kubeconfig; raises Problem where there is none, or no such context."""
        try:
            self._api = config.new_client_from_config(context=context)
            contexts, active = config.list_kube_config_contexts()
        except config.ConfigException as error:
            raise Problem(f"no cluster: {error}; set KUBECONFIG or write --context") from error
        chosen = next((entry for entry in contexts if entry["name"] == context), active)
        self.namespace: str = str(chosen["context"].get("namespace") or "default")

    def deployment(self, namespace: str, name: str) -> Deployment:
        """The ModelDeployment; raises Problem where it cannot be read."""
        objects = client.CustomObjectsApi(self._api)
        plural = Deployment.names.plural
        try:
            found = objects.get_namespaced_custom_object(GROUP, VERSION, namespace, plural, name, _request_timeout=10)
        except client.ApiException as error:
            if error.status == 404:
                raise Problem(
                    f"there is no ModelDeployment {name} in namespace {namespace}; "
                    f"`kubectl get {plural} --all-namespaces` shows all"
                ) from error
            raise Problem(f"ModelDeployment {namespace}/{name}: {_said(error)}") from error
        except HTTPError as error:
            raise Problem(f"the API server cannot be reached: {error}") from error
        return Deployment.parse(cast(dict[str, object], found))

    def post_through_proxy(
        self, namespace: str, service: str, port: str, path: str, body: bytes, content_type: str, limit_bytes: int
    ) -> Answer:
        """POSTs to a Service's port through the API server (needs `create` on services/proxy); raises Problem."""
        resource = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}"
        content = json.loads(body) if content_type == "application/json" else body
        try:
            reply = cast(
                _Reply,
                self._api.call_api(
                    resource,
                    "POST",
                    header_params={"Content-Type": content_type, "Accept": "application/json"},
                    body=content,
                    auth_settings=["BearerToken"],
                    _return_http_data_only=True,
                    _preload_content=False,
                    _request_timeout=60,
                ),
            )
            return Answer(reply.status, reply.read(limit_bytes))
        except client.ApiException as error:
            return Answer(int(error.status or 0), str(error.body or error.reason or "").encode())
        except HTTPError as error:
            raise Problem(f"the API server cannot be reached: {error}") from error


def _said(error: client.ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return f"{error.status} {error.reason}"
