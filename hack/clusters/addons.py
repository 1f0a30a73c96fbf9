"""What a cluster has besides Kubernetes: DNS, metrics, a registry and an S3 store, as daemons of the node."""

import json
import os
import platform
import sys
from pathlib import Path

from . import volumes as provisioner
from .daemons import Daemon
from .layout import AWS_REGION, Layout
from .programs import NODE

DNS_READY_PORT = 8181
METRICS_PORT = 4443
_VERSIONS = {program.name: program.version for program in NODE}


def coredns(layout: Layout) -> Daemon:
    """The cluster's names, and a quick NXDOMAIN for all others: Pods have no way out of the machine."""
    kubeconfig, config = layout.kubeconfig_path("coredns"), layout.folders.config / "Corefile"
    return Daemon(
        "coredns",
        (layout.program("coredns"), "-conf", str(config)),
        _VERSIONS["coredns"],
        files={
            kubeconfig: layout.kubeconfig("coredns"),
            config: _COREFILE.format(ready=DNS_READY_PORT, kubeconfig=kubeconfig),
        },
    )


def metrics_server(layout: Layout) -> Daemon:
    """CPU and memory of Pods for `kubectl top` and the HPA, every ten seconds."""
    kubeconfig = layout.kubeconfig_path("metrics-server")
    certificate, key = layout.key_pair("metrics-server")
    return Daemon(
        "metrics-server",
        (
            layout.program("metrics-server"),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--secure-port={METRICS_PORT}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--kubelet-certificate-authority={layout.authority}",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-request-timeout=5s",
            "--metric-resolution=10s",
        ),
        _VERSIONS["metrics-server"],
        files={kubeconfig: layout.kubeconfig("metrics-server")},
    )


def registry(layout: Layout) -> Daemon:
    """The reference registry over plain http, with deletion and without a password."""
    config = layout.folders.config / "registry.yaml"
    settings = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(layout.folders.state / "registry"), "maxthreads": 100},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": layout.addresses.registry, "secret": "modelwright"},
    }
    return Daemon(
        "registry",
        (layout.program("registry"), "serve", str(config)),
        _VERSIONS["registry"],
        environment={"OTEL_TRACES_EXPORTER": "none"},
        files={config: json.dumps(settings, indent=1)},
    )


def s3_folders(layout: Layout) -> tuple[Path, Path, Path]:
    """Where the store keeps users, old versions and objects; they must be there when it starts."""
    store = layout.folders.state / "s3"
    return store / "users", store / "versions", store / "objects"


def s3(layout: Layout) -> Daemon:
    """Versity's gateway over a folder, with versions of objects and users."""
    access_key, secret_key = layout.credentials()
    users, versions, objects = s3_folders(layout)
    return Daemon(
        "s3",
        (
            layout.program("versitygw"),
            f"--port={layout.addresses.s3.removeprefix('http://')}",
            f"--region={AWS_REGION}",
            "--health=/healthz",
            "--quiet",
            f"--iam-dir={users}",
            "posix",
            f"--versioning-dir={versions}",
            str(objects),
        ),
        _VERSIONS["versitygw"],
        environment={"ROOT_ACCESS_KEY": access_key, "ROOT_SECRET_KEY": secret_key},
    )


def volumes(layout: Layout) -> Daemon:
    """The provisioner of the default StorageClass: a Python program of ours, from a copy of its one file."""
    program = layout.folders.config / "volumes.py"
    certificate, key = layout.key_pair("volumes")
    return Daemon(
        "volumes",
        (
            os.path.realpath(sys.executable),  # not a virtual environment that may go
            "-I",
            str(program),
            f"--address={layout.addresses.api.removeprefix('https://')}",
            f"--authority={layout.authority}",
            f"--certificate={certificate}",
            f"--key={key}",
            f"--root={layout.folders.state / 'volumes'}",
        ),
        platform.python_version(),
        files={program: Path(provisioner.__file__).read_text()},
    )


# Two blocks: in one, the template would answer before the cluster; without it, names from outside would hang.
_COREFILE = """\
cluster.local:53 in-addr.arpa:53 {{
    errors
    ready :{ready}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
    cache 5
}}
.:53 {{
    errors
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"""
