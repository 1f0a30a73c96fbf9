"""Kubernetes from this machine's own processes, in a network namespace of its own: no Docker, no images to fetch."""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from . import (
    addons,
    addresses,
    build,
    certificates,
    cgroups,
    control_plane,
    images,
    manifests,
    network,
    node,
    packages,
    programs,
    remains,
    s3,
)
from .command import run
from .daemons import Daemon, Supervisor
from .layout import AWS_REGION, BUCKET, PAUSE_IMAGE, Folders, Layout
from .places import state_root
from .readiness import accepts, answers, says, wait
from .report import ClusterError, say


class Native:
    """One cluster of this machine."""

    def __init__(self, name: str) -> None:
        """Looks at nothing yet."""
        self._name = name
        self._folders = Folders(name)
        self._supervisor = Supervisor(
            self._folders.records, self._folders.logs, self._folders.namespace, cgroups.daemons_file(name)
        )

    def exists(self) -> bool:
        """Whether this machine has state of a cluster of this name."""
        return (self._folders.state / "index").exists()

    def build(self) -> None:
        """Builds every program."""
        build.build(programs.ALL)

    def up(self, control_plane_only: bool) -> None:
        """Starts what does not run, everything that can be at once, and waits until it answers."""
        with self._locked():
            began = time.monotonic()
            packages.require_for_run()
            build.build(programs.CONTROL_PLANE if control_plane_only else programs.ALL)
            starting = time.monotonic()
            layout = Layout(self._folders, addresses.allocate(self._folders.state))
            self._prepare(layout, control_plane_only)
            say("network, control groups and certificates", starting)
            _together(
                lambda: self._kubernetes(layout, control_plane_only),
                *([] if control_plane_only else self._stores(layout)),
            )
            say(f'cluster {self._name} is up: eval "$(hack/cluster env --name {self._name})"', began)

    def down(self) -> None:
        """Kills every process of the cluster, then removes its mounts, links, control groups and files."""
        with self._locked():
            began = time.monotonic()
            remains.remove(self._folders)
            say(f"cluster {self._name} is gone", began)

    def status(self) -> bool:
        """Prints a line for each daemon: process id, memory, age, version and log."""
        layout = self._existing()
        print(f"{'COMPONENT':25} {'STATE':8} {'PID':>8} {'RSS MiB':>8} {'AGE s':>8}  {'VERSION':9} LOG")
        whole = True
        for daemon in self._daemons(layout):
            running = self._supervisor.running(daemon.name)
            whole = whole and running is not None
            state, pid, size, age = (
                ("dead", "-", "-", "-")
                if running is None
                else ("running", str(running.pid), f"{running.resident_bytes / 2**20:.0f}", f"{running.age_s:.0f}")
            )
            log = self._supervisor.log(daemon.name)
            print(f"{daemon.name:25} {state:8} {pid:>8} {size:>8} {age:>8}  {daemon.version:9} {log}")
        print(
            f"{len(cgroups.processes(self._name))} processes in all; node {layout.addresses.node}, "
            f"Pods {layout.addresses.pods}, Services {layout.addresses.services}"
        )
        return whole

    def environment(self) -> Mapping[str, str]:
        """The contract's variables; a control plane alone has no store and no registry."""
        layout = self._existing()
        variables = {
            "KUBECONFIG": str(layout.kubeconfig_path("admin")),
            "PATH": str(layout.folders.bin),
            "MODELWRIGHT_AUDIT_LOG": str(layout.folders.audit_log),
            "MODELWRIGHT_NETNS": str(layout.folders.namespace),
        }
        if self._control_plane_only():
            return variables
        access_key, secret_key = layout.credentials()
        return variables | {
            "AWS_ENDPOINT_URL": layout.addresses.s3,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_DEFAULT_REGION": AWS_REGION,
            "MODELWRIGHT_BUCKET": BUCKET,
            "MODELWRIGHT_REGISTRY": layout.addresses.registry,
        }

    def load(self, images_to_push: Sequence[str]) -> list[str]:
        """Pushes to the cluster's registry."""
        registry = self._existing().addresses.registry
        return [images.push(image, registry) for image in images_to_push]

    def _existing(self) -> Layout:
        found = addresses.read(self._folders.state)
        if found is None:
            raise ClusterError(f"there is no cluster {self._name}: start it with `hack/cluster up --name {self._name}`")
        return Layout(self._folders, found)

    def _control_plane_only(self) -> bool:
        return not (self._folders.state / "has-node").exists()

    def _daemons(self, layout: Layout) -> list[Daemon]:
        alone = [control_plane.etcd(layout), control_plane.api_server(layout), control_plane.controller_manager(layout)]
        if self._control_plane_only():
            return alone
        return [
            *alone,
            control_plane.scheduler(layout),
            node.containerd(layout),
            node.kubelet(layout),
            node.kube_proxy(layout),
            addons.coredns(layout),
            addons.registry(layout),
            addons.s3(layout),
            addons.volumes(layout),
            addons.metrics_server(layout),
        ]

    def _prepare(self, layout: Layout, control_plane_only: bool) -> None:
        if not control_plane_only:
            (layout.folders.state / "has-node").touch()
        _together(
            lambda: cgroups.ensure(self._name),
            lambda: network.ensure(layout.addresses, layout.folders.namespace),
            lambda: certificates.ensure(layout.folders.pki, layout.certificates()),
        )
        layout.link_programs()
        admin = layout.kubeconfig_path("admin")
        admin.parent.mkdir(parents=True, exist_ok=True)
        admin.write_text(layout.kubeconfig("admin"))

    def _kubernetes(self, layout: Layout, alone: bool) -> None:
        began = time.monotonic()
        started = self._supervisor.ensure(control_plane.etcd(layout))
        started |= self._supervisor.ensure(control_plane.api_server(layout))
        if not alone:
            if self._supervisor.running("containerd") is None:
                remains.remove_dead_sockets(layout.folders)
            self._supervisor.ensure(node.containerd(layout))
        ready = answers(f"{layout.addresses.api}/readyz", layout.authority)
        etcd_url = f"http://{layout.addresses.node}:{control_plane.ETCD_METRICS_PORT}/health"
        self._wait("etcd", answers(etcd_url), "etcd")
        self._wait("the API server", ready, "kube-apiserver")
        say("API server", began)
        started |= self._supervisor.ensure(control_plane.controller_manager(layout))
        _together(
            lambda: self._objects(layout, alone, started),
            *([] if alone else [lambda: self._node(layout)]),
        )
        if not alone:
            self._metrics(layout)

    def _objects(self, layout: Layout, alone: bool, started: bool) -> None:
        objects = manifests.store(*layout.credentials())
        if not alone:
            objects += manifests.node(layout, Path(layout.authority).read_bytes())
        wanted, marker = json.dumps(objects), layout.folders.state / "objects.json"
        if not started and marker.exists() and marker.read_text() == wanted:
            return
        began = time.monotonic()
        text = "\n---\n".join(map(json.dumps, objects))
        self._kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", text=text)
        account = self._kubectl_command("get", "serviceaccount", "default", "--namespace=default", "--output=name")
        self._wait("the default service account", says(*account), "kube-controller-manager")
        marker.write_text(wanted)
        say("objects", began)

    def _node(self, layout: Layout) -> None:
        began = time.monotonic()
        daemons = (
            control_plane.scheduler,
            node.containerd,
            node.kubelet,
            node.kube_proxy,
            addons.coredns,
            addons.volumes,
        )
        started = [self._supervisor.ensure(describe(layout)) for describe in daemons]
        self._wait("containerd", accepts(layout.folders.containerd_socket), "containerd")
        self._import_pause_image(layout)
        kubelet = f"http://{layout.addresses.node}:{node.KUBELET_HEALTH_PORT}/healthz"
        self._wait("the kubelet", answers(kubelet), "kubelet")
        ready = '{.status.conditions[?(@.type=="Ready")].status}'
        status = self._kubectl_command("get", "node", self._name, f"--output=jsonpath={ready}")
        self._wait("the node", says(*status, words="True"), "kubelet")
        dns = f"http://{layout.addresses.node}:{addons.DNS_READY_PORT}/ready"
        self._wait("DNS", answers(dns), "coredns")
        if any(started):
            say("node and DNS", began)

    def _metrics(self, layout: Layout) -> None:
        """Starts the metrics server last: it ends at once where its roles are not there yet."""
        self._supervisor.ensure(addons.metrics_server(layout))
        url = f"https://{layout.addresses.node}:{addons.METRICS_PORT}/livez"
        self._wait("the metrics server", answers(url, layout.authority), "metrics-server")

    def _stores(self, layout: Layout) -> list[Callable[[], None]]:
        def registry() -> None:
            self._supervisor.ensure(addons.registry(layout))
            self._wait("the registry", answers(f"http://{layout.addresses.registry}/v2/"), "registry")

        def objects() -> None:
            for folder in addons.s3_folders(layout):
                folder.mkdir(parents=True, exist_ok=True)
            self._supervisor.ensure(addons.s3(layout))
            self._wait("the S3 store", answers(f"{layout.addresses.s3}/healthz"), "s3")
            s3.make_bucket(layout.addresses.s3, AWS_REGION, *layout.credentials(), BUCKET)

        return [registry, objects]

    def _import_pause_image(self, layout: Layout) -> None:
        marker = layout.folders.state / "pause-image"
        binary = Path(layout.program("pause"))
        if marker.exists() and marker.read_text() == str(binary):
            return
        with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
            archive.write(images.single_binary_image(binary, PAUSE_IMAGE))
            archive.flush()
            address = f"--address={layout.folders.containerd_socket}"
            run(layout.program("ctr"), address, "--namespace=k8s.io", "images", "import", archive.name)
        marker.write_text(str(binary))

    def _wait(self, what: str, ready: Callable[[], bool], daemon: str) -> None:
        wait(what, ready, self._supervisor, daemon)

    def _kubectl_command(self, *arguments: str) -> list[str]:
        kubeconfig = self._existing().kubeconfig_path("admin")
        return [str(self._folders.bin / "kubectl"), f"--kubeconfig={kubeconfig}", *arguments]

    def _kubectl(self, *arguments: str, text: str) -> None:
        run(*self._kubectl_command(*arguments), text=text)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = state_root() / f".{self._name}.lock"
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if path.exists() and path.stat().st_ino == os.fstat(handle.fileno()).st_ino:
                    yield
                    return
            # a `down` that ended meanwhile deleted the file: what was locked is no longer the one that others see


def _together(*steps: Callable[[], object]) -> None:
    """Runs the steps side by side; raises the first one's failure when all have ended."""
    with ThreadPoolExecutor(len(steps)) as pool:
        for running in [pool.submit(step) for step in steps]:
            running.result()
