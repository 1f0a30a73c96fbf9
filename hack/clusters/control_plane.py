"""etcd, the API server, the controller-manager and the scheduler, as daemons."""

import json

from .addresses import API_PORT
from .daemons import Daemon
from .layout import Layout
from .programs import ETCD, KUBERNETES

ETCD_METRICS_PORT = 2381
_ETCD = "http://127.0.0.1:2379"
_PEER = "http://127.0.0.1:2380"
_QPS, _BURST = "300", "600"


def etcd(layout: Layout) -> Daemon:
    """etcd without fsync: it survives the death of every process, though not a power cut at a bad moment."""
    return Daemon(
        "etcd",
        (
            layout.program("etcd"),
            "--name=etcd",
            f"--data-dir={layout.folders.state / 'etcd'}",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            f"--listen-peer-urls={_PEER}",
            f"--initial-advertise-peer-urls={_PEER}",
            f"--initial-cluster=etcd={_PEER}",
            f"--listen-metrics-urls=http://{layout.addresses.node}:{ETCD_METRICS_PORT}",
            "--quota-backend-bytes=8589934592",
            "--snapshot-count=10000",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ),
        ETCD.version,
    )


def api_server(layout: Layout) -> Daemon:
    """The API server with everything that a whole cluster has: RBAC, Node, aggregation and an audit log of writes."""
    pki, addresses = layout.folders.pki, layout.addresses
    policy = layout.folders.config / "audit-policy.yaml"
    certificate, key = layout.key_pair("kube-apiserver")
    kubelet_certificate, kubelet_key = layout.key_pair("kube-apiserver-kubelet")
    proxy_certificate, proxy_key = layout.key_pair("front-proxy")
    return Daemon(
        "kube-apiserver",
        (
            layout.program("kube-apiserver"),
            f"--etcd-servers={_ETCD}",
            f"--advertise-address={addresses.node}",
            f"--secure-port={API_PORT}",
            f"--service-cluster-ip-range={addresses.services}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--client-ca-file={layout.authority}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--kubelet-certificate-authority={layout.authority}",
            f"--kubelet-client-certificate={kubelet_certificate}",
            f"--kubelet-client-key={kubelet_key}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki / 'service-accounts.pub'}",
            f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
            f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={proxy_certificate}",
            f"--proxy-client-key-file={proxy_key}",
            "--enable-aggregator-routing=true",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={layout.folders.audit_log}",
            "--audit-log-maxsize=2000",
            "--audit-log-maxbackup=2",
        ),
        KUBERNETES,
        files={policy: json.dumps(_AUDIT_POLICY, indent=1)},
    )


def controller_manager(layout: Layout) -> Daemon:
    """Every controller, with a quick HPA; the only one of its kind, so it needs no lease."""
    pki, config = layout.folders.pki, layout.kubeconfig_path("kube-controller-manager")
    return Daemon(
        "kube-controller-manager",
        (
            layout.program("kube-controller-manager"),
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            f"--root-ca-file={layout.authority}",
            f"--service-account-private-key-file={pki / 'service-accounts.key'}",
            f"--cluster-signing-cert-file={layout.authority}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
            f"--cluster-cidr={layout.addresses.pods}",
            "--allocate-node-cidrs=false",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--horizontal-pod-autoscaler-sync-period=5s",
            f"--kube-api-qps={_QPS}",
            f"--kube-api-burst={_BURST}",
        ),
        KUBERNETES,
        files={config: layout.kubeconfig("kube-controller-manager")},
    )


def scheduler(layout: Layout) -> Daemon:
    """The default scheduler."""
    kubeconfig = layout.kubeconfig_path("kube-scheduler")
    config = layout.folders.config / "kube-scheduler.yaml"
    settings = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig), "qps": int(_QPS), "burst": int(_BURST)},
        "leaderElection": {"leaderElect": False},
    }
    return Daemon(
        "kube-scheduler",
        (
            layout.program("kube-scheduler"),
            f"--config={config}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
        ),
        KUBERNETES,
        files={kubeconfig: layout.kubeconfig("kube-scheduler"), config: json.dumps(settings, indent=1)},
    )


_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "None"},
    ],
}
