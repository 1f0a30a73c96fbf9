"""The objects that a new native cluster holds: roles of its daemons, DNS, metrics, volumes, and the store's Secret."""

import base64
from collections.abc import Mapping

from .addons import METRICS_PORT
from .layout import Layout
from .volumes import PROVISIONER

Manifest = dict[str, object]


def store(access_key: str, secret_key: str) -> list[Manifest]:
    """What every provider's cluster holds: the operator's namespace, and the keys of the S3 store in `default`."""
    keys = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "modelwright-system"}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "modelwright-store", "namespace": "default"},
            "type": "Opaque",
            "stringData": keys,
        },
    ]


def node(layout: Layout, authority: bytes) -> list[Manifest]:
    """What a cluster with a node holds besides; `authority` is the PEM that signs the metrics server's certificate."""
    return [*_dns(layout), *_metrics(layout, authority), *_volumes()]


def _dns(layout: Layout) -> list[Manifest]:
    lists = [
        {
            "apiGroups": [""],
            "resources": ["endpoints", "services", "pods", "namespaces"],
            "verbs": ["list", "watch"],
        },
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    ports: list[Mapping[str, object]] = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    return [
        _role("system:coredns", lists),
        _binding("system:coredns", "system:coredns", "system:coredns"),
        _service("kube-dns", ports, {"clusterIP": layout.addresses.dns}),
        _endpoints("kube-dns", layout.addresses.node, ports),
    ]


def _metrics(layout: Layout, authority: bytes) -> list[Manifest]:
    name = "metrics-server"
    reads = [
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]},
    ]
    aggregated = [{"apiGroups": ["metrics.k8s.io"], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]}]
    reader: Manifest = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{name}-auth-reader", "namespace": "kube-system"},
        "roleRef": _role_reference("Role", "extension-apiserver-authentication-reader"),
        "subjects": [_user("system:metrics-server")],
    }
    service_port: Mapping[str, object] = {"name": "https", "port": 443, "protocol": "TCP"}
    return [
        _role("system:metrics-server", reads),
        _role("system:aggregated-metrics-reader", aggregated, {"aggregate-to-view", "aggregate-to-edit"}),
        _binding("system:metrics-server", "system:metrics-server", "system:metrics-server"),
        _binding("metrics-server:system:auth-delegator", "system:auth-delegator", "system:metrics-server"),
        reader,
        _service(name, [service_port]),
        _endpoints(name, layout.addresses.node, [{**service_port, "port": METRICS_PORT}]),
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "service": {"name": name, "namespace": "kube-system"},
                "caBundle": base64.b64encode(authority).decode(),
            },
        },
    ]


def _volumes() -> list[Manifest]:
    user = "system:modelwright-volumes"
    rules = [
        {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": [""],
            "resources": ["persistentvolumes"],
            "verbs": ["get", "list", "watch", "create", "delete"],
        },
    ]
    storage_class: Manifest = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    return [_role(user, rules), _binding(user, user, user), storage_class]


def _role(name: str, rules: list[dict[str, list[str]]], aggregate: set[str] | None = None) -> Manifest:
    labels = {f"rbac.authorization.k8s.io/{part}": "true" for part in sorted(aggregate or ())}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels},
        "rules": rules,
    }


def _binding(name: str, role: str, user: str) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": _role_reference("ClusterRole", role),
        "subjects": [_user(user)],
    }


def _role_reference(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def _user(name: str) -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}


def _service(name: str, ports: list[Mapping[str, object]], extra: Mapping[str, object] | None = None) -> Manifest:
    """A Service without a selector: its one endpoint is a daemon of the node."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"ports": ports, **(extra or {})},
    }


def _endpoints(service: str, address: str, ports: list[Mapping[str, object]]) -> Manifest:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-node",
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": ports,
    }
