"""The node: containerd with runc and CNI, the kubelet and kube-proxy, as daemons."""

import json
from pathlib import Path

from . import cgroups
from .daemons import SYSTEM_PATH, Daemon
from .layout import PAUSE_IMAGE, Layout
from .network import bridged_packets_meet_iptables
from .programs import CNI_PLUGINS, KUBERNETES, NODE

KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
_VERSIONS = {program.name: program.version for program in NODE}


def containerd(layout: Layout) -> Daemon:
    """containerd with all its folders in the cluster's own; registries are told by `certs.d`, without a restart."""
    state, run = layout.folders.state, layout.folders.run
    config, cni = layout.folders.config / "containerd.toml", layout.folders.config / "cni"
    hosts = layout.folders.config / "certs.d" / layout.addresses.registry / "hosts.toml"
    plugins = str(Path(layout.program(CNI_PLUGINS[0])).parent)
    return Daemon(
        "containerd",
        (layout.program("containerd"), "--config", str(config)),
        _VERSIONS["containerd"],
        environment={"PATH": f"{layout.folders.runtime_bin}:{SYSTEM_PATH}"},
        files={
            config: _CONTAINERD.format(
                root=state / "containerd",
                run=run / "containerd",
                socket=layout.folders.containerd_socket,
                opt=state / "opt",
                pause=PAUSE_IMAGE,
                certs=layout.folders.config / "certs.d",
                runc=layout.program("runc"),
                plugins=plugins,
                cni=cni,
            ),
            hosts: _REGISTRY_HOST.format(registry=layout.addresses.registry),
            cni / "10-bridge.conflist": json.dumps(_cni(layout), indent=1),
        },
    )


def kubelet(layout: Layout) -> Daemon:
    """The kubelet, tuned for tests: quick to see, generous with images and disk, no swap or cgroup v1 scruples."""
    state, kubeconfig = layout.folders.state, layout.kubeconfig_path("kubelet")
    config = layout.folders.config / "kubelet.yaml"
    certificate, key = layout.key_pair("kubelet")
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.addresses.node,
        "port": KUBELET_PORT,
        "healthzBindAddress": layout.addresses.node,
        "healthzPort": KUBELET_HEALTH_PORT,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": layout.authority},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": certificate,
        "tlsPrivateKeyFile": key,
        "containerRuntimeEndpoint": f"unix://{layout.folders.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups.kubelet_root(layout.name),
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "clusterDNS": [layout.addresses.dns],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "podLogsDir": str(state / "pod-logs"),
        "volumePluginDir": str(state / "kubelet" / "plugins-exec"),
        "maxPods": 250,
        "serializeImagePulls": False,
        "maxParallelImagePulls": 8,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 300,
        "kubeAPIBurst": 600,
        "syncFrequency": "10s",
        # A container that was killed starts again at once: tests kill many.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
        "nodeStatusUpdateFrequency": "5s",
        "nodeStatusReportFrequency": "1m",
        "imageMinimumGCAge": "24h",
        "imageGCHighThresholdPercent": 99,
        "imageGCLowThresholdPercent": 98,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "evictionPressureTransitionPeriod": "10s",
        "shutdownGracePeriod": "0s",
        "containerLogMaxSize": "50Mi",
    }
    return Daemon(
        "kubelet",
        (
            layout.program("kubelet"),
            f"--config={config}",
            f"--kubeconfig={kubeconfig}",
            f"--root-dir={state / 'kubelet'}",
            f"--cert-dir={state / 'kubelet' / 'pki'}",
            f"--hostname-override={layout.name}",
            f"--node-ip={layout.addresses.node}",
        ),
        KUBERNETES,
        files={config: json.dumps(settings, indent=1), kubeconfig: layout.kubeconfig("kubelet")},
    )


def kube_proxy(layout: Layout) -> Daemon:
    """Services by iptables; a change is in force a tenth of a second later."""
    kubeconfig = layout.kubeconfig_path("kube-proxy")
    config = layout.folders.config / "kube-proxy.yaml"
    settings = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": layout.addresses.pods,
        "hostnameOverride": layout.name,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "conntrack": {"maxPerCore": 0, "min": 0},
        "iptables": {
            "minSyncPeriod": "100ms",
            "syncPeriod": "30s",
            "masqueradeAll": not bridged_packets_meet_iptables(),
        },
    }
    return Daemon(
        "kube-proxy",
        (layout.program("kube-proxy"), f"--config={config}"),
        KUBERNETES,
        files={config: json.dumps(settings, indent=1), kubeconfig: layout.kubeconfig("kube-proxy")},
    )


def _cni(layout: Layout) -> dict[str, object]:
    ranges = [[{"subnet": layout.addresses.pods}]]
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.folders.run / "cni"),
            "ranges": ranges,
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": f"modelwright-{layout.name}", "plugins": [bridge, ports]}


# restrict_oom_score_adj: inside a container without CAP_SYS_RESOURCE every sandbox fails without it.
_CONTAINERD = """\
version = 3
root = '{root}'
state = '{run}'
imports = []
disabled_plugins = ['io.containerd.nri.v1.nri', 'io.containerd.tracing.processor.v1.otlp']
[grpc]
address = '{socket}'
[debug]
level = 'warn'
[plugins.'io.containerd.internal.v1.opt']
path = '{opt}'
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['{plugins}']
conf_dir = '{cni}'
use_internal_loopback = true
[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = 'runc'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = '{runc}'
Root = '{run}/runc'
SystemdCgroup = false
[plugins.'io.containerd.cri.v1.images']
snapshotter = 'overlayfs'
use_local_image_pull = true
max_concurrent_downloads = 8
discard_unpacked_layers = false
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{pause}'
[plugins.'io.containerd.cri.v1.images'.registry]
config_path = '{certs}'
"""

_REGISTRY_HOST = """\
server = 'http://{registry}'
[host.'http://{registry}']
capabilities = ['pull', 'resolve']
"""
